"""Convert annotations into the labels CSV.

In:  folders of PASCAL VOC XML files, as LabelImg writes them; sub-folders are read, too. Or another format, see below.
Out: a CSV file with the columns filename,width,height,class,xmin,ymin,xmax,ymax, one row per box; files in order of
     their names, boxes in the order of the file.

    python xml_to_csv.py --annotations_dir annotations --output_csv data/labels.csv
    python xml_to_csv.py --annotations_dir DeepFashion --image_dir DeepFashion --class_map my_classes.csv
    python xml_to_csv.py --annotations_dir annotations cvat_export/annotations.json --image_dir samples

All files that cannot be read are listed, and then nothing is written. Images without objects are left out unless
--include_negatives is given. If an image was renamed together with its XML file, the CSV gets the name on disk, and a
note is printed.

The format is recognised, or named with --format. All formats but voc need the images. --class_map names a CSV
theirs,ours that turns their classes into yours; an empty second field leaves a class out.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import _init_paths  # noqa: F401
from scripts.lib.annotations import class_map, proposals, registry
from scripts.lib.annotations.registry import AnnotationFolder
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import existing_dir, existing_file, local_path
from scripts.lib.core.errors import DataError, UsageError, errors
from scripts.lib.core.wording import counted
from scripts.lib.dataset import labels_csv
from scripts.lib.dataset.labels_csv import LabelRow
from scripts.lib.images.image_names import ImageFolder

if TYPE_CHECKING:
    import pandas as pd


def xml_to_csv(path: Path | str) -> pd.DataFrame:
    """Return the table of all boxes in the VOC XML files of a folder.

    Returns:
        The columns `filename,width,height,class,xmin,ymin,xmax,ymax`; pixels. Images without objects have no row.

    Raises:
        DataError: with every finding of every file.
    """
    annotations, findings, _ = registry.read_folders(registry.find_folders([Path(path)], "voc"), None)
    if errors(findings):
        raise DataError(findings)
    return labels_csv.frame(rows_of(annotations))


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    try:
        annotation_folders = registry.find_folders(args.annotations_dir, args.format)
        images = image_folder(annotation_folders, args.image_dir)
        our_classes = class_map.read(args.class_map) if args.class_map else None
        annotations, findings, _ = registry.read_folders(annotation_folders, images, our_classes)
        if errors(findings):
            raise DataError(findings)
        rows = rows_of(annotations, args.include_negatives)
        if not rows:
            raise DataError([registry.no_object(args.annotations_dir)])
    except DataError as error:
        raise DataError(error.findings, f"{files.shown_path(args.output_csv)} was not written") from error
    labels_csv.write_rows(rows, args.output_csv)
    command_line.print_findings(findings)
    print_summary(annotations, args.annotations_dir, args.include_negatives)
    if images and (missing := len({row.filename for row in rows} - images.names)):
        print(f"images that are not in the image folder: {missing} (generate_tfrecord.py refuses them)")
    print(f"written: {files.shown_path(args.output_csv)}")


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(f"{__doc__}\n{registry.HELP}")
    folder, labels = files.default_path("annotations"), files.default_path("data/labels.csv")
    source = "--annotations_dir", "--inputDir", "-i"
    of = "folders of the annotations"
    parser.add_argument(*source, nargs="+", type=local_path, default=[folder], metavar="FOLDER", help=of)
    parser.add_argument("--output_csv", "--outputFile", "-o", type=local_path, default=labels, help="CSV to write")
    formats = {"choices": (registry.AUTO, *registry.FORMATS), "default": registry.AUTO, "metavar": "FORMAT"}
    parser.add_argument("--format", **formats, help=registry.FORMAT_HELP)
    images = "folder of the images (default: samples if it has images, or else the folder of the annotations)"
    parser.add_argument("--image_dir", type=existing_dir, help=images)
    parser.add_argument("--class_map", type=existing_file, help="CSV with the columns theirs,ours that renames classes")
    parser.add_argument("--include_negatives", action="store_true", help="keep images without objects: one row each")
    args = parser.parse_args(argv)
    registry.require_existing(args.annotations_dir)
    command_line.check_output("output_csv", args.output_csv, labels_csv.HEAD, "labels CSV")
    return args


def image_folder(annotation_folders: Sequence[AnnotationFolder], image_dir: Path | None) -> ImageFolder | None:
    """Return the images, or None if there are none and the formats do not need them.

    Without `image_dir` they are looked for in samples, and then beside the annotations, where exports have them; beside
    those of several folders not, since a CSV names all images below one folder.
    """
    if image_dir:
        return ImageFolder(image_dir)
    beside = [folder.path for folder in annotation_folders] if len(annotation_folders) == 1 else []
    for folder in filter(Path.is_dir, (files.default_path("samples"), *beside)):
        images = ImageFolder(folder)
        if images.names:
            print(f"images: {files.shown_path(folder)} (--image_dir names another folder)")
            return images
    for folder in annotation_folders:
        if registry.FORMATS[folder.format_name].NEEDS_IMAGES:
            raise UsageError(f"--format {folder.format_name} needs the images: give --image_dir")
    return None


def rows_of(annotations: Sequence[Annotation], include_negatives: bool = False) -> list[LabelRow]:
    kept = (annotation for annotation in annotations if annotation.objects or include_negatives)
    return [row for annotation in kept for row in labels_csv.rows_of(annotation)]


def print_summary(annotations: Sequence[Annotation], annotation_paths: Sequence[Path], include_negatives: bool) -> None:
    boxes = Counter(box.name for annotation in annotations for box in annotation.objects)
    num_negatives = sum(not annotation.objects for annotation in annotations)
    print(f"{counted(len(annotations), 'annotated image')} read from {files.shown_paths(annotation_paths)}")
    if num_negatives and include_negatives:
        print(f"images without objects, kept as one row each: {num_negatives}")
    elif num_negatives:
        print(f"images without objects, left out: {num_negatives} (--include_negatives keeps them)")
    if num_proposals := sum(map(proposals.is_proposal, annotations)):
        print(f"images whose boxes prelabel.py drew and nobody has saved in LabelImg: {num_proposals}")
    print(f"{counted(boxes.total(), 'box')} in {counted(len(annotations) - num_negatives, 'image')}:")
    for name, count in sorted(boxes.items()):
        print(f"  {name:<24} {count}")


if __name__ == "__main__":
    command_line.run(main)
