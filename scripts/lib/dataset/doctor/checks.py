"""The checks of a data set: functions that take it and return findings, all of them listed in `CHECKS`.

Another check is another function in the list. What concerns one image and its boxes is checked in labelled_images.py
and box_checks.py, in the same words as by generate_tfrecord.py.
"""

from __future__ import annotations

from scripts.lib.core import files
from scripts.lib.core.errors import NOTE, WARNING, Finding
from scripts.lib.dataset.doctor.data_set import DataSet
from scripts.lib.dataset.split import TEST, TRAINING


def images_without_objects(data: DataSet) -> list[Finding]:
    message = "annotated without an object; xml_to_csv.py leaves it out"
    remedy = "to keep it, call xml_to_csv.py and this script with --include_negatives"
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
    place, lacking = files.shown_path(data.label_map), [name for name in data.class_ids if name not in found]
    return [
        Finding(WARNING, "class-without-boxes", place, f"no box has the class {name!r}", remedy) for name in lacking
    ]


def duplicate_images(data: DataSet) -> list[Finding]:
    """Return a warning for each image that repeats another one; see `near_duplicates.find_duplicates`."""
    import numpy as np

    from scripts.lib.dataset import near_duplicates

    images = list({image.name: image for image in data.images if image.perceptual_hash is not None}.values())
    contents = [image.sha256 for image in images]
    hashes = np.array([image.perceptual_hash for image in images], np.uint64)
    sides = [data.split.get(image.name, "") for image in images]
    findings = []
    for index, other, distance in near_duplicates.find_duplicates(contents, hashes, sides):
        repeated = images[other].name
        alike = (
            f"is byte for byte the file {repeated!r}"
            if distance is None
            else f"shows the same as {repeated!r} (their perceptual hashes differ in {distance} of 64 bits)"
        )
        code = "duplicate-image" if distance is None else "near-duplicate-image"
        remedy = "keep one, or split with split_dataset.py --group_by duplicates"
        if {sides[index], sides[other]} == {TRAINING, TEST}:
            code = "duplicate-across-split"
            alike += "; this one is in the test set, the other in the training set"
        findings.append(Finding(WARNING, code, images[index].name, alike, remedy))
    return findings


CHECKS = (images_without_objects, images_without_annotation, unnameable_images, classes_without_boxes, duplicate_images)


def check(data: DataSet) -> list[Finding]:
    return [finding for find in CHECKS for finding in find(data)]
