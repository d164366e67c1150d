"""The doctor of a data set: reads every annotation, decodes every image, and lists all that is wrong or odd.

In:  annotations (or a labels CSV), the images, the label map. Nothing of it is changed.
Out: a report; with --json FILE every finding with severity, kind, file, object, message and remedy; with --plot FILE
     a picture: boxes per class, their sizes and aspect ratios against the config's anchors, image sizes.

    python scripts/check_dataset.py --annotations_dir annotations --image_dir samples
    python scripts/check_dataset.py --csv_input data/labels.csv --train_csv data/train_labels.csv \\
        --test_csv data/test_labels.csv --plot data/labels.png \\
        --pipeline_config_path configs/ssd_mobilenet_v1_multi.config

An error is what xml_to_csv.py and generate_tfrecord.py refuse, in the same words; a warning is accepted there, yet most
likely not what was meant; a note is worth knowing. Annotations are in any format that xml_to_csv.py reads. Images that
show the same are found by a perceptual hash, above all those that are on both sides of the split: that of --train_csv
and --test_csv, or else the one that split_dataset.py would make without flags.

Exit status: 0 no errors (there may be warnings and notes), 1 errors, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import _init_paths  # noqa: F401

from scripts.lib.annotations import class_map, registry
from scripts.lib.annotations.parsing import stem_below
from scripts.lib.config import pipeline_config
from scripts.lib.core import command_line, files, parallel
from scripts.lib.core.command_line import EXIT_DATA, local_path
from scripts.lib.core.errors import ERROR, NOTE, WARNING, DataError, Finding, UsageError, errors
from scripts.lib.core.progress import progress
from scripts.lib.dataset import box_checks, dataset_report, label_map, labels_csv
from scripts.lib.dataset.split import TEST, TRAINING, Unit, divide
from scripts.lib.images.image_names import ImageFolder
from scripts.lib.records import make_example as image_examples
from scripts.lib.records.make_example import ExampleMaker, LabelledImage


class Labels(NamedTuple):
    """What is labelled.

    Attributes:
        images: what can be read, one entry an annotation.
        damaged: names of images whose annotation cannot be read.
        findings: what is wrong with the annotations.
    """

    images: list[LabelledImage]
    damaged: set[str]
    findings: list[Finding]


class Examined(NamedTuple):
    """What is known of one image.

    Attributes:
        name: of the image file, relative to the image folder; empty where there is none.
        size: width and height in pixels, upright; None where it cannot be read.
        class_names, boxes_xyxy: of its objects, in pixels of the upright image.
        findings: what was found.
        sha256: of the file's bytes.
        perceptual_hash: None where the image cannot be read.
    """

    name: str
    size: box_checks.Size | None
    class_names: tuple[str, ...]
    boxes_xyxy: Sequence[box_checks.Box]
    findings: list[Finding]
    sha256: bytes
    perceptual_hash: int | None


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    config = pipeline_config.read(args.pipeline_config_path) if args.pipeline_config_path else None
    folder = ImageFolder(args.image_dir)
    class_ids, findings = label_map.inspect(args.label_map)
    labels = read_labels_csv(args, folder) if args.csv_input else read_annotations(args, folder)
    findings += labels.findings + unnameable_images(folder)

    if not class_ids:  # the label map's own error is told; the other checks go on
        class_ids = {name: 0 for image in labels.images for name in image.class_names}
    if labels.images:  # else there is an error that says why
        findings += classes_without_boxes(class_ids, labels.images, args.label_map)
    examined = []
    for image in examine_all(labels, folder, class_ids, args):
        findings += image.findings
        examined.append(image)
    sides, split_findings = read_split(args, folder) if args.train_csv else (expected_split(labels, folder, args), [])
    findings += split_findings
    findings += duplicate_images(examined, sides, planned=not args.train_csv)

    for line in dataset_report.lines(findings, args.num_shown):
        print(line)
    facts = {"annotated_images": len(labels.images), **count(examined, class_ids)}
    print_summary(findings, facts, config, examined, args)
    if args.json:
        dataset_report.write_json(args.json, findings, facts)
        print(f"all findings: {files.shown_path(args.json)}")
    if args.plot:
        plot(args.plot, examined, class_ids, sides if args.train_csv else {}, config)
        print(f"picture: {files.shown_path(args.plot)}")
    return EXIT_DATA if errors(findings) else 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    data = parser.add_argument_group("data")
    data.add_argument("--annotations_dir", type=local_path, help="folder of the annotations (default: annotations)")
    data.add_argument(
        "--format", choices=(registry.AUTO, *registry.FORMATS), default=registry.AUTO, help="annotation format"
    )
    data.add_argument("--class_map", type=local_path, help="CSV theirs,ours that renames classes, as for xml_to_csv.py")
    data.add_argument("--csv_input", type=local_path, help="labels CSV, instead of the annotations")
    data.add_argument(
        "--image_dir", type=local_path, default=files.default_path("samples"), help="folder of the images"
    )
    data.add_argument(
        "--label_map",
        type=local_path,
        default=files.default_path("data/apparel_label_map.pbtxt"),
        help="class names and ids",
    )
    data.add_argument("--include_negatives", action="store_true", help="images without objects are to be recorded")
    data.add_argument(
        "--train_csv", type=local_path, help="training set, to find images that are on both sides of the split"
    )
    data.add_argument("--test_csv", type=local_path, help="test set, likewise")

    report = parser.add_argument_group("report")
    report.add_argument("--num_shown", type=int, default=5, metavar="N", help="findings of each kind to show; 0: all")
    report.add_argument("--json", type=local_path, metavar="FILE", help="write all findings there")
    report.add_argument("--plot", type=local_path, metavar="FILE.png", help="write the picture there")
    report.add_argument(
        "--pipeline_config_path", type=local_path, help="config whose anchors the boxes are held against"
    )
    parser.add_argument("--num_workers", type=int, default=parallel.available_cores(), help="threads")

    args = parser.parse_args(argv)
    if args.csv_input and args.annotations_dir:
        raise UsageError("--csv_input and --annotations_dir both name what is to be checked: give one of them")
    if bool(args.train_csv) != bool(args.test_csv):
        raise UsageError("--train_csv and --test_csv are the two sides of one split: give both, or neither")
    if args.num_shown < 0 or not 1 <= args.num_workers <= 1024:
        raise UsageError("--num_shown is 0 or more, --num_workers 1 to 1024")
    args.annotations_dir = args.annotations_dir or files.default_path("annotations")
    if args.csv_input and args.class_map:
        raise UsageError("--class_map renames the classes of annotations; those of --csv_input are ours already")
    for flag in ("class_map", "csv_input", "train_csv", "test_csv"):
        path = getattr(args, flag)
        if path and not path.is_file():
            raise UsageError(f"--{flag} {files.shown_path(path)}: there is no such file")
    if not args.csv_input and not args.annotations_dir.exists():
        raise UsageError(f"--annotations_dir {files.shown_path(args.annotations_dir)}: there is no such folder")
    if not args.image_dir.is_dir():
        raise UsageError(f"--image_dir {files.shown_path(args.image_dir)}: there is no such folder")
    for flag, suffix, head, what in (
        ("json", ".json", dataset_report.HEAD, "report of this script"),
        ("plot", ".png", b"\x89PNG", "PNG"),
    ):
        path = getattr(args, flag)
        if path is None:
            continue
        if path.suffix.lower() != suffix or path.is_dir():
            raise UsageError(f"--{flag} {files.shown_path(path)}: the name of a file that ends in {suffix} is expected")
        for folder in (args.image_dir, args.annotations_dir):
            if path.resolve().is_relative_to(folder.resolve()):
                raise UsageError(f"--{flag} {files.shown_path(path)} would lie among the data that is checked")
        command_line.check_output(flag, path, head, what)
    return args


# Labels


def read_annotations(args: argparse.Namespace, folder: ImageFolder) -> Labels:
    """Reads all annotation files as xml_to_csv.py does."""
    images, damaged, findings, annotations = [], set(), [], []
    try:
        name, paths = registry.find_files(args.annotations_dir, args.format)
    except DataError as error:
        remedy = "give the folder that holds them as --annotations_dir"
        place = files.shown_path(args.annotations_dir)
        messages = (str(message).removeprefix(f"{place}: ") for message in error.findings)
        return Labels([], set(), [Finding(ERROR, "no-annotation", place, message, remedy) for message in messages])

    our_classes = class_map.read(args.class_map) if args.class_map else None
    for path in progress(paths, "reading annotations", unit="file"):
        of_file, findings_of_file = registry.read_file(name, path, args.annotations_dir, folder)
        if our_classes is not None:
            of_file, unknown = class_map.rename(of_file, our_classes)
            findings_of_file += unknown
        findings += findings_of_file
        if errors(findings_of_file):
            damaged.add(folder.find(stem_below(path, args.annotations_dir)))
        annotations += of_file
        for item in of_file:
            images += image_examples.labelled_images(labels_csv.rows_of(item))
            if not item.objects and not args.include_negatives:
                message = "its annotation has no object; xml_to_csv.py leaves it out"
                remedy = "to record it, call both with --include_negatives"
                findings.append(Finding(NOTE, "image-without-objects", item.filename, message, remedy))
    findings = [*dict.fromkeys(findings), *registry.check_images_are_distinct(annotations)]
    nothing_read = findings and not images  # whether they have objects nobody knows then
    if not nothing_read and not any(is_kept(image, args) for image in images):
        findings.append(registry.no_object(args.annotations_dir))
    return Labels(sorted(images, key=lambda image: image.filename), damaged, findings)


def is_kept(image: LabelledImage, args: argparse.Namespace) -> bool:
    """Whether the labels CSV has the image, or would have it."""
    return bool(image.class_names or args.csv_input or args.include_negatives)


def read_labels_csv(args: argparse.Namespace, folder: ImageFolder) -> Labels:
    rows, damaged_rows, findings = labels_csv.inspect(args.csv_input)
    images = image_examples.labelled_images(rows)
    if not images and not findings:
        findings = [image_examples.nothing_to_record(args.csv_input)]
    return Labels(images, {folder.find(row.filename) for row in damaged_rows}, findings)


def classes_without_boxes(
    class_ids: Iterable[str], images: Iterable[LabelledImage], label_map_path: Path
) -> list[Finding]:
    found = {name for image in images for name in image.class_names}
    remedy = "label some of its objects, or take it out of the label map: it can be neither learnt nor measured"
    return [
        Finding(
            WARNING, "class-without-boxes", files.shown_path(label_map_path), f"no box has the class {name!r}", remedy
        )
        for name in class_ids
        if name not in found
    ]


# Images


def examine_all(
    labels: Labels, folder: ImageFolder, class_ids: dict[str, int], args: argparse.Namespace
) -> Iterator[Examined]:
    """Examines the labelled images, then those that no annotation names, on all cores.

    What is wrong with an image that no record will hold is no error: nothing refuses it.
    """
    make_example = ExampleMaker(args.image_dir, class_ids)
    make_example.refuse_shared_images(labels.images)
    annotated = {folder.find(image.filename) for image in labels.images}
    others = [LabelledImage(name, (0, 0), (), ()) for name in sorted(folder.names - annotated)]
    images = [*labels.images, *others]
    work = parallel.ordered_map(partial(examine, make_example), images, args.num_workers)
    for number, examined in enumerate(progress(work, "checking images", total=len(images)), start=1):
        image, findings = images[number - 1], examined.findings
        is_annotated = number <= len(labels.images) or image.filename in labels.damaged
        if not is_annotated and labels.images:
            message, remedy = "no annotation names this image", "label it, or move it out of the image folder"
            findings = [Finding(WARNING, "image-not-annotated", image.filename, message, remedy), *findings]
        if not is_annotated or not is_kept(image, args):
            findings = list(map(no_error, findings))
        yield examined._replace(findings=findings)


def no_error(finding: Finding) -> Finding:
    return dataclasses.replace(finding, severity=WARNING) if finding.severity == ERROR else finding


def examine(make_example: ExampleMaker, image: LabelledImage) -> Examined:
    """All that generate_tfrecord.py would say of the image, and what the comparison with others needs."""
    from scripts.lib.dataset import near_duplicates

    made = make_example(image)
    visible = made.upright_size is not None
    perceptual_hash = near_duplicates.perceptual_hash(make_example.image_dir / made.name) if visible else None
    boxes = [] if errors(made.findings) else made.boxes_xyxy
    return Examined(
        name=made.name,
        size=made.upright_size,
        class_names=image.class_names if boxes else (),
        boxes_xyxy=boxes,
        findings=made.findings,
        sha256=made.sha256,
        perceptual_hash=perceptual_hash,
    )


def unnameable_images(folder: ImageFolder) -> list[Finding]:
    message, remedy = "the file's name is no UTF-8, so that no annotation can name it", "rename it"
    return [Finding(WARNING, "image-unnameable", name, message, remedy) for name in folder.unnameable]


# The split, and images that show the same


def read_split(args: argparse.Namespace, folder: ImageFolder) -> tuple[dict[str, str], list[Finding]]:
    """The side that each image is on, and what is wrong with the two CSV files."""
    sides: dict[str, str] = {}
    findings = []
    for side, path in ((TRAINING, args.train_csv), (TEST, args.test_csv)):
        rows, _, csv_findings = labels_csv.inspect(path)
        findings += csv_findings
        for filename in dict.fromkeys(row.filename for row in rows):
            name = folder.find(filename) or filename
            if sides.setdefault(name, side) != side:
                message = f"is in {files.shown_path(args.train_csv)} and in {files.shown_path(args.test_csv)}"
                remedy = "split again with split_dataset.py: what was trained on cannot be a test"
                findings.append(Finding(WARNING, "image-on-both-sides", name, message, remedy))
    return sides, findings


def expected_split(labels: Labels, folder: ImageFolder, args: argparse.Namespace) -> dict[str, str]:
    """The side that split_dataset.py would put each image on if it were called without flags."""
    names = sorted({image.filename for image in labels.images if is_kept(image, args)})
    units = [Unit((name,), Counter()) for name in names]
    sizes = [4 * len(names) // 5, len(names) - 4 * len(names) // 5]
    subsets = zip((TRAINING, TEST), divide(units, sizes, seed=1), strict=True)
    return {folder.find(unit.images[0]) or unit.images[0]: side for side, units in subsets for unit in units}


def duplicate_images(examined: Iterable[Examined], sides: dict[str, str], planned: bool) -> list[Finding]:
    """A warning for each image that repeats another one; see `near_duplicates.find_duplicates`.

    Args:
        examined: all images.
        sides: TRAINING or TEST by name.
        planned: nothing was split yet.
    """
    import numpy as np

    from scripts.lib.dataset import near_duplicates

    images = list({image.name: image for image in examined if image.perceptual_hash is not None}.values())
    contents = [image.sha256 for image in images]
    hashes = np.array([image.perceptual_hash for image in images], np.uint64)
    sides_of = [sides.get(image.name, "") for image in images]
    findings = []
    for index, other, distance in near_duplicates.find_duplicates(contents, hashes, sides_of):
        repeated = images[other].name
        alike = (
            f"is byte for byte the file {repeated!r}"
            if distance is None
            else f"shows the same as {repeated!r} (their perceptual hashes differ in {distance} of 64 bits)"
        )
        if {sides_of[index], sides_of[other]} == {TRAINING, TEST}:
            code = "duplicate-across-split"
            this, that = "this one is in the test set", "the other in the training set"
            alike += f"; split by split_dataset.py without flags, {this}, {that}" if planned else f"; {this}, {that}"
            remedy = "split with split_dataset.py --group_by duplicates"
        else:
            code = "duplicate-image" if distance is None else "near-duplicate-image"
            remedy = "keep one of them" if distance is None else "keep one, or split with --group_by duplicates"
        findings.append(Finding(WARNING, code, images[index].name, alike, remedy))
    return findings


# Summary and picture


def count(examined: Sequence[Examined], class_ids: Iterable[str]) -> dict:
    boxes = Counter(name for image in examined for name in image.class_names)
    return {
        "images": len({image.name for image in examined if image.name}),
        "images_readable": len({image.name for image in examined if image.size}),
        "images_with_sound_boxes": sum(bool(image.class_names) for image in examined),
        "boxes": {name: boxes[name] for name in class_ids},
    }


def print_summary(
    findings: Sequence[Finding],
    facts: dict,
    config: pipeline_config.Message | None,
    examined: Sequence[Examined],
    args: argparse.Namespace,
) -> None:
    print(
        f"{facts['annotated_images']} annotated images; {facts['images']} in {files.shown_path(args.image_dir)}, "
        f"{facts['images_readable']} of them readable; "
        f"{sum(facts['boxes'].values())} boxes without errors in {facts['images_with_sound_boxes']} images:"
    )
    for name, number in facts["boxes"].items():
        print(f"{number:7}  {name}")
    if config is not None and (line := anchor_fit(examined, config)):
        print(line)
    print()
    for line in dataset_report.summary(findings):
        print(line)
    for step in next_steps(findings, facts, args):
        print(f"- {step}")


def anchor_fit(examined: Sequence[Examined], config: pipeline_config.Message) -> str:
    """How many boxes an anchor of the config can match at all; empty where the config has no SSD anchors."""
    import numpy as np

    from scripts.lib.config import ssd_anchors

    anchors = ssd_anchors.shapes_by_layer(config)
    shapes = shapes_of(examined, config)
    if anchors is None or not len(shapes):
        return ""
    matched = ssd_anchors.best_overlaps(shapes, np.concatenate(anchors)) >= 0.5
    return f"{matched.sum()} of {len(shapes)} boxes fit an anchor's shape with an IoU of 0.5 or more"


def next_steps(findings: Sequence[Finding], facts: dict, args: argparse.Namespace) -> Iterator[str]:
    codes = {finding.code for finding in findings}
    missing = sum(finding.code == "image-missing" for finding in errors(findings))
    if missing > facts["images"]:
        yield f"{missing} annotated images are not in {files.shown_path(args.image_dir)}: is it the right --image_dir?"
    if errors(findings):
        scripts = "generate_tfrecord.py refuses" if args.csv_input else "xml_to_csv.py and generate_tfrecord.py refuse"
        yield f"mend the errors, which {scripts}"
        yield "or leave images out whose errors are in the photo, a box or a class: generate_tfrecord.py --skip_invalid"
    if "duplicate-across-split" in codes:
        yield "split with: python split_dataset.py --group_by duplicates"
    if not errors(findings):
        begin = "read the warnings; then: " if findings else "next: "
        yield f"{begin}python {'generate_tfrecord.py' if args.csv_input else 'xml_to_csv.py'}"


def plot(path: Path, examined: Sequence[Examined], class_ids: Iterable[str], sides: dict[str, str], config) -> None:
    from scripts.lib.config import ssd_anchors
    from scripts.lib.dataset import dataset_plot

    boxes_by_class = {}
    for side in (TRAINING, TEST) if sides else ("boxes",):
        images = [image for image in examined if not sides or sides.get(image.name) == side]
        counts = Counter(name for image in images for name in image.class_names)
        boxes_by_class[side] = {name: counts[name] for name in class_ids}
    dataset_plot.draw(
        path,
        boxes_by_class,
        shapes_of(examined, config),
        [name for image in examined for name in image.class_names],
        list({image.name: image.size for image in examined if image.size}.values()),
        ssd_anchors.shapes_by_layer(config) if config is not None else None,
    )


def shapes_of(examined: Iterable[Examined], config: pipeline_config.Message | None):
    """The shapes of all boxes without errors, float[N, 2], as `ssd_anchors.box_shapes` gives them."""
    import numpy as np

    from scripts.lib.config import ssd_anchors

    rows = [(*box, *image.size) for image in examined for box in image.boxes_xyxy]
    table = np.array(rows, np.float64).reshape(-1, 6)
    return ssd_anchors.box_shapes(table[:, :4], table[:, 4:], config)


if __name__ == "__main__":
    command_line.run(main)
