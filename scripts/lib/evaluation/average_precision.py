"""PASCAL VOC's average precision as the Object Detection API computes it, and what follows from the same matches.

That is precision and recall, the best score threshold, and calibration. All of it is computed from `ClassMatches` with
a weight for each image. A bootstrap over images (bootstrap.py) then costs one cumulative sum per resample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scripts.lib.core.boxes import iou


class EvaluatedImage(NamedTuple):
    """An image with its ground truth and a model's detections, best score first."""

    name: str  # as in the record
    width: int  # pixels
    height: int
    true_boxes_yxyx: np.ndarray  # float32 [num_true, 4], pixels
    true_class_ids: np.ndarray  # int [num_true]
    is_difficult: np.ndarray  # bool [num_true]
    boxes_yxyx: np.ndarray  # float32 [num_detections, 4], pixels
    scores: np.ndarray  # float32 [num_detections]
    class_ids: np.ndarray  # int [num_detections]


class ClassMatches(NamedTuple):
    """The detections of one class on all images, best score first."""

    image_index: np.ndarray  # int [num_detections], into the images
    scores: np.ndarray  # float [num_detections]
    is_true_positive: np.ndarray  # bool [num_detections]
    num_true: np.ndarray  # int [num_images], objects of the class on each image without the difficult ones


class PrecisionRecall(NamedTuple):
    """Precision and recall of the detections that reach each of the `scores`; float [num_detections] each."""

    scores: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return np.divide(2 * self.precision * self.recall, both, out=np.zeros_like(both), where=both > 0)


def match(images: Sequence[EvaluatedImage], class_id: int, iou_threshold: float = 0.5) -> ClassMatches:
    """Tell true from false positives of one class as the API does (utils/per_image_evaluation.py).

    By falling score, each detection is assigned to the ground truth box that it overlaps most. It is a true positive if
    the overlap reaches the threshold and no better detection has taken the box; it does not try the second-nearest box.
    It does not count at all if that box is difficult. Boxes without area are left out.
    """
    image_index, scores, is_true_positive = [], [], []
    num_true = np.zeros(len(images), int)
    for index, image in enumerate(images):
        of_class = image.true_class_ids == class_id
        num_true[index] = np.count_nonzero(of_class & ~image.is_difficult)
        has_area = (image.boxes_yxyx[:, :2] < image.boxes_yxyx[:, 2:]).all(axis=1)
        chosen = np.flatnonzero((image.class_ids == class_id) & has_area)
        if not chosen.size:
            continue
        chosen = chosen[np.argsort(image.scores[chosen])[::-1]]
        overlaps = iou(image.boxes_yxyx[chosen], image.true_boxes_yxyx[of_class])
        counts, positive = _match_in_image(overlaps, image.is_difficult[of_class], iou_threshold)
        image_index.append(np.full(np.count_nonzero(counts), index))
        scores.append(image.scores[chosen][counts])
        is_true_positive.append(positive[counts])
    if not scores:
        return ClassMatches(np.zeros(0, int), np.zeros(0), np.zeros(0, bool), num_true)
    all_scores = np.concatenate(scores)
    order = np.argsort(all_scores)[::-1]  # as utils/metrics.py sorts, ties included
    return ClassMatches(
        np.concatenate(image_index)[order], all_scores[order], np.concatenate(is_true_positive)[order], num_true
    )


def _match_in_image(
    overlaps: np.ndarray, is_difficult: np.ndarray, iou_threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return which detections count and which are true positives, from IoU [detections by falling score, true]."""
    num_detections, num_true = overlaps.shape
    counts, positive = np.ones(num_detections, bool), np.zeros(num_detections, bool)
    if not num_true:
        return counts, positive
    nearest = overlaps.argmax(axis=1)
    reaches = overlaps[np.arange(num_detections), nearest] >= iou_threshold
    counts[reaches & is_difficult[nearest]] = False
    candidates = np.flatnonzero(reaches & counts)
    _, first = np.unique(nearest[candidates], return_index=True)
    positive[candidates[first]] = True
    return counts, positive


def weighted_precision(matches: ClassMatches, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the interpolated precision-recall curve at its true positives, the only places where recall grows.

    That is the weight of all true positives up to each one, and the greatest precision from there on, both float
    [num_resamples, num_true_positives]. `weights`: float [num_resamples, num_images], how often an image counts.
    """
    image_index, places = matches.image_index, np.flatnonzero(matches.is_true_positive)
    if not places.size:
        return np.zeros((len(weights), 0)), np.zeros((len(weights), 0))
    positive = np.cumsum(weights[:, image_index[places]], axis=1)
    detected = np.cumsum(weights[:, image_index[: places[-1] + 1]], axis=1)[:, places]
    precision = np.divide(positive, detected, out=np.zeros_like(positive), where=detected > 0)
    return positive, np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]


