"""Turns annotations into the labels CSV.

In:  a folder of PASCAL VOC XML files, as LabelImg writes them.
Out: a CSV file with the columns filename,width,height,class,xmin,ymin,xmax,ymax, one row a box; files in order of their
     names, boxes in the order of the file.

    python xml_to_csv.py --annotations_dir annotations --output_csv data/labels.csv

Files that cannot be read are all listed, and then nothing is written. Images without objects are left out unless
--include_negatives is given. An image that is not in --image_dir under its <filename>, but under the name of its XML
file, was renamed: the name on the disk is written, and said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib import command_line, files, labels_csv, voc_xml
from scripts.lib.command_line import DataError, UsageError
from scripts.lib.findings import ERROR, NOTE, Finding
from scripts.lib.image_names import ImageFolder
from scripts.lib.labels_csv import Row
from scripts.lib.progress import progress
from scripts.lib.voc_xml import Annotation

if TYPE_CHECKING:
    import pandas as pd


def xml_to_csv(path: Path | str) -> pd.DataFrame:
    """The table of all boxes in the VOC XML files of a folder.

    Args:
        path: the folder.

    Returns:
        The columns `filename,width,height,class,xmin,ymin,xmax,ymax`; pixels. Images without objects have no row.

    Raises:
        DataError: with every finding of every file.
    """
    annotations = [annotation for annotation in read_annotations(Path(path)) if annotation.objects]
    return labels_csv.frame(row for annotation in annotations for row in labels_csv.rows_of(annotation))


def read_annotations(folder: Path) -> list[Annotation]:
    """All annotations of a folder in order of their files' names.

    Raises:
        DataError: with every finding of every file; also where there is no file.
    """
    annotations, findings = [], []
    for path in progress(voc_xml.find_files(folder), "reading annotations", unit="file"):
        try:
            annotations.append(voc_xml.read(path))
        except DataError as error:
            findings += error.findings
    if findings:
        raise DataError(findings)
    if not annotations:
        raise DataError([f"{files.display(folder)}: there is no .xml file"])
    return annotations


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--annotations_dir", type=Path, default=files.default_path("annotations"))
    parser.add_argument("--output_csv", type=Path, default=files.default_path("data/labels.csv"))
    parser.add_argument(
        "--image_dir", type=Path, help="folder of the images, to find renamed ones (default: samples, if there is one)"
    )
    parser.add_argument("--include_negatives", action="store_true", help="keep images without objects: one row each")
    args = parser.parse_args(argv)
    if not args.annotations_dir.is_dir():
        raise UsageError(f"--annotations_dir {args.annotations_dir}: there is no such folder")
    if args.image_dir and not args.image_dir.is_dir():
        raise UsageError(f"--image_dir {args.image_dir}: there is no such folder")
    image_dir = args.image_dir or files.default_path("samples")

    consequence = f"{files.display(args.output_csv)} was not written"
    try:
        annotations = read_annotations(args.annotations_dir)
        if image_dir.is_dir():
            for note in use_names_on_disk(annotations, args.annotations_dir, ImageFolder(image_dir)):
                print(note)
        check_images_are_distinct(annotations)
        kept = annotations if args.include_negatives else [each for each in annotations if each.objects]
        if not kept:
            raise DataError([f"{files.display(args.annotations_dir)}: no annotation has an object"])
    except DataError as error:
        raise DataError(error.findings, consequence) from error

    rows = [row for annotation in kept for row in labels_csv.rows_of(annotation)]
    labels_csv.write_rows(rows, args.output_csv)
    print_summary(annotations, rows, args)


def use_names_on_disk(annotations: Iterable[Annotation], annotations_dir: Path, images: ImageFolder) -> list[Finding]:
    """Sets `filename` to what the image is called in the folder, where it is there at all.

    An annotation in a sub-folder means the image in the sub-folder of the same name, else one directly in the folder.

    Returns:
        A note for each image that was found under another name than `<filename>`.
    """
    notes = []
    for annotation in annotations:
        if annotation.filename in images.names and annotation.source.parent == annotations_dir:
            continue
        own_name = annotation.source.relative_to(annotations_dir)
        mirrored = (own_name.parent / annotation.filename).as_posix()
        stem = own_name.with_suffix("").as_posix()
        found = images.find(mirrored) or images.find(annotation.filename, stem)
        if found and found not in (annotation.filename, mirrored):
            message = f"<filename> says {annotation.filename!r}, the image is {found!r}, which the CSV therefore names"
            notes.append(Finding(NOTE, "filename-renamed", files.display(annotation.source), message))
        annotation.filename = found or annotation.filename
    return notes


def check_images_are_distinct(annotations: Iterable[Annotation]) -> None:
    """Raises DataError where two annotation files name the same image: its boxes would count twice, or be another's."""
    first: dict[str, Annotation] = {}
    findings = []
    for annotation in annotations:
        other = first.setdefault(annotation.filename, annotation)
        if other is not annotation:
            message = f"names the image {annotation.filename!r}, as {files.display(other.source)} does"
            remedy = "keep one of the two, mend <filename>, or give --image_dir"
            findings.append(Finding(ERROR, "image-annotated-twice", files.display(annotation.source), message, remedy))
    if findings:
        raise DataError(findings)


def print_summary(annotations: Sequence[Annotation], rows: Sequence[Row], args) -> None:
    boxes = Counter(row.class_name for row in rows if row.class_name)
    negatives = sum(not annotation.objects for annotation in annotations)
    print(f"{len(annotations)} files read from {files.display(args.annotations_dir)}")
    if negatives and args.include_negatives:
        print(f"{negatives} images without objects kept, one row each")
    elif negatives:
        print(f"{negatives} images without objects left out (--include_negatives keeps them)")
    print(f"{boxes.total()} boxes in {len({row.filename for row in rows if row.class_name})} images:")
    for name, count in sorted(boxes.items()):
        print(f"  {name:<24} {count}")
    print(f"written: {files.display(args.output_csv)}")


if __name__ == "__main__":
    command_line.run(main)
