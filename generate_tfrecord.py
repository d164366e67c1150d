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
from collections import namedtuple
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib.core import command_line, files, parallel
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.progress import progress
from scripts.lib.dataset import box_checks, label_map, labels_csv
from scripts.lib.records import content as record_content
from scripts.lib.records import make_example as image_examples
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import tf_example, tf_record

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
        raise DataError([box_checks.unknown_class(row_label, class_ids, files.shown_path(label_map_path))])
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
    args = parse_arguments(argv)
    class_ids = label_map.read(args.label_map)
    images = image_examples.labelled_images(labels_csv.read_rows(args.csv_input))
    repeated = record_content.repeat_rare_classes(images, class_ids, args.oversample) if args.oversample else images
    make_example = image_examples.ExampleMaker(
        args.image_dir, class_ids, verify=not args.trust_images, max_image_side=args.max_image_side
    )

    make_example.refuse_shared_images(images)
    content = record_content.Content(class_ids)
    with record_manifest.whole_record(args.output_path, args.num_shards) as (writer, manifest):
        # Without decoding there is too little to do that threads could share: see ordered_map.
        num_workers = 1 if args.trust_images else args.num_workers
        examples = parallel.ordered_map(make_example, repeated, num_workers)
        for made in progress(examples, "writing records", total=len(repeated)):
            content.add(record_content.Outcome.of(made))
            if made.example is not None:
                writer.write(tf_example.serialized(made.example))
        content.check(args)
        shards = zip(writer.counts, writer.sizes, strict=True)
        inputs = {name: getattr(args, name).read_bytes() for name in ("csv_input", "label_map")}
        manifest.write(record_manifest.text(content.summary(args, shards, inputs)))
    content.report(args)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    paths = parser.add_argument_group("paths")
    paths.add_argument(
        "--csv_input", type=local_path, default=files.default_path("data/train_labels.csv"), help="labels CSV"
    )
    paths.add_argument(
        "--output_path", type=local_path, default=files.default_path("data/train.record"), help="TFRecord to write"
    )
    paths.add_argument(
        "--image_dir", type=local_path, default=files.default_path("samples"), help="folder of the images"
    )
    paths.add_argument("--label_map", type=local_path, default=LABEL_MAP, help="class names and ids, a .pbtxt")

    record_content.add_options(parser)

    work = parser.add_argument_group("work")
    work.add_argument("--num_shards", type=int, default=1, help="number of files to spread the record over")
    work.add_argument(
        "--num_workers", type=int, default=parallel.available_cores(), help="threads; the result is always the same"
    )

    args = parser.parse_args(argv)
    record_content.check_options(args)
    if not args.csv_input.is_file():
        raise UsageError(f"there is no labels CSV {files.shown_path(args.csv_input)}; make it with split_dataset.py")
    if not args.image_dir.is_dir():
        raise UsageError(f"there is no image folder {files.shown_path(args.image_dir)}")
    for path in tf_record.shard_paths(args.output_path, args.num_shards):
        if path.is_dir() or (path.is_file() and path.stat().st_size and not tf_record.is_record(path)):
            raise UsageError(f"--output_path {files.shown_path(path)} exists and is no TFRecord; choose another name")
    manifest = record_manifest.path_of(args.output_path)
    command_line.check_output("output_path", manifest, record_manifest.HEAD, "manifest of a record")
    return args


if __name__ == "__main__":
    command_line.run(main)
