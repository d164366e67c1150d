"""What a detector gets wrong: which class it takes for which, which kinds of error cost how much, what it misses.

The kinds of error are those of TIDE (Bolya, Foley, Hays, Hoffman, "TIDE: A General Toolbox for Identifying Object
Detection Errors", ECCV 2020, section 2), with their thresholds 0.5 (foreground) and 0.1 (background):

    classification  overlaps an object of another class by at least 0.5
    localisation    overlaps an object of its class by 0.1 to 0.5
    both            overlaps an object of another class by 0.1 to 0.5
    duplicate       overlaps an object of its class by at least 0.5 that a better detection has found
    background      overlaps every object by less than 0.1
    missed          an object that no detection finds and no correction of class or place would find

An error's cost is the mAP@0.5 that an oracle would give back which corrects all errors of that kind and no other
(section 2.3): the class or the box is corrected, where the object is still to be found and no better such detection
claims it, otherwise the detection is removed; detections of the other kinds are removed; missed objects are no longer
counted. Average precision is the area of detection_metrics.py, not COCO's mean at 101 recalls.
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


# ----------------------------------------------------------------------------------------------- which class for which


class Pairing(NamedTuple):
    """The detections of one image that reach their class's threshold, each with the object that it found.

    Attributes:
        detections: int [num_paired], indices into the image's detections, best score first; spare ones left out.
        objects: int [num_paired], index of the object, -1 where nothing is.
        missed: int [num_missed], indices of the objects that no detection found.
        spare: int [num_spare], indices of the detections of an object that a better one has taken.
    """

    detections: np.ndarray
    objects: np.ndarray
    missed: np.ndarray
    spare: np.ndarray


def pair(image: EvaluatedImage, thresholds: Mapping[int, float]) -> Pairing:
    """Pairs detections with objects regardless of class, at IoU 0.5.

    In order of falling score, a detection takes the object that it overlaps most among those not yet taken: what the
    model says first about an object is what it takes it for.

    Args:
        image: with its detections.
        thresholds: class id -> least score of a detection that counts.
    """
    least = np.array([thresholds[class_id] for class_id in image.class_ids.tolist()])
    kept = np.flatnonzero(image.scores >= least) if len(least) else np.zeros(0, int)
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
    spare = on_object & (objects < 0)
    return Pairing(kept[~spare], objects[~spare], missed, kept[spare])


def confusion_matrix(images: Sequence[EvaluatedImage], pairings: Sequence[Pairing], num_classes: int) -> np.ndarray:
    """Counts of (true class, detected class); class ids are 1..num_classes, background is the last row and column.

    Returns:
        int [num_classes + 1, num_classes + 1]. The last column counts missed objects, the last row detections where
        nothing is; their common cell is 0. Detections of difficult objects are left out, and so are spare ones, which
        are neither taken for another class nor without an object.
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


# ------------------------------------------------------------------------------------------------------ kinds of error


class Errors(NamedTuple):
    """The errors of all detections.

    Attributes:
        counts: kind -> how many.
        costs: kind -> mAP@0.5 that correcting all errors of the kind would give back, 0..1.
        mean_ap: mAP@0.5 as it is; a detection may take its second-nearest object here, as in TIDE.
    """

    counts: dict[str, int]
    costs: dict[str, float]
    mean_ap: float


class _Detection(NamedTuple):
    """One detection and its fate."""

    image_index: int
    score: float
    class_id: int
    error: str  # one of ERROR_TYPES, or "" for a true positive
    corrected_class_id: int = 0  # 0: the correction removes the detection


def errors(images: Sequence[EvaluatedImage], num_classes: int) -> Errors:
    """The kinds of error, their counts and costs; difficult objects and detections of them are left out."""
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
        # Where nothing of a class is left to be found, there is nothing left to be wrong about either: it drops out.
        costs[kind] = max(0.0, _mean_ap([one for one in corrected if one], still_true) - mean_ap)
    counts = {kind: kinds.count(kind) for kind in ERROR_TYPES} | {"missed": int(missed.sum())}
    return Errors(counts, costs, mean_ap)


def _corrected(detection: _Detection) -> _Detection | None:
    if not detection.corrected_class_id:
        return None
    return detection._replace(class_id=detection.corrected_class_id, error="")


def _mean_ap(detections: Sequence[_Detection], num_true: np.ndarray) -> float:
    """The mean AP over the classes that have objects; detections without an error are the true positives."""
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
    """The detections of an image with their errors, and which objects count as missed."""
    order = np.argsort(-image.scores, kind="stable")
    boxes, class_ids, scores = image.boxes_yxyx[order], image.class_ids[order], image.scores[order]
    truth = ~image.is_difficult
    true_class_ids = image.true_class_ids[truth]
    overlaps = iou(boxes, image.true_boxes_yxyx[truth])
    same_class = class_ids[:, np.newaxis] == true_class_ids
    found_by = _match_each_class(np.where(same_class, overlaps, 0))  # [num_true], -1: nobody
    of_difficult = _of_difficult(image, boxes, class_ids)

    detections: list[_Detection] = []
    claimed: set[int] = set()  # objects that a correction of class or place would find
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
    """For each object the detection that finds it: by falling score, each takes the nearest object still free."""
    found_by = np.full(overlaps.shape[1], -1)
    free = overlaps.copy()
    for place in range(len(free) if free.size else 0):
        nearest = free[place].argmax()
        if free[place, nearest] >= FOREGROUND_IOU:
            found_by[nearest] = place
            free[:, nearest] = 0
    return found_by


def _of_difficult(image: EvaluatedImage, boxes_yxyx: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Whether a detection lies on a difficult object of its class; bool [num_detections]."""
    overlaps = iou(boxes_yxyx, image.true_boxes_yxyx[image.is_difficult]) >= FOREGROUND_IOU
    return (overlaps & (class_ids[:, np.newaxis] == image.true_class_ids[image.is_difficult])).any(axis=1)


def _kind(overlaps: np.ndarray, same_class: np.ndarray) -> tuple[str, int]:
    """The kind of error of one false positive, and the object it is about (-1: none); in TIDE's order of tests."""
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
