"""The checks of a data set: functions that take it and return findings, all of them listed in `CHECKS`.

Another check is another function in the list. What concerns one image and its boxes is checked in labelled_images.py
and box_checks.py, in the same words as by generate_tfrecord.py.
"""

from __future__ import annotations

from collections import Counter

from scripts.lib.core import files
from scripts.lib.core.errors import NOTE, WARNING, Finding
from scripts.lib.dataset.doctor.data_set import DataSet
from scripts.lib.dataset.split import TEST, TRAINING, Unit, divide


def images_without_objects(data: DataSet) -> list[Finding]:
    message = "its annotation has no object; xml_to_csv.py leaves it out"
    remedy = "to record it, call both with --include_negatives"
    left_out = [image.filename for image in data.labels.images if not data.labels.records(image)]
    return [Finding(NOTE, "image-without-objects", name, message, remedy) for name in left_out]


def images_without_annotation(data: DataSet) -> list[Finding]:
    if not data.labels.images:  # another error says why
        return []
    message, remedy = "no annotation names this image", "label it, or move it out of the image folder"
    names = sorted(data.folder.names - data.labels.found_in(data.folder) - data.labels.damaged)
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
