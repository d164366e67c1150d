"""Makes the TFRecord that the Object Detection API trains and evaluates on.

In:  a labels CSV (see split_dataset.py), the images that it names, and a label map.
Out: a TFRecord file of tf.train.Example messages, one an image, in order of the file names; beside it
     <output_path>.json, which says what is in it and what it was made from.

    python generate_tfrecord.py --csv_input data/train_labels.csv --output_path data/train.record
    python generate_tfrecord.py --csv_input data/test_labels.csv --output_path data/test.record

Class ids come from the label map, image formats from the images' bytes, image sizes from their pixels. Every image is
decoded once, so that a damaged one does not stop the training. Upright RGB JPEG and PNG are stored byte for byte;
images that EXIF turns are stored upright, and what the trainer cannot decode (CMYK, 16 bits, palette, GIF, WebP, ...)
as RGB JPEG. Rows without a box are images without objects (see xml_to_csv.py --include_negatives), stored as such.
All that is wrong is listed at once, and then no file is written. With --num_shards 10 the files are called
train.record-00000-of-00010 and so on; a pipeline config reads them as data/train.record-?????-of-00010.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter, namedtuple
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib import (
    box_checks,
    command_line,
    files,
    image_examples,
    label_map,
    labels_csv,
    oversampling,
    parallel,
    record_manifest,
    tf_example,
    tf_record,
)
from scripts.lib.command_line import DataError, UsageError
from scripts.lib.findings import Finding, count_by_severity, errors
from scripts.lib.image_examples import ImageExample, LabelledImage
from scripts.lib.progress import progress

if TYPE_CHECKING:
    import pandas as pd
    from google.protobuf.message import Message

LABEL_MAP = files.default_path("data/apparel_label_map.pbtxt")

data = namedtuple("data", ["filename", "object"])


def class_text_to_int(row_label: str, label_map_path: Path | str = LABEL_MAP) -> int:
    """The id of a class.

    Raises:
        DataError: the label map does not know the class; names the nearest that it knows.
    """
    class_ids = _class_ids(str(label_map_path))
    if row_label not in class_ids:
        raise DataError([box_checks.unknown_class(row_label, class_ids, files.display(label_map_path))])
    return class_ids[row_label]


@lru_cache
def _class_ids(label_map_path: str) -> dict[str, int]:
    return label_map.read(label_map_path)


def split(df: pd.DataFrame, group: str) -> list[data]:
    """The rows of each image: one `data(filename, object)` an image, `object` being the table of its boxes.

    Args:
        df: the labels CSV as a table.
        group: the column to group by, "filename".
    """
    return [data(filename, rows) for filename, rows in df.groupby(group)]


def create_tf_example(group: data, path: Path | str, label_map_path: Path | str = LABEL_MAP) -> Message:
    """The Example of one image; `tf.train.Example` parses what its `SerializeToString` returns.

    Args:
        group: an item of `split`.
        path: the folder of the images.
        label_map_path: where the class ids come from.

    Raises:
        DataError: with all that is wrong with the image and its boxes.
    """
    (image,) = image_examples.labelled_images(_rows(group))
    made = image_examples.ExampleMaker(path, _class_ids(str(label_map_path)))(image)
    if made.example is None:
        raise DataError(made.findings)
    return made.example


def _rows(group: data) -> Iterator[labels_csv.Row]:
    columns = group.object[list(labels_csv.COLUMNS[1:])].astype(object)
    for width, height, class_name, *corners in columns.where(columns.notna(), None).itertuples(index=False, name=None):
        pixels = (None if corner is None else round(corner) for corner in corners)
        yield labels_csv.Row(str(group.filename), round(width or 0), round(height or 0), class_name or "", *pixels)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    class_ids = label_map.read(args.label_map)
    images = image_examples.labelled_images(labels_csv.read_rows(args.csv_input))
    repeated = repeat_rare_classes(images, class_ids, args.oversample) if args.oversample else images
    make_example = image_examples.ExampleMaker(
        args.image_dir, class_ids, verify=not args.trust_images, max_image_side=args.max_image_side
    )

    make_example.refuse_shared_images(images)
    content = Content(class_ids)
    with record_manifest.whole_record(args.output_path, args.num_shards) as (writer, manifest):
        examples = parallel.ordered_map(make_example, repeated, args.num_workers)
        for made in progress(examples, "writing records", total=len(repeated)):
            content.add(made)
            if made.example is not None:
                writer.write(tf_example.serialized(made.example))
        content.check(args)
        manifest.write(record_manifest.text(content.summary(args, writer)))
    content.report(args)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    paths = parser.add_argument_group("paths")
    paths.add_argument("--csv_input", type=Path, default=files.default_path("data/train_labels.csv"), help="labels CSV")
    paths.add_argument(
        "--output_path", type=Path, default=files.default_path("data/train.record"), help="TFRecord to write"
    )
    paths.add_argument("--image_dir", type=Path, default=files.default_path("samples"), help="folder of the images")
    paths.add_argument("--label_map", type=Path, default=LABEL_MAP, help="class names and ids, a .pbtxt")

    content = parser.add_argument_group("content")
    content.add_argument("--skip_invalid", action="store_true", help="leave images with errors out and list them")
    content.add_argument(
        "--trust_images", action="store_true", help="store images that look fine without decoding their pixels"
    )
    content.add_argument(
        "--max_image_side", type=int, metavar="PIXELS", help="shrink images whose longer side has more pixels"
    )
    content.add_argument(
        "--oversample", type=float, nargs="?", const=-1.0, metavar="SHARE",
        help="record images of classes that fewer than this share of the images show more than once (repeat factor "
        "sampling); without a number: 1 / number of classes",
    )  # fmt: skip

    work = parser.add_argument_group("work")
    work.add_argument("--num_shards", type=int, default=1, help="number of files to spread the record over")
    work.add_argument(
        "--num_workers", type=int, default=parallel.available_cores(), help="threads; the result is always the same"
    )

    args = parser.parse_args(argv)
    for name, largest in (("num_shards", 99999), ("num_workers", 1024), ("max_image_side", 2**16)):
        value = getattr(args, name)
        if value is not None and not 1 <= value <= largest:
            raise UsageError(f"--{name} is {value}, expected 1 to {largest}")
    if args.oversample is not None and not (0 < args.oversample <= 1 or args.oversample == -1):
        raise UsageError(f"--oversample is {args.oversample:g}, expected a share of the images above 0, up to 1")
    if not args.csv_input.is_file():
        raise UsageError(f"there is no labels CSV {files.display(args.csv_input)}; make it with split_dataset.py")
    if not args.image_dir.is_dir():
        raise UsageError(f"there is no image folder {files.display(args.image_dir)}")
    for path in tf_record.shard_paths(args.output_path, args.num_shards):
        if path.is_dir() or (path.is_file() and path.stat().st_size and not tf_record.is_record(path)):
            raise UsageError(f"--output_path {files.display(path)} exists and is no TFRecord; choose another name")
    return args


def repeat_rare_classes(
    images: Sequence[LabelledImage], class_ids: Iterable[str], share: float
) -> list[LabelledImage]:
    """The images, those of rare classes more than once: all of them, then the second copies, and so on.

    Args:
        share: threshold of the repeat factor; -1: 1 / number of classes.
    """
    classes_of_images = [image.class_names for image in images]
    factors = oversampling.class_factors(classes_of_images, share if share > 0 else 1 / len(list(class_ids)))
    counts = [oversampling.copies(image.filename, image.class_names, factors) for image in images]
    for name, factor in factors.items():
        print(f"oversampling: {name} x{factor:.2f}")
    print(f"oversampling: {len(images)} images become {sum(counts)} examples")
    return [
        image
        for copy in range(max(counts, default=1))
        for image, count in zip(images, counts, strict=True)
        if copy < count
    ]


class Content:
    """What a record holds, and what was found on the way."""

    def __init__(self, class_ids: dict[str, int]):
        self.class_ids = class_ids
        self.findings: list[Finding] = []
        self.left_out: list[str] = []
        self.examples = self.negatives = 0
        self.boxes: Counter[str] = Counter()
        self.examples_with: Counter[str] = Counter()
        self.images_sha256 = hashlib.sha256()
        self._seen: set[str] = set()

    def add(self, made: ImageExample) -> None:
        filename, class_names = made.image.filename, made.image.class_names
        if filename not in self._seen:  # a further copy would say the same again
            self._seen.add(filename)
            self.findings += made.findings
            self.images_sha256.update(made.sha256)
            if made.example is None:
                self.left_out.append(filename)
        if made.example is not None:
            self.examples += 1
            self.negatives += not class_names
            self.boxes.update(class_names)
            self.examples_with.update(set(class_names))

    def check(self, args: argparse.Namespace) -> None:
        """Raises DataError where no record may be written."""
        consequence = f"{files.display(args.output_path)} was not written"
        if errors(self.findings) and not args.skip_invalid:
            raise DataError(self.findings, f"{consequence} (--skip_invalid leaves images with errors out)")
        if not self.examples:
            raise DataError([*self.findings, image_examples.nothing_to_record(args.csv_input)], consequence)
        if self.examples < args.num_shards:
            message = f"--num_shards is {args.num_shards}, more than the {self.examples} examples there are"
            raise UsageError(f"{message}; {consequence}")

    def summary(self, args: argparse.Namespace, writer: tf_record.ShardWriter) -> dict:
        """The manifest's content; the same whatever the number of workers."""
        shards = tf_record.shard_paths(args.output_path, args.num_shards)
        return {
            "input_path": tf_record.shard_pattern(args.output_path.name, args.num_shards),
            "examples": self.examples,
            "images": len(self._seen) - len(self.left_out),
            "negatives": self.negatives,
            "boxes": self.boxes.total(),
            "classes": {
                name: {"id": class_id, "boxes": self.boxes[name], "examples": self.examples_with[name]}
                for name, class_id in self.class_ids.items()
            },
            "left_out": self.left_out,
            "shards": [
                {"file": path.name, "examples": count, "bytes": size}
                for path, count, size in zip(shards, writer.counts, writer.sizes, strict=True)
            ],
            "options": {name: getattr(args, name) for name in (
                "skip_invalid", "trust_images", "max_image_side", "oversample")},
            "inputs": {
                "csv_input": _file_hash(args.csv_input),
                "label_map": _file_hash(args.label_map),
                "images": {"sha256": self.images_sha256.hexdigest()},
            },
        }  # fmt: skip

    def report(self, args: argparse.Namespace) -> None:
        for finding in self.findings:
            print(finding, file=sys.stderr)
        if self.findings:
            print(f"{count_by_severity(self.findings)}.", file=sys.stderr)
        if self.left_out:
            print(f"left out {len(self.left_out)} images with errors: {', '.join(self.left_out)}")
        width = max(map(len, self.class_ids))
        for name, class_id in self.class_ids.items():
            print(f"{class_id:3} {name:{width}} {self.boxes[name]:6} boxes in {self.examples_with[name]} examples")
        without_objects = f" ({self.negatives} without objects)" if self.negatives else ""
        record = tf_record.shard_pattern(files.display(args.output_path), args.num_shards)
        print(f"{record}: {self.examples} examples{without_objects}, {self.boxes.total()} boxes")


def _file_hash(path: Path) -> dict[str, str]:
    return {"path": files.display(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


if __name__ == "__main__":
    command_line.run(main)
