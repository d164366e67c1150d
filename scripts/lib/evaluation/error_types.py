"""A detector's errors: the confusion matrix, and the kinds of error with what each costs.

The kinds of error are those of TIDE (Bolya, Foley, Hays, Hoffman, "TIDE: A General Toolbox for Identifying Object
Detection Errors", ECCV 2020, section 2), with their thresholds 0.5 (foreground) and 0.1 (background):

    classification  overlaps an object of another class by at least 0.5
    localisation    overlaps an object of its class by 0.1 to 0.5
    both            overlaps an object of another class by 0.1 to 0.5
    duplicate       overlaps an object of its class by at least 0.5 that a better detection has found
    background      overlaps every object by less than 0.1
    missed          an object that no detection finds

Counted are the detections that reach the score threshold of their class, paired with objects as in the confusion
matrix: a badly placed detection is a localisation error, and its object is missed.

The cost of a kind is the mAP@0.5 gained by an oracle that corrects all errors of that kind and no other (section 2.3),
among the detections of every score. It corrects the class or the box if nothing has found the object and no better
such detection claims it, and removes the detection otherwise. Detections of the other kinds are removed; missed objects
no longer count, where no correction of class or place would find them. Average precision is the area of
average_precision.py, not COCO's mean at 101 recalls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scripts.lib.core.boxes import iou
from scripts.lib.evaluation.average_precision import ClassMatches, EvaluatedImage, average_precision

FOREGROUND_IOU = 0.5
BACKGROUND_IOU = 0.1
RIGHT = "right"
ERROR_TYPES = ("classification", "localisation", "both", "duplicate", "background", "missed")


class Pairing(NamedTuple):
    """The detections of one image that reach their class's score threshold, each with the object that it found."""

    detections: np.ndarray  # int [num_paired], into the image's detections, best score first, without duplicates
    objects: np.ndarray  # int [num_paired], index of the object; -1 for background
    missed: np.ndarray  # int [num_missed], indices of the objects that no detection found
    duplicates: np.ndarray  # int [num_duplicates], detections of objects that a better detection has taken


def pair(image: EvaluatedImage, thresholds: Mapping[int, float]) -> Pairing:
    """Pair detections with objects regardless of class, at IoU 0.5.

    By falling score, a detection takes the object that it overlaps most among those not yet taken. The class of the
    best detection of an object is thus the one that the model takes it for. `thresholds`: class id -> score threshold.
    """
    lowest = np.array([thresholds[class_id] for class_id in image.class_ids.tolist()])
    kept = np.flatnonzero(image.scores >= lowest) if len(lowest) else np.zeros(0, int)
    kept = kept[np.argsort(-image.scores[kept], kind="stable")]
    overlaps = iou(image.boxes_yxyx[kept], image.true_boxes_yxyx)
    objects = _take_objects(overlaps)
    missed = np.setdiff1d(np.flatnonzero(~image.is_difficult), objects)
    is_duplicate = (overlaps >= FOREGROUND_IOU).any(axis=1) & (objects < 0)
    return Pairing(kept[~is_duplicate], objects[~is_duplicate], missed, kept[is_duplicate])


def _take_objects(overlaps: np.ndarray) -> np.ndarray:
    """Return the object that each detection finds, int [num_detections]; -1 for none.

    By falling score, in the order of the IoU [num_detections, num_objects], each takes the nearest one still free.
    """
    objects = np.full(len(overlaps), -1)
    free = overlaps.copy()
    for place in np.flatnonzero((overlaps >= FOREGROUND_IOU).any(axis=1)):
        nearest = free[place].argmax()
        if free[place, nearest] >= FOREGROUND_IOU:
            objects[place] = nearest
            free[:, nearest] = 0
    return objects


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


def count(image: EvaluatedImage, pairing: Pairing) -> Counter[str]:
    """Count the right detections (RIGHT) and the errors (ERROR_TYPES) of one image; difficult objects do not count."""
    counts = Counter(missed=len(pairing.missed), duplicate=len(pairing.duplicates))
    overlaps = iou(image.boxes_yxyx[pairing.detections], image.true_boxes_yxyx)
    for detection, found, of_detection in zip(pairing.detections, pairing.objects, overlaps, strict=True):
        same_class = image.true_class_ids == image.class_ids[detection]
        if found < 0:
            counts[_kind(of_detection, same_class)[0]] += 1
        elif not image.is_difficult[found]:
            counts[RIGHT if same_class[found] else "classification"] += 1
    return counts


class Errors(NamedTuple):
    """A detector's errors by kind."""

    counts: dict[str, int]  # kind -> number of errors among the paired detections
    costs: dict[str, float]  # kind -> mAP@0.5 gained by correcting all errors of the kind, 0..1
    mean_ap: float  # mAP@0.5 as it is; as in TIDE, a detection may take its second-nearest object here


class _Detection(NamedTuple):
    """One detection and its error."""

    image_index: int
    score: float
    class_id: int
    error: str  # one of ERROR_TYPES, or "" for a true positive
    corrected_class_id: int = 0  # 0: the correction removes the detection


def errors(images: Sequence[EvaluatedImage], pairings: Sequence[Pairing], num_classes: int) -> Errors:
    """Return the counts and costs of the kinds of error, without difficult objects and their detections."""
    counts = sum(map(count, images, pairings), Counter())
    detections: list[_Detection] = []
    num_true = np.zeros((num_classes + 1, len(images)), int)  # by class id
    missed = np.zeros_like(num_true)
    for index, image in enumerate(images):
        true_class_ids = image.true_class_ids[~image.is_difficult]
        found, missed_objects = _errors_of_image(index, image)
        detections += found
        np.add.at(num_true[:, index], true_class_ids, 1)
        np.add.at(missed[:, index], true_class_ids[missed_objects], 1)

    mean_ap = _mean_ap(detections, num_true)
    costs = {}
    for kind in ERROR_TYPES:
        corrected = [
            one._replace(class_id=one.corrected_class_id, error="") if one.error == kind else one
            for one in detections
            if one.error != kind or one.corrected_class_id
        ]
        # A class without an object left to find drops out of the mean.
        costs[kind] = max(0.0, _mean_ap(corrected, num_true - missed if kind == "missed" else num_true) - mean_ap)
    return Errors({kind: counts[kind] for kind in ERROR_TYPES}, costs, mean_ap)


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
    objects = _take_objects(np.where(same_class, overlaps, 0))
    on_difficult = iou(boxes, image.true_boxes_yxyx[image.is_difficult]) >= FOREGROUND_IOU
    on_difficult &= class_ids[:, np.newaxis] == image.true_class_ids[image.is_difficult]

    detections: list[_Detection] = []
    claimed: set[int] = set()  # objects that a correction of class or box would find
    for place, (class_id, score) in enumerate(zip(class_ids.tolist(), scores.tolist(), strict=True)):
        detection = _Detection(index, score, class_id, "")
        if objects[place] < 0:
            if on_difficult[place].any():
                continue
            kind, nearest = _kind(overlaps[place], same_class[place])
            detection = detection._replace(error=kind)
            if kind in ("classification", "localisation") and nearest not in objects:
                if nearest not in claimed:  # the best detection of either kind, as in the authors' implementation
                    detection = detection._replace(corrected_class_id=int(true_class_ids[nearest]))
                claimed.add(nearest)
        detections.append(detection)
    return detections, np.setdiff1d(np.arange(len(true_class_ids)), [*objects, *claimed])


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
