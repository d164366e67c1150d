"""COCO's metrics (https://cocodataset.org/#detection-eval): matched by pycocotools, summarized here.

`summary` does what `COCOeval.accumulate` and `summarize` do, with a weight for each image, so that the metrics can be
bootstrapped. With weights of 1 the results are those of pycocotools.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scripts.lib.evaluation.average_precision import ClassMatches, EvaluatedImage, nan_mean, weighted_precision

MAX_DETECTIONS = 100  # per image and class
_RECALLS = np.linspace(0, 1, 101)


class CocoMetric(NamedTuple):
    """One of COCO's metrics; in pixels of the record's image, small is below 32**2 and large from 96**2."""

    measure: str  # "precision" or "recall"
    area: str
    threshold: int | None  # index of the only IoU threshold; None for the mean of all ten
    tag: str  # in TensorBoard, as the API's COCO evaluation writes it (metrics/coco_evaluation.py)


METRICS = {
    "AP@[.5:.95]": CocoMetric("precision", "all", None, "DetectionBoxes_Precision/mAP"),
    "AP50": CocoMetric("precision", "all", 0, "DetectionBoxes_Precision/mAP@.50IOU"),
    "AP75": CocoMetric("precision", "all", 5, "DetectionBoxes_Precision/mAP@.75IOU"),
    "AP small": CocoMetric("precision", "small", None, "DetectionBoxes_Precision/mAP (small)"),
    "AP medium": CocoMetric("precision", "medium", None, "DetectionBoxes_Precision/mAP (medium)"),
    "AP large": CocoMetric("precision", "large", None, "DetectionBoxes_Precision/mAP (large)"),
    "AR@100": CocoMetric("recall", "all", None, "DetectionBoxes_Recall/AR@100"),
    "AR small": CocoMetric("recall", "small", None, "DetectionBoxes_Recall/AR@100 (small)"),
    "AR medium": CocoMetric("recall", "medium", None, "DetectionBoxes_Recall/AR@100 (medium)"),
    "AR large": CocoMetric("recall", "large", None, "DetectionBoxes_Recall/AR@100 (large)"),
}


def match(images: Sequence[EvaluatedImage], num_classes: int) -> dict[str, list[list[ClassMatches]]]:
    """Match detections with ground truth by pycocotools.

    Class ids are 1..num_classes; difficult objects count like all others, as in the API's COCO metrics.

    Returns:
        Area ("all", "small", "medium", "large") -> classes that have objects of that area -> ten IoU thresholds,
        0.5 to 0.95.
    """
    evaluation = _evaluated(images, num_classes)
    areas = evaluation.params.areaRngLbl
    results = np.array(evaluation.evalImgs, object).reshape(num_classes, len(areas), len(images))
    found: dict[str, list[list[ClassMatches]]] = {area: [] for area in areas}
    for of_class in results:
        for area, of_images in zip(areas, of_class, strict=True):
            matches = _by_threshold(of_images)
            if matches[0].num_true.any():
                found[area].append(matches)
    return found


def _evaluated(images: Sequence[EvaluatedImage], num_classes: int):
    """Return pycocotools' COCOeval after `evaluate()`."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = [_rows(index, one.true_boxes_yxyx, 1, one.true_class_ids) for index, one in enumerate(images)]
    detections = [_rows(index, one.boxes_yxyx, one.scores, one.class_ids) for index, one in enumerate(images)]
    image_ids, class_ids = list(range(len(images))), list(range(1, num_classes + 1))
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        empty = COCO()
        empty.dataset = {"images": [{"id": one} for one in image_ids], "categories": [{"id": one} for one in class_ids]}
        empty.createIndex()
        tables = (np.concatenate([np.empty((0, 7)), *rows]) for rows in (truth, detections))
        evaluation = COCOeval(*(empty.loadRes(table) if len(table) else empty for table in tables), iouType="bbox")
        evaluation.params.imgIds, evaluation.params.catIds = image_ids, class_ids
        evaluation.evaluate()
    return evaluation


def _rows(index: int, boxes_yxyx: np.ndarray, scores: np.ndarray | float, class_ids: np.ndarray) -> np.ndarray:
    """Return the boxes of an image as `COCO.loadRes` takes them: index, x, y, width, height, score, class id."""
    rows = np.empty((len(boxes_yxyx), 7))
    rows[:, 0], rows[:, 5], rows[:, 6] = index, scores, class_ids
    rows[:, 1:3] = boxes_yxyx[:, 1::-1]
    rows[:, 3:5] = boxes_yxyx[:, :1:-1] - rows[:, 1:3]
    return rows


def _by_threshold(of_images: Sequence[dict | None]) -> list[ClassMatches]:
    """Return the matches of one class and area at each IoU threshold, from pycocotools' result on each image."""
    results = [(index, result) for index, result in enumerate(of_images) if result]
    num_true = np.zeros(len(of_images), int)
    for index, result in results:
        num_true[index] = np.count_nonzero(~np.asarray(result["gtIgnore"], bool))
    if not results:
        return [ClassMatches(np.zeros(0, int), np.zeros(0), np.zeros(0, bool), num_true)]
    scores_by_image = [result["dtScores"][:MAX_DETECTIONS] for _, result in results]
    scores = np.concatenate(scores_by_image)
    image_index = np.repeat([index for index, _ in results], [len(of_image) for of_image in scores_by_image])
    matched = np.concatenate([result["dtMatches"][:, :MAX_DETECTIONS] for _, result in results], axis=1) > 0
    ignored = np.concatenate([result["dtIgnore"][:, :MAX_DETECTIONS] for _, result in results], axis=1) > 0
    order = np.argsort(-scores, kind="mergesort")
    image_index, scores = image_index[order], scores[order]
    matched, ignored = matched[:, order], ignored[:, order]
    return [
        ClassMatches(image_index[~ignored_at], scores[~ignored_at], matched_at[~ignored_at], num_true)
        for matched_at, ignored_at in zip(matched, ignored, strict=True)
    ]


def summary(matches: dict[str, list[list[ClassMatches]]], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return the name of each metric in METRICS -> float [num_resamples], NaN without an object of that size.

    `matches` are those of `match`, `weights` say how often an image counts, float [num_resamples, num_images].
    """
    results = {
        area: np.stack([[_precision_and_recall(at, weights) for at in of_class] for of_class in classes])
        for area, classes in matches.items()
        if classes
    }  # area -> [num_classes, 10 thresholds, (precision, recall), num_resamples]
    nothing = np.full((1, 10, 2, len(weights)), np.nan)

    def value(metric: CocoMetric) -> np.ndarray:
        chosen = slice(None) if metric.threshold is None else slice(metric.threshold, metric.threshold + 1)
        measure = ("precision", "recall").index(metric.measure)
        return nan_mean(results.get(metric.area, nothing)[:, chosen, measure].reshape(-1, len(weights)))

    return {name: value(metric) for name, metric in METRICS.items()}


def _precision_and_recall(matches: ClassMatches, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean precision at 101 recalls and the greatest recall; float [num_resamples], NaN without objects."""
    num_true = weights @ matches.num_true
    positive, precision = weighted_precision(matches, weights)
    mean_precision, recall = np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    for row in np.flatnonzero(num_true):
        recalls = positive[row] / num_true[row]
        places = np.searchsorted(recalls, _RECALLS, side="left")
        mean_precision[row] = precision[row, places[places < len(recalls)]].sum() / len(_RECALLS)
        recall[row] = recalls[-1] if len(recalls) else 0.0
    return mean_precision, recall
