"""Turns annotations into the labels CSV.

In:  a folder of PASCAL VOC XML files, as LabelImg writes them; its sub-folders are read, too.
Out: a CSV file with the columns filename,width,height,class,xmin,ymin,xmax,ymax, one row a box; files in order of their
     names, boxes in the order of the file.

    python xml_to_csv.py --annotations_dir annotations --output_csv data/labels.csv

Files that cannot be read are all listed, and then nothing is written. Images without objects are left out unless
--include_negatives is given. An image that is not in --image_dir under its <filename>, but under the name of its XML
file, was renamed: the name on the disk is written, and said.

Other formats are recognised, or named by --format; all but VOC need --image_dir, for the images' sizes:
  yolo          LabelImg's YOLO text files with their classes.txt
  createml      CreateML JSON, of LabelImg or others
  rotated_rect  FIAT's CSV path,class,center_x,center_y,w,h,o; the upright box around the rotated one is written
  style         "Apparel Classification with Style": fashion-data/ with labels.json, train.txt, test.txt, images/
  deepfashion   DeepFashion: Anno/list_bbox.txt, list_category_img.txt, list_category_cloth.txt
--class_map names a CSV theirs,ours that turns their classes into yours; an empty second field leaves a class out.

    python xml_to_csv.py --annotations_dir DeepFashion --image_dir DeepFashion --class_map my_classes.csv
"""

from __future__ import annotations

import argparse
import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scripts.lib.annotations import annotation_formats, proposals
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.core import command_line, files, parallel
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import ERROR, DataError, Finding, UsageError
from scripts.lib.core.progress import progress
from scripts.lib.dataset import labels_csv
from scripts.lib.images.image_names import ImageFolder

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 500  # files that one process converts at a time
MAX_PROCESSES = 8  # more would wait for the disk


def xml_to_csv(path: Path | str) -> pd.DataFrame:
    """The table of all boxes in the VOC XML files of a folder.

    Args:
        path: the folder.

    Returns:
        The columns `filename,width,height,class,xmin,ymin,xmax,ymax`; pixels. Images without objects have no row.

    Raises:
        DataError: with every finding of every file.
    """
    format_name, annotation_files = annotation_formats.find_files(Path(path), "voc")
    items = list(Source(Path(path), format_name).read(annotation_files))
    if findings := [item for item in items if isinstance(item, Finding)]:
        raise DataError(findings)
    return labels_csv.frame(row for annotation in items if annotation.objects for row in labels_csv.rows_of(annotation))


class Source(NamedTuple):
    """The annotations of one run and how they are read."""

    path: Path
    format: str
    images: ImageFolder | None = None
    class_map: dict[str, str] | None = None

    def read(self, annotation_files: Iterable[str]) -> Iterator[Annotation | Finding]:
        for file in annotation_files:
            yield from annotation_formats.read_file(self.format, file, self.path, self.images, self.class_map)


class Part(NamedTuple):
    """What came of some of the files.

    Attributes:
        lines: their lines of the CSV.
        images: name of each image and the file that annotates it.
        num_negatives: how many of them have no object.
        num_proposals: images whose boxes prelabel.py drew and nobody has reviewed.
        boxes: their number by class.
        findings: errors and notes.
    """

    lines: str
    images: list[tuple[str, str]]
    num_negatives: int
    num_proposals: int
    boxes: Counter[str]
    findings: list[Finding]


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    try:
        name, annotation_files = annotation_formats.find_files(args.annotations_dir, args.format)
        class_map = annotation_formats.read_class_map(args.class_map) if args.class_map else None
        source = Source(args.annotations_dir, name, image_folder(name, args.image_dir), class_map)
        parts = convert_all(source, annotation_files, args.include_negatives)
        check(parts, args)
    except DataError as error:
        raise DataError(error.findings, f"{files.shown_path(args.output_csv)} was not written") from error
    labels_csv.write_lines((part.lines for part in parts), args.output_csv)
    print_summary(parts, args)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument(
        "--annotations_dir",
        type=local_path,
        default=files.default_path("annotations"),
        help="folder of the annotations",
    )
    parser.add_argument(
        "--output_csv", type=local_path, default=files.default_path("data/labels.csv"), help="CSV to write"
    )
    parser.add_argument(
        "--format", choices=("auto", *sorted(annotation_formats.FORMATS)), default="auto", help="of the annotations"
    )
    parser.add_argument(
        "--image_dir", type=local_path, help="for sizes and renamed images (default: samples, if it exists)"
    )
    parser.add_argument("--class_map", type=local_path, help="CSV theirs,ours that renames classes")
    parser.add_argument("--include_negatives", action="store_true", help="keep images without objects: one row each")
    args = parser.parse_args(argv)
    if not args.annotations_dir.exists():
        raise UsageError(f"--annotations_dir {args.annotations_dir}: there is no such folder")
    if args.image_dir and not args.image_dir.is_dir():
        raise UsageError(f"--image_dir {args.image_dir}: there is no such folder")
    if args.class_map and not args.class_map.is_file():
        raise UsageError(f"--class_map {args.class_map}: there is no such file")
    command_line.check_output("output_csv", args.output_csv, labels_csv.HEAD, "labels CSV")
    return args


