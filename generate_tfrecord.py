"""Make the TFRecord that the Object Detection API trains and evaluates on.

In:  a labels CSV (see split_dataset.py), the images that it names, and a label map.
Out: a TFRecord file of tf.train.Example messages, one an image, in order of the file names; beside it
     <output_path>.json, which says what is in it and what it was made from.

    python generate_tfrecord.py --csv_input data/train_labels.csv --output_path data/train.record
    python generate_tfrecord.py --csv_input data/test_labels.csv --output_path data/test.record

Class ids come from the label map, image formats from the images' bytes, image sizes from their pixels. Every image is
decoded once, so that a damaged one does not stop the training. Upright RGB JPEG and PNG are stored byte for byte;
images that EXIF turns are stored upright, and what the trainer cannot decode (CMYK, 16 bits, palette, GIF, WebP, ...)
as RGB JPEG. Rows without a box are images without objects (see xml_to_csv.py --include_negatives), stored as such.
If anything is wrong, all errors are listed at once and no file is written. With --num_shards 10 the files are called
train.record-00000-of-00010 and so on; a pipeline config reads them as data/train.record-?????-of-00010.
"""

from __future__ import annotations

import argparse
import sys
from collections import namedtuple
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import _init_paths  # noqa: F401
from scripts.lib.core import command_line, files, parallel
from scripts.lib.core.command_line import local_path, positive_int
from scripts.lib.core.errors import DataError, UsageError, errors
from scripts.lib.core.progress import progress
from scripts.lib.dataset import box_checks, label_map, labelled_images, labels_csv, split_manifest
from scripts.lib.dataset.labelled_images import CheckedImage, ImageChecker, LabelledImage
from scripts.lib.records import manifest, options, oversampling, tf_example, tf_record
from scripts.lib.records.options import RecordOptions
from scripts.lib.records.tally import RecordTally

if TYPE_CHECKING:
    import pandas as pd
    from google.protobuf.message import Message

LABEL_MAP = files.default_path("data/apparel_label_map.pbtxt")
READS_XML = "xml_to_csv.py reads the XML files; --csv_input takes the CSV that it writes"
ELSEWHERE = {"-x": READS_XML, "--xml_dir": READS_XML, "-c": READS_XML, "--csv_path": READS_XML}

data = namedtuple("data", ["filename", "object"])


def main(argv: Sequence[str] | None = None) -> None:
    record = RecordOptions(**vars(parse_arguments(argv)))
    refuse_other_files(record)
    with files.unchanged(record.label_map) as label_map_sha256:
        class_ids, warnings = label_map.read_for_records(record.label_map, record.keep_label_ids)
    with files.unchanged(record.csv_input) as csv_sha256:
        images = labelled_images.labelled_images(labels_csv.read_rows(record.csv_input))
    warnings += split_manifest.check(record.csv_input, csv_sha256)
    if errors(warnings):
        raise DataError(warnings, f"{files.shown_path(record.output_path)} was not written")
    checker = ImageChecker(record.image_dir, class_ids, not record.trust_images, record.max_image_side)
    checker.refuse_shared_images(images)
    images, lines = oversampling.oversampled(images, class_ids, record.oversample)
    for line in lines:
        print(line)

    tally = RecordTally(class_ids)
    with manifest.whole_record(record.output_path, record.num_shards) as (writer, manifest_file):
        # Without decoding there is too little to do that threads could share: see ordered_map.
        num_workers = 1 if record.trust_images else record.num_workers
        made = parallel.ordered_map(partial(check_and_serialize, checker), images, num_workers)
        for image, example in progress(made, "writing records", total=len(images)):
            tally.add(image)
            if example is not None:
                writer.write(example)
        tally.refuse_bad_record(record)
        shards = zip(writer.counts, writer.sizes, strict=True)
        manifest_file.write(manifest.text(tally.manifest(record, shards, csv_sha256, label_map_sha256)))
    command_line.print_findings(warnings, sys.stderr)
    tally.print_findings()
    print(*tally.report(record), sep="\n")


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__, ELSEWHERE)
    csv_input, output_path = files.default_path("data/train_labels.csv"), files.default_path("data/train.record")
    image_dir = files.default_path("samples")
    paths = parser.add_argument_group("paths")
    paths.add_argument("--csv_input", "--input_csv", type=local_path, default=csv_input, help="labels CSV")
    paths.add_argument("--output_path", "-o", type=local_path, default=output_path, help="TFRecord to write")
    paths.add_argument("--image_dir", "--img_path", "-i", type=local_path, default=image_dir, help="folder of images")
    names = "--label_map", "--label_map_path", "--labels_path", "--labelmap", "-l"
    paths.add_argument(*names, type=local_path, default=LABEL_MAP, help="class names and ids, a .pbtxt")
    options.add_flags(parser)
    work = parser.add_argument_group("work")
    work.add_argument("--num_shards", type=positive_int, default=1, help="number of files to split the record into")
    cores = parallel.available_cores()
    work.add_argument("--num_workers", type=positive_int, default=cores, help="threads")

    args = parser.parse_args(argv)
    if not args.csv_input.is_file():
        raise UsageError(f"there is no labels CSV {files.shown_path(args.csv_input)}; make it with split_dataset.py")
    if not args.image_dir.is_dir():
        raise UsageError(f"there is no image folder {files.shown_path(args.image_dir)}")
    return args


