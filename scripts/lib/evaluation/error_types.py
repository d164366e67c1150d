"""A detector's errors: the confusion matrix, and the kinds of error with what each costs.

The kinds of error are those of TIDE (Bolya, Foley, Hays, Hoffman, "TIDE: A General Toolbox for Identifying Object
Detection Errors", ECCV 2020, section 2), with their thresholds 0.5 (foreground) and 0.1 (background):

    classification  overlaps an object of another class by at least 0.5
    localisation    overlaps an object of its class by 0.1 to 0.5
    both            overlaps an object of another class by 0.1 to 0.5
    duplicate       overlaps an object of its class by at least 0.5 that a better detection has found
    background      overlaps every object by less than 0.1
    missed          an object that no detection finds and no correction of class or place would find

The cost of a kind is the mAP@0.5 gained by an oracle that corrects all errors of that kind and no other (section 2.3).
It corrects the class or the box if nothing has found the object and no better such detection claims it, and removes
the detection otherwise. Detections of the other kinds are removed; missed objects no longer count. Average precision
is the area of average_precision.py, not COCO's mean at 101 recalls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scripts.lib.core.boxes import iou
from scripts.lib.evaluation.average_precision import ClassMatches, EvaluatedImage, average_precision

FOREGROUND_IOU = 0.5
BACKGROUND_IOU = 0.1
ERROR_TYPES = ("classification", "localisation", "both", "duplicate", "background", "missed")


class Pairing(NamedTuple):
    """The detections of one image that reach their class's score threshold, each with the object that it found.

    Attributes:
        detections: int [num_paired], indices into the image's detections, best score first, without duplicates.
        objects: int [num_paired], index of the object; -1 for background.
        missed: int [num_missed], indices of the objects that no detection found.
        duplicates: int [num_duplicates], indices of the detections of objects that a better detection has taken.
    """

    detections: np.ndarray
    objects: np.ndarray
    missed: np.ndarray
    duplicates: np.ndarray


def pair(image: EvaluatedImage, thresholds: Mapping[int, float]) -> Pairing:
    """Pair detections with objects regardless of class, at IoU 0.5.

    By falling score, a detection takes the object that it overlaps most among those not yet taken. The class of the
    best detection of an object is thus the one that the model takes it for.

    Args:
        image: with its detections.
        thresholds: class id -> score threshold.
    """
    lowest = np.array([thresholds[class_id] for class_id in image.class_ids.tolist()])
    kept = np.flatnonzero(image.scores >= lowest) if len(lowest) else np.zeros(0, int)
    kept = kept[np.argsort(-image.scores[kept], kind="stable")]
    overlaps = iou(image.boxes_yxyx[kept], image.true_boxes_yxyx)
    objects = np.full(len(kept), -1)
    on_object = (overlaps >= FOREGROUND_IOU).any(axis=1)
    for place in np.flatnonzero(on_object):
        nearest = overlaps[place].argmax()
        if overlaps[place, nearest] >= FOREGROUND_IOU:
            objects[place] = nearest
            overlaps[:, nearest] = 0
    missed = np.setdiff1d(np.flatnonzero(~image.is_difficult), objects)
    is_duplicate = on_object & (objects < 0)
    return Pairing(kept[~is_duplicate], objects[~is_duplicate], missed, kept[is_duplicate])


def confusion_matrix(images: Sequence[EvaluatedImage], pairings: Sequence[Pairing], num_classes: int) -> np.ndarray:
    """Count (true class, detected class); class ids are 1..num_classes, background is the last row and column.

    Returns:
        int [num_classes + 1, num_classes + 1]. The last column counts missed objects, the last row detections of
        background; their common cell is 0. Duplicates and detections of difficult objects are left out.
    """
    matrix = np.zeros((num_classes + 1, num_classes + 1), int)
    for image, pairing in zip(images, pairings, strict=True):
        for detection, found in zip(pairing.detections, pairing.objects, strict=True):
            if found < 0 or not image.is_difficult[found]:
                true_class = image.true_class_ids[found] - 1 if found >= 0 else num_classes
                matrix[true_class, image.class_ids[detection] - 1] += 1
        for missed in pairing.missed:
            matrix[image.true_class_ids[missed] - 1, num_classes] += 1
    return matrix


class Errors(NamedTuple):
    """The errors of all detections.

    Attributes:
        counts: kind -> number of errors.
        costs: kind -> mAP@0.5 gained by correcting all errors of the kind, 0..1.
        mean_ap: mAP@0.5 as it is; as in TIDE, a detection may take its second-nearest object here.
    """

    counts: dict[str, int]
    costs: dict[str, float]
    mean_ap: float


class _Detection(NamedTuple):
    """One detection and its error."""

    image_index: int
    score: float
    class_id: int
    error: str  # one of ERROR_TYPES, or "" for a true positive
    corrected_class_id: int = 0  # 0: the correction removes the detection


def errors(images: Sequence[EvaluatedImage], num_classes: int) -> Errors:
    """Return the counts and costs of the kinds of error, without difficult objects and their detections."""
    detections: list[_Detection] = []
    num_true = np.zeros((num_classes + 1, len(images)), int)  # by class id
    missed = np.zeros_like(num_true)
    for index, image in enumerate(images):
        true_class_ids = image.true_class_ids[~image.is_difficult]
        found, missed_objects = _errors_of_image(index, image)
        detections += found
        np.add.at(num_true[:, index], true_class_ids, 1)
        np.add.at(missed[:, index], true_class_ids[missed_objects], 1)

    kinds = [detection.error for detection in detections]
    mean_ap = _mean_ap(detections, num_true)
    costs = {}
    for kind in ERROR_TYPES:
        corrected = [_corrected(one) if one.error == kind else one for one in detections]
        still_true = num_true - missed if kind == "missed" else num_true
        # A class without an object left to find drops out of the mean.
        costs[kind] = max(0.0, _mean_ap([one for one in corrected if one], still_true) - mean_ap)
    counts = {kind: kinds.count(kind) for kind in ERROR_TYPES} | {"missed": int(missed.sum())}
    return Errors(counts, costs, mean_ap)


def _corrected(detection: _Detection) -> _Detection | None:
    """Return the detection without its error, or None if the correction removes it."""
    if not detection.corrected_class_id:
        return None
    return detection._replace(class_id=detection.corrected_class_id, error="")


def _mean_ap(detections: Sequence[_Detection], num_true: np.ndarray) -> float:
    """Return the mean AP of the classes that have objects; detections without an error are the true positives."""
    class_ids = np.array([detection.class_id for detection in detections], int)
    scores = np.array([detection.score for detection in detections], float)
    image_index = np.array([detection.image_index for detection in detections], int)
    is_true_positive = np.array([not detection.error for detection in detections], bool)
    aps = []
    for class_id in np.flatnonzero(num_true.sum(axis=1)):
        order = np.flatnonzero(class_ids == class_id)
        order = order[np.argsort(-scores[order], kind="stable")]
        matches = ClassMatches(image_index[order], scores[order], is_true_positive[order], num_true[class_id])
        aps.append(average_precision(matches)[0])
    return float(np.mean(aps)) if aps else float("nan")


def _errors_of_image(index: int, image: EvaluatedImage) -> tuple[list[_Detection], np.ndarray]:
    """Return the detections of an image with their errors, and the indices of its missed objects."""
    order = np.argsort(-image.scores, kind="stable")
    boxes, class_ids, scores = image.boxes_yxyx[order], image.class_ids[order], image.scores[order]
    truth = ~image.is_difficult
    true_class_ids = image.true_class_ids[truth]
    overlaps = iou(boxes, image.true_boxes_yxyx[truth])
    same_class = class_ids[:, np.newaxis] == true_class_ids
    found_by = _match_each_class(np.where(same_class, overlaps, 0))  # [num_true], -1: none
    of_difficult = _of_difficult(image, boxes, class_ids)

    detections: list[_Detection] = []
    claimed: set[int] = set()  # objects that a correction of class or box would find
    for place, (class_id, score) in enumerate(zip(class_ids.tolist(), scores.tolist(), strict=True)):
        detection = _Detection(index, score, class_id, "")
        if place not in found_by:
            if of_difficult[place]:
                continue
            kind, nearest = _kind(overlaps[place], same_class[place])
            detection = detection._replace(error=kind)
            if kind in ("classification", "localisation") and found_by[nearest] < 0:
                if nearest not in claimed:  # the best detection of either kind, as in the authors' implementation
                    detection = detection._replace(corrected_class_id=int(true_class_ids[nearest]))
                claimed.add(nearest)
        detections.append(detection)
    return detections, np.setdiff1d(np.flatnonzero(found_by < 0), list(claimed))


def _match_each_class(overlaps: np.ndarray) -> np.ndarray:
    """Return the detection that finds each object: by falling score, each takes the nearest object still free."""
    found_by = np.full(overlaps.shape[1], -1)
    free = overlaps.copy()
    for place in range(len(free) if free.size else 0):
        nearest = free[place].argmax()
        if free[place, nearest] >= FOREGROUND_IOU:
            found_by[nearest] = place
            free[:, nearest] = 0
    return found_by


def _of_difficult(image: EvaluatedImage, boxes_yxyx: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Return bool [num_detections]: True for detections of a difficult object of their class."""
    overlaps = iou(boxes_yxyx, image.true_boxes_yxyx[image.is_difficult]) >= FOREGROUND_IOU
    return (overlaps & (class_ids[:, np.newaxis] == image.true_class_ids[image.is_difficult])).any(axis=1)


def _kind(overlaps: np.ndarray, same_class: np.ndarray) -> tuple[str, int]:
    """Return the kind of error of a false positive and its object (-1: none), in TIDE's order of tests."""
    if not overlaps.size or overlaps.max() < BACKGROUND_IOU:
        return "background", -1
    of_class, of_others = np.where(same_class, overlaps, 0), np.where(same_class, 0, overlaps)
    if BACKGROUND_IOU <= of_class.max() < FOREGROUND_IOU:
        return "localisation", int(of_class.argmax())
    if of_others.max() >= FOREGROUND_IOU:
        return "classification", int(of_others.argmax())
    if of_class.max() >= FOREGROUND_IOU:
        return "duplicate", int(of_class.argmax())
    return "both", int(of_others.argmax())
