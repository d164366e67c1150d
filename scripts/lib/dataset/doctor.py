"""The checks of a data set: read the labels, examine every image, then run `CHECKS`.

Another check is another function in `CHECKS`: it takes the data set and returns what it finds. What concerns one image
and its boxes is checked in labelled_images.py and box_checks.py, in the same words as by generate_tfrecord.py.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from scripts.lib.annotations import class_map, registry
from scripts.lib.annotations.parsing import stem_below
from scripts.lib.core import files, parallel
from scripts.lib.core.errors import ERROR, NOTE, WARNING, DataError, Finding, errors
from scripts.lib.core.progress import progress
from scripts.lib.dataset import label_map, labelled_images, labels_csv
from scripts.lib.dataset.box_checks import Box, Size
from scripts.lib.dataset.labelled_images import ImageChecker, LabelledImage
from scripts.lib.dataset.split import TEST, TRAINING, Unit, divide
from scripts.lib.images.image_names import ImageFolder


class Labels(NamedTuple):
    """The labels of a data set.

    Attributes:
        images: one per annotation that can be read.
        damaged: names of images whose annotation cannot be read.
        with_negatives: images without objects are recorded, too.
    """

    images: list[LabelledImage]
    damaged: set[str | None]
    with_negatives: bool

    def records(self, image: LabelledImage) -> bool:
        """Return True where the labels CSV has the image, or would have it."""
        return bool(image.class_names) or self.with_negatives


class ExaminedImage(NamedTuple):
    """One image, with its boxes if they have no errors.

    Attributes:
        name: of the image file, relative to the image folder; empty where there is none.
        size: width and height in pixels, upright; None where it cannot be read.
        class_names, boxes_xyxy: of its objects, in pixels of the upright image.
        sha256: of the file's bytes.
        perceptual_hash: None where the image cannot be read.
    """

    name: str
    size: Size | None
    class_names: tuple[str, ...]
    boxes_xyxy: Sequence[Box]
    sha256: bytes
    perceptual_hash: int | None


class DataSet(NamedTuple):
    """A data set as it was read.

    Attributes:
        labels: the labels.
        folder: the image folder.
        label_map: path of the label map.
        class_ids: class name -> id.
        images: the labelled images, then those without annotation.
        split: TRAINING or TEST by image name, as --train_csv and --test_csv say; None: nothing was split yet.
    """

    labels: Labels
    folder: ImageFolder
    label_map: Path
    class_ids: Mapping[str, int]
    images: list[ExaminedImage]
    split: dict[str, str] | None

    def facts(self) -> dict:
        """Return numbers of images and boxes."""
        boxes = Counter(name for image in self.images for name in image.class_names)
        return {
            "annotated_images": len(self.labels.images),
            "images": len({image.name for image in self.images if image.name}),
            "images_readable": len({image.name for image in self.images if image.size}),
            "images_with_sound_boxes": sum(bool(image.class_names) for image in self.images),
            "boxes": {name: boxes[name] for name in self.class_ids},
        }

    def boxes_by_class(self) -> dict[str, dict[str, int]]:
        """Return side of the split ("boxes" without a split) -> class name -> number of boxes."""
        counts = {}
        for side in ("boxes",) if self.split is None else (TRAINING, TEST):
            images = [image for image in self.images if self.split is None or self.split.get(image.name) == side]
            boxes = Counter(name for image in images for name in image.class_names)
            counts[side] = {name: boxes[name] for name in self.class_ids}
        return counts


def read(
    labels: Labels, folder: ImageFolder, label_map_path: Path, split_csvs: tuple[Path, Path] | None, num_workers: int
) -> tuple[DataSet, list[Finding]]:
    """Examine all images of a data set; return it, and what is wrong with label map, images, boxes and split."""
    class_ids, findings = label_map.inspect(label_map_path)
    if not class_ids:  # the label map's own error is reported; the other checks go on
        class_ids = {name: 0 for image in labels.images for name in image.class_names}
    images, image_findings = _examine_all(labels, folder, class_ids, num_workers)
    split, split_findings = _read_split(*split_csvs, folder) if split_csvs else (None, [])
    data = DataSet(labels, folder, label_map_path, class_ids, images, split)
    return data, [*findings, *image_findings, *split_findings]


def read_labels_csv(path: Path, folder: ImageFolder) -> tuple[Labels, list[Finding]]:
    rows, damaged_rows, findings = labels_csv.inspect(path)
    images = labelled_images.labelled_images(rows)
    if not images and not findings:
        findings = [labelled_images.nothing_to_record(path)]
    return Labels(images, {folder.find(row.filename) for row in damaged_rows}, with_negatives=True), findings


def read_annotations(
    path: Path, format_name: str, class_map_csv: Path | None, with_negatives: bool, folder: ImageFolder
) -> tuple[Labels, list[Finding]]:
    """Read all annotation files as xml_to_csv.py does."""
    annotations, damaged, findings = [], set(), []
    try:
        name, annotation_files = registry.find_files(path, format_name)
    except DataError as error:
        return Labels([], damaged, with_negatives), _no_annotation(path, error)

    our_classes = class_map.read(class_map_csv) if class_map_csv else None
    for file in progress(annotation_files, "reading annotations", unit="file"):
        found, found_findings = registry.read_file(name, file, path, folder)
        if our_classes is not None:
            found, unknown = class_map.rename(found, our_classes)
            found_findings += unknown
        annotations += found
        findings += found_findings
        if errors(found_findings):
            damaged.add(folder.find(stem_below(file, path)))
    images = [image for found in annotations for image in labelled_images.labelled_images(labels_csv.rows_of(found))]
    labels = Labels(sorted(images, key=lambda image: image.filename), damaged, with_negatives)
    findings = [*dict.fromkeys(findings), *registry.check_images_are_distinct(annotations)]
    if not (findings and not images) and not any(map(labels.records, images)):  # else the objects are unknown
        findings.append(registry.no_object(path))
    return labels, findings


def _no_annotation(path: Path, error: DataError) -> list[Finding]:
    place, remedy = files.shown_path(path), "give the folder that holds them as --annotations_dir"
    messages = (str(message).removeprefix(f"{place}: ") for message in error.findings)
    return [Finding(ERROR, "no-annotation", place, message, remedy) for message in messages]


def _examine_all(
    labels: Labels, folder: ImageFolder, class_ids: Mapping[str, int], num_workers: int
) -> tuple[list[ExaminedImage], list[Finding]]:
    """Examine the labelled images, then those without annotation.

    Errors of an image that no record will hold become warnings: no script refuses it.
    """
    checker = ImageChecker(folder.folder, class_ids)
    checker.refuse_shared_images(labels.images)
    others = [LabelledImage(name, (0, 0), (), ()) for name in sorted(folder.names - _annotated(labels, folder))]
    images = [*labels.images, *others]
    work = parallel.ordered_map(partial(_examine, checker), images, num_workers)
    examined, findings = [], []
    for number, (result, found) in enumerate(progress(work, "checking images", total=len(images))):
        is_labelled = number < len(labels.images) or images[number].filename in labels.damaged
        is_refused = is_labelled and labels.records(images[number])
        findings += found if is_refused else [_at_most_a_warning(finding) for finding in found]
        examined.append(result)
    return examined, findings


def _examine(checker: ImageChecker, image: LabelledImage) -> tuple[ExaminedImage, list[Finding]]:
    from scripts.lib.dataset import near_duplicates  # here, since it imports numpy

    checked = checker(image)
    size = perceptual_hash = None
    if checked.stored:
        size = checked.stored.upright_size
        perceptual_hash, _ = near_duplicates.perceptual_hash(checker.folder.folder / checked.name)
    boxes = checked.boxes_xyxy if checked.is_sound else ()
    class_names = image.class_names if boxes else ()
    return ExaminedImage(checked.name, size, class_names, boxes, checked.sha256, perceptual_hash), checked.findings


def _annotated(labels: Labels, folder: ImageFolder) -> set[str | None]:
    return {folder.find(image.filename) for image in labels.images}


def _at_most_a_warning(finding: Finding) -> Finding:
    return dataclasses.replace(finding, severity=WARNING) if finding.severity == ERROR else finding


def _read_split(train_csv: Path, test_csv: Path, folder: ImageFolder) -> tuple[dict[str, str], list[Finding]]:
    """Return the side that each image is on, and what is wrong with the two CSV files."""
    sides: dict[str, str] = {}
    findings = []
    for side, path in ((TRAINING, train_csv), (TEST, test_csv)):
        rows, _, csv_findings = labels_csv.inspect(path)
        findings += csv_findings
        for filename in dict.fromkeys(row.filename for row in rows):
            name = folder.find(filename) or filename
            if sides.setdefault(name, side) != side:
                message = f"is in {files.shown_path(train_csv)} and in {files.shown_path(test_csv)}"
                remedy = "split again with split_dataset.py: images of the training set cannot test the model"
                findings.append(Finding(WARNING, "image-on-both-sides", name, message, remedy))
    return sides, findings


def images_without_objects(data: DataSet) -> list[Finding]:
    message = "its annotation has no object; xml_to_csv.py leaves it out"
    remedy = "to record it, call both with --include_negatives"
    left_out = [image.filename for image in data.labels.images if not data.labels.records(image)]
    return [Finding(NOTE, "image-without-objects", name, message, remedy) for name in left_out]


def images_without_annotation(data: DataSet) -> list[Finding]:
    if not data.labels.images:  # another error says why
        return []
    message, remedy = "no annotation names this image", "label it, or move it out of the image folder"
    names = sorted(data.folder.names - _annotated(data.labels, data.folder) - data.labels.damaged)
    return [Finding(WARNING, "image-not-annotated", name, message, remedy) for name in names]


def unnameable_images(data: DataSet) -> list[Finding]:
    message, remedy = "the file's name is not UTF-8, so that no annotation can name it", "rename it"
    return [Finding(WARNING, "image-unnameable", name, message, remedy) for name in data.folder.unnameable]


def classes_without_boxes(data: DataSet) -> list[Finding]:
    if not data.labels.images:
        return []
    found = {name for image in data.labels.images for name in image.class_names}
    remedy = "label some of its objects, or take it out of the label map: it can be neither learned nor measured"
    return [
        Finding(
            WARNING, "class-without-boxes", files.shown_path(data.label_map), f"no box has the class {name!r}", remedy
        )
        for name in data.class_ids
        if name not in found
    ]


def duplicate_images(data: DataSet) -> list[Finding]:
    """Return a warning for each image that repeats another one; see `near_duplicates.find_duplicates`."""
    import numpy as np

    from scripts.lib.dataset import near_duplicates

    sides = _expected_split(data) if data.split is None else data.split
    images = list({image.name: image for image in data.images if image.perceptual_hash is not None}.values())
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
            code, remedy = "duplicate-across-split", "split with split_dataset.py --group_by duplicates"
            alike += "; split by split_dataset.py without flags" if data.split is None else ""
            alike += ", " if data.split is None else "; "
            alike += "this one is in the test set, the other in the training set"
        elif distance is None:
            code, remedy = "duplicate-image", "keep one of them"
        else:
            code, remedy = "near-duplicate-image", "keep one, or split with --group_by duplicates"
        findings.append(Finding(WARNING, code, images[index].name, alike, remedy))
    return findings


def _expected_split(data: DataSet) -> dict[str, str]:
    """Return the side on which split_dataset.py would put each image if it were called without flags."""
    names = sorted({image.filename for image in data.labels.images if data.labels.records(image)})
    sizes = [4 * len(names) // 5, len(names) - 4 * len(names) // 5]
    subsets = divide([Unit((name,), Counter()) for name in names], sizes, seed=1)
    sides = zip((TRAINING, TEST), subsets, strict=True)
    return {data.folder.find(unit.images[0]) or unit.images[0]: side for side, units in sides for unit in units}


CHECKS = (
    images_without_objects,
    images_without_annotation,
    unnameable_images,
    classes_without_boxes,
    duplicate_images,
)


def check(data: DataSet) -> list[Finding]:
    return [finding for find in CHECKS for finding in find(data)]


def next_steps(findings: Sequence[Finding], num_images: int, image_dir: str, from_csv: bool) -> list[str]:
    """Return what to do about the findings.

    Args:
        findings: of the data set.
        num_images: in the image folder.
        image_dir: the image folder.
        from_csv: the labels were read from the labels CSV.
    """
    steps = []
    missing = sum(finding.code == "image-missing" for finding in errors(findings))
    if missing > num_images:
        steps.append(f"{missing} annotated images are not in {image_dir}: is it the right --image_dir?")
    if errors(findings):
        scripts = "generate_tfrecord.py refuses" if from_csv else "xml_to_csv.py and generate_tfrecord.py refuse"
        steps.append(f"correct the errors, which {scripts}")
        steps.append("or leave out images with errors in image, box or class: generate_tfrecord.py --skip_invalid")
    if any(finding.code == "duplicate-across-split" for finding in findings):
        steps.append("split with: python split_dataset.py --group_by duplicates")
    if not errors(findings):
        begin = "read the warnings; then: " if findings else "next: "
        steps.append(f"{begin}python {'generate_tfrecord.py' if from_csv else 'xml_to_csv.py'}")
    return steps
