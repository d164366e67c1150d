"""Draw a sample data set: catalogue-like images of garments in six classes, with LabelImg's annotations.

In:   nothing.
Out:  in output_dir: samples/sample_00001.jpg ..., annotations/sample_00001.xml ... (PASCAL VOC as LabelImg writes it),
      and README.txt, which says that they are synthetic.

  python scripts/make_sample_dataset.py --output_dir data/sample --num_images 400 --seed 1

The images are drawn, not photographed. The whole pipeline runs on them before any photo has been labelled; a model's
results on them say nothing about photos. One to four garments per image, 300 to 640 pixels a side. The classes
are as frequent as in the product photos that this project stems from: Dresses 454, Pants_Leggings 301, Tops 451,
Shorts 151, Lingerie 120, Skirts 109.

The same seed gives the same bytes with the same version of Pillow, on every platform; image i does not depend on
--num_images. A second run replaces the files of the first one; a folder with other files is refused.
"""

from __future__ import annotations

import argparse
import collections
import functools
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib.annotations import voc_xml
from scripts.lib.core import command_line, files, parallel
from scripts.lib.core.command_line import local_path, positive_int
from scripts.lib.core.errors import UsageError
from scripts.lib.core.progress import progress
from scripts.lib.core.wording import counted

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
    from scripts.lib.sample_photos import studio  # here, since --help answers faster without numpy

    clear_place(args.output_dir)
    with files.atomic_write(args.output_dir / README, "w") as file:
        file.write(README_TEXT.format(num_images=args.num_images, seed=args.seed))
    boxes: collections.Counter[str] = collections.Counter()
    draw = functools.partial(write_image, studio.take_photo, args.output_dir, args.seed)
    for annotation in progress(parallel.process_map(draw, range(args.num_images)), "drawing", args.num_images):
        boxes.update(voc_object.name for voc_object in annotation.objects)
    print(
        f"{counted(args.num_images, 'synthetic image')} (seed {args.seed}) and annotations: "
        f"{files.shown_path(args.output_dir)}"
    )
    print(table(boxes, studio.CLASS_WEIGHTS))


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    default = files.default_path("data/sample")
    parser.add_argument("--output_dir", type=local_path, default=default, help="folder to fill")
    parser.add_argument("--num_images", type=positive_int, default=400, help="number of images")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other images")
    return parser.parse_args(argv)


def clear_place(output_dir: Path) -> None:
    """Remove the files of an earlier run.

    Raises:
        UsageError: it is a file, or holds files of others; nothing was removed.
    """
    if output_dir.exists() and not output_dir.is_dir():
        raise UsageError(f"--output_dir {files.shown_path(output_dir)} is a file; give a folder.")
    own = (output_dir / README).is_file() and (output_dir / README).read_bytes().startswith(README_TEXT[:60].encode())
    filled = [path for folder in (IMAGES, ANNOTATIONS) for path in sorted((output_dir / folder).glob("*"))]
    foreign = [path for path in filled if not (own and path.is_file() and OWN_FILE.fullmatch(path.name))]
    if not own and output_dir.is_dir():
        foreign += [path for path in sorted(output_dir.glob("*")) if path.name not in (IMAGES, ANNOTATIONS)]
    if foreign:
        names = files.shown_paths(foreign[:3])
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise UsageError(
            f"--output_dir {files.shown_path(output_dir)} holds files that this script did not make ({names}{more}); "
            "give a new or empty folder."
        )
    for path in reversed(filled):  # annotations first: no annotation is ever left beside another seed's image
        files.remove(path)


def write_image(take_photo: Callable, output_dir: Path, seed: int, index: int) -> voc_xml.Annotation:
    """Draw image `index` (from 0) by `studio.take_photo`; write it, then its annotation."""
    sample = take_photo(seed, index)
    width, height = sample.image.size
    name = f"sample_{index + 1:05d}"
    objects = [
        voc_xml.VocObject(*box, truncated=0 in (box.xmin, box.ymin) or box.xmax == width or box.ymax == height)
        for box in sample.boxes
    ]
    annotation = voc_xml.Annotation(f"{name}.jpg", width, height, objects, IMAGES, f"{IMAGES}/{name}.jpg")
    with files.atomic_write(output_dir / IMAGES / f"{name}.jpg", durable=False) as file:
        sample.image.save(file, "JPEG", quality=JPEG_QUALITY)
    voc_xml.write(output_dir / ANNOTATIONS / f"{name}.xml", annotation)
    return annotation


def table(boxes: collections.Counter[str], classes: Iterable[str]) -> str:
    """Return the number and the share of the boxes of each class as lines of text."""
    total = sum(boxes.values())
    rows = [f"{name:<16}{boxes[name]:>6}{boxes[name] / total:>8.1%}" for name in classes]
    return "\n".join([f"{'class':<16}{'boxes':>6}{'share':>8}", *rows, f"{'total':<16}{total:>6}"])


if __name__ == "__main__":
    command_line.run(main)
