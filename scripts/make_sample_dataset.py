"""Draws a sample data set: catalogue-like photos of garments in six classes, with LabelImg's annotations.

Goes in: nothing. Comes out, below --output_dir: samples/sample_00001.jpg ..., annotations/sample_00001.xml ...
(PASCAL VOC as LabelImg writes it), and README.txt, which says how they came about.

    python scripts/make_sample_dataset.py --output_dir data/sample --num_images 400 --seed 1

The photos are synthetic: drawn, not photographed. They let the whole pipeline run before a single photo has been
labelled; what a model reaches on them says nothing about real photos. One to four garments an image, 300 to 640
pixels a side. How often a class occurs follows the boxes per class of the real product photos that this project
stems from: Dresses 454, Pants_Leggings 301, Tops 451, Shorts 151, Lingerie 120, Skirts 109.

The same seed gives the same bytes with the same version of Pillow, on every platform; image i does not depend on
--num_images. A second run replaces what the first one made; a folder with other files is left alone.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import functools
import io
import re
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib.annotations import voc_xml
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import UsageError
from scripts.lib.core.progress import progress
from scripts.lib.sample_photos import studio

JPEG_QUALITY = 88
IMAGES, ANNOTATIONS, README = "samples", "annotations", "README.txt"
OWN_FILE = re.compile(r"sample_\d{5,}\.(jpg|xml)|\..+\.partial")
README_TEXT = """\
These photos are synthetic: drawn by scripts/make_sample_dataset.py, not photographed.
What a model reaches on them says nothing about real photos.

{num_images} images, seed {seed}. The next run of the script replaces them.
"""


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    clear_place(args.output_dir)
    with files.atomic_write(args.output_dir / README, "w") as file:
        file.write(README_TEXT.format(num_images=args.num_images, seed=args.seed))
    boxes: collections.Counter[str] = collections.Counter()
    draw = functools.partial(write_image, args.output_dir, args.seed)
    with concurrent.futures.ProcessPoolExecutor() as executor:
        annotations = executor.map(draw, range(args.num_images), chunksize=8)
        for annotation in progress(annotations, "drawing", args.num_images):
            boxes.update(voc_object.name for voc_object in annotation.objects)
    print_summary(args, boxes)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument(
        "--output_dir", type=local_path, default=files.default_path("data/sample"), help="folder to fill"
    )
    parser.add_argument("--num_images", type=int, default=400, help="how many images to draw")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other images")
    args = parser.parse_args(argv)
    if args.num_images < 1:
        raise UsageError(f"--num_images is {args.num_images}; at least one image has to be drawn.")
    return args


def clear_place(output_dir: Path) -> None:
    """Removes what an earlier run made.

    Raises:
        UsageError: the place is no folder, or holds files that are not this script's; nothing was touched.
    """
    if output_dir.exists() and not output_dir.is_dir():
        raise UsageError(f"--output_dir {files.shown_path(output_dir)} is a file; give a folder.")
    own = (output_dir / README).is_file() and (output_dir / README).read_bytes().startswith(README_TEXT[:60].encode())
    filled = [path for folder in (IMAGES, ANNOTATIONS) for path in sorted((output_dir / folder).glob("*"))]
    foreign = [path for path in filled if not (own and path.is_file() and OWN_FILE.fullmatch(path.name))]
    if not own and output_dir.is_dir():
        foreign += [path for path in sorted(output_dir.glob("*")) if path.name not in (IMAGES, ANNOTATIONS)]
    if foreign:
        names = ", ".join(files.shown_path(path) for path in foreign[:3])
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise UsageError(
            f"--output_dir {files.shown_path(output_dir)} holds files that this script did not make ({names}{more}); "
            "give a new or empty folder."
        )
    for path in reversed(filled):  # annotations first: no annotation is ever left beside another seed's image
        path.unlink()


def write_image(output_dir: Path, seed: int, index: int) -> voc_xml.Annotation:
    """Draws image `index` (from 0) and writes it, then its annotation."""
    photo = studio.take_photo(seed, index)
    width, height = photo.image.size
    name = f"sample_{index + 1:05d}"
    objects = [
        voc_xml.VocObject(
            box.name,
            box.xmin,
            box.ymin,
            box.xmax,
            box.ymax,
            truncated=box.xmin == 0 or box.ymin == 0 or box.xmax == width or box.ymax == height,
        )
        for box in photo.boxes
    ]
    annotation = voc_xml.Annotation(f"{name}.jpg", width, height, objects, IMAGES, f"{IMAGES}/{name}.jpg")
    jpeg = io.BytesIO()
    photo.image.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    with files.atomic_write(output_dir / IMAGES / f"{name}.jpg", durable=False) as file:
        file.write(jpeg.getvalue())
    voc_xml.write(output_dir / ANNOTATIONS / f"{name}.xml", annotation)
    return annotation


def print_summary(args: argparse.Namespace, boxes: collections.Counter[str]) -> None:
    total = sum(boxes.values())
    print(f"{args.num_images} synthetic images (seed {args.seed}) and annotations: {files.shown_path(args.output_dir)}")
    print(f"{'class':<16}{'boxes':>6}{'share':>8}")
    for name in studio.CLASS_WEIGHTS:
        print(f"{name:<16}{boxes[name]:>6}{boxes[name] / total:>8.1%}")
    print(f"{'total':<16}{total:>6}")


if __name__ == "__main__":
    command_line.run(main)