def image_folder(format_name: str, image_dir: Path | None) -> ImageFolder | None:
    image_dir = image_dir or files.default_path("samples")
    if image_dir.is_dir():
        return ImageFolder(image_dir)
    if annotation_formats.FORMATS[format_name].needs_images:
        raise UsageError(f"--format {format_name} says nothing of the images' sizes: give their folder as --image_dir")
    return None


def convert_all(source: Source, annotation_files: Sequence[str], include_negatives: bool) -> list[Part]:
    """Converts the files, many at once where they are many; the parts are in the files' order."""
    starts = range(0, len(annotation_files), CHUNK)
    arguments = source, annotation_files, include_negatives
    worthwhile = len(starts) // 2  # starting a process takes as long as a chunk
    num_processes = min(worthwhile, parallel.available_cores(), MAX_PROCESSES)
    if num_processes < 2:
        return [convert(*arguments, start) for start in progress(starts, "reading", unit="chunk")]
    with parallel.process_pool(num_processes, _set_up, arguments) as pool:
        return list(progress(pool.imap(_convert, starts), "reading", len(starts), unit="chunk"))


def convert(source: Source, annotation_files: Sequence[str], include_negatives: bool, start: int) -> Part:
    """Converts a chunk of the files."""
    rows, images, num_negatives, num_proposals, findings = [], [], 0, 0, []
    for item in source.read(annotation_files[start : start + CHUNK]):
        if isinstance(item, Finding):
            findings.append(item)
            continue
        images.append((item.filename, item.source))
        num_negatives += not item.objects
        num_proposals += proposals.is_proposal(item)
        if item.objects or include_negatives:
            rows += labels_csv.rows_of(item)
    boxes = Counter(row.class_name for row in rows if row.class_name)
    return Part(labels_csv.lines_of(rows), images, num_negatives, num_proposals, boxes, findings)


_worker_arguments = ()  # of a process of the pool


def _set_up(*arguments) -> None:
    global _worker_arguments
    _worker_arguments = arguments
    gc.disable()  # nothing that is made here refers to itself; looking for what does takes a tenth of the time


def _convert(start: int) -> Part:
    return convert(*_worker_arguments, start)


def check(parts: Iterable[Part], args: argparse.Namespace) -> None:
    """Prints notes and warnings; raises DataError with all errors, or where no row came of the annotations."""
    findings = list(dict.fromkeys(finding for part in parts for finding in part.findings))  # no classes.txt: once
    for finding in findings:
        if finding.severity != ERROR:
            print(finding)
    errors = [finding for finding in findings if finding.severity == ERROR]
    errors += annotation_formats.check_images_are_distinct([image for part in parts for image in part.images])
    if errors:
        raise DataError(errors)
    if not any(part.lines for part in parts):
        raise DataError([annotation_formats.no_object(args.annotations_dir)])


def print_summary(parts: Sequence[Part], args: argparse.Namespace) -> None:
    num_images = sum(len(part.images) for part in parts)
    num_negatives = sum(part.num_negatives for part in parts)
    boxes = sum((part.boxes for part in parts), Counter())
    print(f"{num_images} annotated images read from {files.shown_path(args.annotations_dir)}")
    if num_negatives and args.include_negatives:
        print(f"images without objects, kept as one row each: {num_negatives}")
    elif num_negatives:
        print(f"images without objects, left out: {num_negatives} (--include_negatives keeps them)")
    if num_proposals := sum(part.num_proposals for part in parts):
        print(f"images whose boxes prelabel.py drew and nobody has saved in LabelImg: {num_proposals}")
    print(f"{sum(boxes.values())} boxes in {num_images - num_negatives} images:")
    for name, count in sorted(boxes.items()):
        print(f"  {name:<24} {count}")
    print(f"written: {files.shown_path(args.output_csv)}")


if __name__ == "__main__":
    command_line.run(main)
