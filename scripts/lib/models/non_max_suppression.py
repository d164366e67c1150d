"""The Object Detection API's multi-class non-maximum suppression, in numpy, without TensorFlow.

The same boxes in the same order as object_detection/core/post_processing.py (`multiclass_non_max_suppression` with
`clip_window`), whose kernel is TensorFlow's `NonMaxSuppressionV5` without soft suppression: each class by itself,
greedy by score, ties by class and then by index; boxes are clipped to the image after the suppression, and those that
then have no area are dropped.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_BLOCK = 256  # candidates that are compared with one another at a time: their matrix stays in the cache
_FEW = 1024  # best candidates, nearly always enough; sorting all would take as long as the rest


class Settings(NamedTuple):
    """`post_processing.batch_non_max_suppression` of a pipeline config.

    Attributes:
        score_threshold: only candidates above take part.
        iou_threshold: of two boxes of a class that overlap more, the one with the lower score is removed.
        max_detections_per_class, max_total_detections: so many of the best are kept.
    """

    score_threshold: float
    iou_threshold: float
    max_detections_per_class: int
    max_total_detections: int


def multiclass(
    boxes_yxyx_normalized: np.ndarray, scores: np.ndarray, settings: Settings, min_score: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the detections among the boxes that a model proposes for one image.

    Args:
        boxes_yxyx_normalized: float32 [num_boxes, 4].
        scores: float32 [num_boxes, num_classes], without a background class.
        settings: of the model.
        min_score: leave out candidates below, which changes nothing above: only better boxes suppress a box.

    Returns:
        Boxes float32 [N, 4] (clipped to 0..1), scores float32 [N], classes int64 [N] (columns of `scores`); best first.
    """
    by_class = np.ascontiguousarray(scores.T)
    good = by_class > np.float32(settings.score_threshold)
    if min_score > settings.score_threshold:
        good &= by_class >= min_score
    if by_class.size > _FEW:
        of_the_best = good & (by_class >= np.partition(by_class, -_FEW, axis=None)[-_FEW])
        found = _greedy(boxes_yxyx_normalized, by_class, of_the_best, settings)
        if len(found[1]) == settings.max_total_detections:
            return found
    return _greedy(boxes_yxyx_normalized, by_class, good, settings)


def _greedy(
    boxes_yxyx_normalized: np.ndarray, by_class: np.ndarray, good: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `multiclass` does; by_class: scores [num_classes, num_boxes]; good: bool, which are candidates."""
    numbers, candidate_scores, classes = _candidates(by_class, good)
    boxes = boxes_yxyx_normalized[numbers]
    clipped = np.clip(boxes, 0, 1)
    has_area = (clipped[:, 2] - clipped[:, 0]) * (clipped[:, 3] - clipped[:, 1]) > 0
    left_by_class = np.full(len(by_class), settings.max_detections_per_class)
    left = settings.max_total_detections
    kept = np.empty(0, np.int64)
    for start in range(0, len(boxes), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(boxes)))
        alive = ~_overlapping(boxes, classes, block, kept, settings.iou_threshold).any(axis=1)
        suppresses = _overlapping(boxes, classes, block, block, settings.iou_threshold)
        chosen = []
        for number in np.flatnonzero(alive).tolist():
            index = start + number
            if not alive[number] or not left_by_class[classes[index]]:
                continue
            chosen.append(index)
            alive &= ~suppresses[number]
            left_by_class[classes[index]] -= 1
            left -= bool(has_area[index])
            if not left:
                break
        kept = np.append(kept, np.array(chosen, np.int64))
        if not left:
            break
    kept = kept[has_area[kept]]
    return clipped[kept], candidate_scores[kept], classes[kept]


def _candidates(by_class: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return box numbers, scores and classes of the good ones, best first; ties by class, then by number."""
    places = np.flatnonzero(good)
    scores = by_class.ravel()[places]
    order = np.argsort(-scores, kind="stable")
    classes, numbers = np.divmod(places[order], by_class.shape[1])
    return numbers, scores[order], classes


def _overlapping(
    boxes: np.ndarray, classes: np.ndarray, some: np.ndarray, others: np.ndarray, iou_threshold: float
) -> np.ndarray:
    """Return bool [len(some), len(others)]: of one class, IoU above the threshold in TensorFlow's arithmetic."""
    (ymin, xmin, ymax, xmax), (other_ymin, other_xmin, other_ymax, other_xmax) = (
        (*np.minimum(corners[:, :2], corners[:, 2:]).T, *np.maximum(corners[:, :2], corners[:, 2:]).T)
        for corners in (boxes[some], boxes[others])
    )
    height = np.minimum(ymax[:, None], other_ymax) - np.maximum(ymin[:, None], other_ymin)
    width = np.minimum(xmax[:, None], other_xmax) - np.maximum(xmin[:, None], other_xmin)
    intersection = np.maximum(height, 0) * np.maximum(width, 0)
    areas, other_areas = (ymax - ymin) * (xmax - xmin), (other_ymax - other_ymin) * (other_xmax - other_xmin)
    with np.errstate(invalid="ignore"):  # two boxes without area: 0 / 0, which is not above the threshold
        iou = intersection / (areas[:, None] + other_areas - intersection)
        return (iou > np.float32(iou_threshold)) & (classes[some][:, None] == classes[others])
