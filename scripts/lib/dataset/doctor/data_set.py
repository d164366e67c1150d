"""A data set, read and examined: labels, images, and the side of the split that each image is on."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scripts.lib.annotations import class_map, registry
from scripts.lib.core import files, parallel
from scripts.lib.core.errors import ERROR, WARNING, DataError, Finding
from scripts.lib.core.progress import progress
from scripts.lib.dataset import label_map, labelled_images, labels_csv
from scripts.lib.dataset.box_checks import Box, Size
from scripts.lib.dataset.labelled_images import ImageChecker, LabelledImage
from scripts.lib.dataset.split import TEST, TRAINING
from scripts.lib.images.image_names import ImageFolder

if TYPE_CHECKING:
    import numpy as np


class Labels(NamedTuple):
    """The labels of a data set."""

    images: list[LabelledImage]
    damaged: set[str | None]  # names of images whose annotation cannot be read
    with_negatives: bool  # images without objects are recorded, too

    def records(self, image: LabelledImage) -> bool:
        """Return True where the labels CSV has the image, or would have it."""
        return bool(image.class_names) or self.with_negatives

    def found_in(self, folder: ImageFolder) -> set[str | None]:
        """Return the names of the files in the image folder that have labels."""
        return {folder.find(image.filename) for image in self.images}


class ExaminedImage(NamedTuple):
    """One image, with its boxes if they have no errors; size and hash are None where it cannot be read."""

    name: str  # relative to the image folder; empty where there is no such image
    size: Size | None  # width, height in pixels, upright
    class_names: tuple[str, ...]
    boxes_xyxy: Sequence[Box]  # in pixels of the upright image
    sha256: bytes
    perceptual_hash: int | None


class DataSet(NamedTuple):
    """A data set as it was read."""

    labels: Labels
    folder: ImageFolder
    label_map: Path
    class_ids: Mapping[str, int]
    images: list[ExaminedImage]  # the labelled ones, then those without annotation
    split: dict[str, str]  # image name -> TRAINING or TEST; empty if nothing was split yet

    def facts(self) -> dict:
        """Return numbers of images and boxes."""
        return {
            "annotated_images": len(self.labels.images),
            "images": len({image.name for image in self.images if image.name}),
            "images_readable": len({image.name for image in self.images if image.size}),
            "images_with_sound_boxes": sum(bool(image.class_names) for image in self.images),
            "boxes": self.boxes_by_class(),
        }

    def boxes_by_class(self) -> dict[str, int]:
        boxes = Counter(name for image in self.images for name in image.class_names)
        return {name: boxes[name] for name in self.class_ids}

    def box_table(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all boxes without errors, float[N, 4] in pixels, and the sizes of their images, float[N, 2]."""
        import numpy as np  # here, since the command starts faster without

        rows = [(*box, *image.size) for image in self.images for box in image.boxes_xyxy]
        table = np.array(rows, np.float64).reshape(-1, 6)
        return table[:, :4], table[:, 4:]


def read(
    labels: Labels, folder: ImageFolder, label_map_path: Path, split_csvs: tuple[Path, Path] | None, num_workers: int
) -> tuple[DataSet, list[Finding]]:
    """Examine all images of a data set; return it, and what is wrong with label map, images, boxes and split."""
    class_ids, findings = label_map.inspect(label_map_path)
    findings += label_map.gaps(class_ids, label_map_path)
    if not class_ids:  # the label map's own error is reported; the other checks go on
        class_ids = {name: 0 for image in labels.images for name in image.class_names}
    images, image_findings = _examine_all(labels, folder, class_ids, num_workers)
    split, split_findings = _read_split(*split_csvs, folder) if split_csvs else ({}, [])
    data = DataSet(labels, folder, label_map_path, class_ids, images, split)
    return data, [*findings, *image_findings, *split_findings]


def read_labels_csv(path: Path, folder: ImageFolder) -> tuple[Labels, list[Finding]]:
    rows, damaged_rows, findings = labels_csv.inspect(path)
    images = labelled_images.labelled_images(rows)
    if not images and not findings:
        findings = [labelled_images.nothing_to_record(path)]
    return Labels(images, {folder.find(row.filename) for row in damaged_rows}, with_negatives=True), findings


def read_annotations(
    paths: Sequence[Path], format_name: str, class_map_csv: Path | None, with_negatives: bool, folder: ImageFolder
) -> tuple[Labels, list[Finding]]:
    """Read all annotation files as xml_to_csv.py does."""
    try:
        annotation_folders = registry.find_folders(paths, format_name)
    except DataError as error:
        return Labels([], set(), with_negatives), error.findings

    our_classes = class_map.read(class_map_csv) if class_map_csv else None
    annotations, findings, damaged_stems = registry.read_folders(annotation_folders, folder, our_classes)
    damaged = set(map(folder.find, damaged_stems))
    images = [image for found in annotations for image in labelled_images.labelled_images(labels_csv.rows_of(found))]
    labels = Labels(sorted(images, key=lambda image: image.filename), damaged, with_negatives)
    if not (findings and not images) and not any(map(labels.records, images)):  # else the objects are unknown
        findings.append(registry.no_object(paths))
    return labels, findings


def _examine_all(
    labels: Labels, folder: ImageFolder, class_ids: Mapping[str, int], num_workers: int
) -> tuple[list[ExaminedImage], list[Finding]]:
    """Examine the labelled images, then those without annotation.

    Errors of an image that no record will hold become warnings: no script refuses it.
    """
    checker = ImageChecker(folder.folder, class_ids)
    checker.refuse_shared_images(labels.images)
    others = [LabelledImage(name, (0, 0), (), ()) for name in sorted(folder.names - labels.found_in(folder))]
    images = [*labels.images, *others]
    work = parallel.ordered_map(partial(_examine, checker), images, num_workers)
    examined, findings = [], []
    for number, (result, found) in enumerate(progress(work, "checking images", total=len(images))):
        is_labelled = number < len(labels.images) or images[number].filename in labels.damaged
        is_refused = is_labelled and labels.records(images[number])
        for finding in found:
            is_harmless = finding.severity == ERROR and not is_refused
            findings.append(dataclasses.replace(finding, severity=WARNING) if is_harmless else finding)
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