def average_precision(matches: ClassMatches, weights: np.ndarray | None = None) -> np.ndarray:
    """Return PASCAL VOC's average precision since 2010: the area under the interpolated curve (VOCdevkit, VOCap.m).

    With weights, float [num_resamples, num_images], that of each resample, else a single one: float [num_resamples],
    NaN without an object of the class.
    """
    weights = np.ones((1, len(matches.num_true))) if weights is None else weights
    positive, precision = weighted_precision(matches, weights)
    area = (np.diff(positive, axis=1, prepend=0) * precision).sum(axis=1)
    num_true = weights @ matches.num_true
    return np.divide(area, num_true, out=np.full(len(weights), np.nan), where=num_true > 0)


def average_precisions(
    matches: Mapping[str, ClassMatches], weights: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the AP of each class by its name, and their mean; float [num_resamples] each."""
    aps = {name: average_precision(of_class, weights) for name, of_class in matches.items()}
    return aps, nan_mean(np.array(list(aps.values())))


def nan_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis without NaN, and NaN where nothing is left; [n, m] -> [m]."""
    measured = ~np.isnan(values)
    count = measured.sum(axis=0)
    total = np.where(measured, values, 0).sum(axis=0)
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def precision_recall(matches: ClassMatches) -> PrecisionRecall:
    """Return precision and recall at each detection's score; recall is NaN without an object of the class."""
    positive = np.cumsum(matches.is_true_positive, dtype=float)
    num_true = matches.num_true.sum()
    recall = positive / num_true if num_true else np.full(len(positive), np.nan)
    return PrecisionRecall(matches.scores, positive / np.arange(1, len(positive) + 1), recall)


def best_threshold(matches: ClassMatches) -> tuple[float, float]:
    """Return the score threshold with the best F1, and that F1; (0.5, 0.0) if nothing of the class was found.

    The threshold lies midway between the last score that is kept and the first that is not. On another image the
    detection that decides it scores higher or lower with the same probability.
    """
    curve = precision_recall(matches)
    f1 = np.nan_to_num(curve.f1)
    if not f1.any():
        return 0.5, 0.0
    best = int(f1.argmax())
    lower = curve.scores[best + 1] if best + 1 < len(f1) else 0.0
    return float((curve.scores[best] + lower) / 2), float(f1[best])


class Calibration(NamedTuple):
    """How often detections of a score are right; [num_bins] each, without empty bins."""

    mean_score: np.ndarray  # of the detections in a bin
    fraction_true: np.ndarray  # true positives among them
    count: np.ndarray  # number of detections

    @property
    def expected_error(self) -> float:
        """Expected calibration error (Naeini, Cooper, Hauskrecht, AAAI 2015): the mean gap, weighted by count."""
        if not self.count.sum():
            return float("nan")
        return float(np.average(np.abs(self.mean_score - self.fraction_true), weights=self.count))


def calibration(matches: Sequence[ClassMatches], num_bins: int = 10, min_score: float = 0.05) -> Calibration:
    """Return the calibration of all classes together, in equal bins between `min_score` and 1.

    Lower scores are left out; a detector may return any number of them.
    """
    scores = np.concatenate([one.scores for one in matches])
    is_true = np.concatenate([one.is_true_positive for one in matches])
    kept = scores >= min_score
    bins = np.minimum(((scores[kept] - min_score) / (1 - min_score) * num_bins).astype(int), num_bins - 1)
    count = np.bincount(bins, minlength=num_bins)
    sums = (np.bincount(bins, weights=values[kept], minlength=num_bins) for values in (scores, is_true))
    filled = count > 0
    mean_score, fraction_true = (values[filled] / count[filled] for values in sums)
    return Calibration(mean_score, fraction_true, count[filled])