def refuse_other_files(record: RecordOptions) -> None:
    """Raise UsageError where a file that is not a TFRecord, or not a manifest, would be overwritten."""
    for path in tf_record.shard_paths(record.output_path, record.num_shards):
        if path.exists() and not (path.is_file() and (not path.stat().st_size or tf_record.is_record(path))):
            shown = files.shown_path(path)
            raise UsageError(f"--output_path {shown} exists but is not a TFRecord; choose another name")
    command_line.check_output(
        "output_path", manifest.path_of(record.output_path), manifest.HEAD, "manifest of a record"
    )


def check_and_serialize(checker: ImageChecker, image: LabelledImage) -> tuple[CheckedImage, bytes | None]:
    """Return the image as checked, and its serialized Example if it has no errors."""
    checked = checker(image)
    if not checked.is_sound:
        return checked, None
    return checked, tf_example.serialized(tf_example.make_example(checked, checker.class_ids))


# The functions that users of this workflow import.


def class_text_to_int(row_label: str, label_map_path: Path | str = LABEL_MAP) -> int:
    """Return the id of a class.

    Raises:
        DataError: the label map has no such class; names the nearest that it has.
    """
    class_ids = _class_ids(label_map_path)
    if row_label not in class_ids:
        raise DataError([box_checks.unknown_class(row_label, class_ids, files.shown_path(label_map_path))])
    return class_ids[row_label]


_class_ids = lru_cache(label_map.read)


def split(df: pd.DataFrame, group: str) -> list[data]:
    """Return one `data(filename, object)` per image, `object` being the table of its boxes.

    Args:
        df: the labels CSV as a table.
        group: the column to group by, "filename".
    """
    return [data(filename, rows) for filename, rows in df.groupby(group)]


def create_tf_example(group: data, path: Path | str, label_map_path: Path | str = LABEL_MAP) -> Message:
    """Return the Example of one image; `tf.train.Example` parses its `SerializeToString`.

    Args:
        group: an item of `split`.
        path: the folder of the images.
        label_map_path: where the class ids come from.

    Raises:
        DataError: with everything that is wrong with the image and its boxes.
    """
    (image,) = labelled_images.labelled_images(_rows(group))
    checker = ImageChecker(path, _class_ids(label_map_path))
    checked = checker(image)
    if not checked.is_sound:
        raise DataError(checked.findings)
    return tf_example.make_example(checked, checker.class_ids)


def _rows(group: data) -> Iterator[labels_csv.LabelRow]:
    columns = group.object[list(labels_csv.COLUMNS[1:])].astype(object)
    for width, height, class_name, *corners in columns.where(columns.notna(), None).itertuples(index=False, name=None):
        pixels = (None if corner is None else round(corner) for corner in corners)
        yield labels_csv.LabelRow(str(group.filename), round(width or 0), round(height or 0), class_name or "", *pixels)


if __name__ == "__main__":
    command_line.run(main)
