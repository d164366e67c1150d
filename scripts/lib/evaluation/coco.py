"""COCO's metrics (https://cocodataset.org/#detection-eval): pycocotools matches, the figures are summed up here.

The summing up is that of `COCOeval.accumulate` and `summarize` with a weight for each image, so that the figures can be
bootstrapped; with weight 1 it gives what pycocotools gives.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scripts.lib.evaluation.average_precision import EvaluatedImage, weighted_precision

MAX_DETECTIONS = 100  # an image and class
_RECALLS = np.linspace(0, 1, 101)
# Name -> (its area, index of its only IoU threshold). Areas in pixels of the image in the record: small below 32**2,
# large from 96**2 on.
_PRECISIONS = {
    "AP@[.5:.95]": ("all", None),
    "AP50": ("all", 0),
    "AP75": ("all", 5),
    "AP small": ("small", None),
    "AP medium": ("medium", None),
    "AP large": ("large", None),
}
_RECALL_NAMES = {"AR@100": "all", "AR small": "small", "AR medium": "medium", "AR large": "large"}
NAMES = (*_PRECISIONS, *_RECALL_NAMES)
# Name -> tag for TensorBoard, as the API's own COCO evaluation writes it (metrics/coco_evaluation.py).
TAGS = {
    "AP@[.5:.95]": "DetectionBoxes_Precision/mAP",
    "AP50": "DetectionBoxes_Precision/mAP@.50IOU",
    "AP75": "DetectionBoxes_Precision/mAP@.75IOU",
    **{f"AP {size}": f"DetectionBoxes_Precision/mAP ({size})" for size in ("small", "medium", "large")},
    "AR@100": "DetectionBoxes_Recall/AR@100",
    **{f"AR {size}": f"DetectionBoxes_Recall/AR@100 ({size})" for size in ("small", "medium", "large")},
}


class CocoMatches(NamedTuple):
    """The detections of one class in one range of areas at one IoU threshold, ignored ones left out, best first."""

    image_index: np.ndarray  # int [num_detections]
    is_true_positive: np.ndarray  # bool [num_detections]
    num_true: np.ndarray  # int [num_images], objects that count


def match(images: Sequence[EvaluatedImage], num_classes: int) -> dict[str, list[list[CocoMatches]]]:
    """Matches with pycocotools.

    Args:
        images: class ids are 1..num_classes; difficult objects count like all others, as in the API's COCO metrics.
        num_classes: of the label map.

    Returns:
        Area ("all", "small", "medium", "large") -> for each class that has objects in it, for each of the ten IoU
        thresholds 0.5 to 0.95, its matches.
    """
    evaluation = _evaluated(images, num_classes)
    found: dict[str, list[list[CocoMatches]]] = {area: [] for area in evaluation.params.areaRngLbl}
    results = iter(evaluation.evalImgs)  # class by class, area by area, image by image
    for _ in range(num_classes):
        for area in evaluation.params.areaRngLbl:
            of_images = [(index, next(results)) for index in range(len(images))]
            matches = _by_threshold([(index, result) for index, result in of_images if result], len(images))
            if matches[0].num_true.any():
                found[area].append(matches)
    return found


def _evaluated(images: Sequence[EvaluatedImage], num_classes: int):
    """pycocotools' evaluation, matched and not yet summed up."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = [
        {"image_id": index, "category_id": int(class_id), "iscrowd": 0, **_box(box)}
        for index, image in enumerate(images)
        for box, class_id in zip(image.true_boxes_yxyx.tolist(), image.true_class_ids, strict=True)
    ]
    detections = [
        {"image_id": index, "category_id": int(class_id), "score": score, **_box(box)}
        for index, image in enumerate(images)
        for box, class_id, score in zip(
            image.boxes_yxyx.tolist(), image.class_ids.tolist(), image.scores.tolist(), strict=True
        )
    ]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools tells how long each of its steps took
        sides = [_coco(COCO(), annotations, len(images), num_classes) for annotations in (truth, detections)]
        evaluation = COCOeval(*sides, iouType="bbox")
        evaluation.params.imgIds = list(range(len(images)))
        evaluation.params.catIds = list(range(1, num_classes + 1))
        evaluation.evaluate()
    return evaluation


def _box(box_yxyx: Sequence[float]) -> dict:
    ymin, xmin, ymax, xmax = box_yxyx
    return {"bbox": [xmin, ymin, xmax - xmin, ymax - ymin], "area": (xmax - xmin) * (ymax - ymin)}


def _coco(coco, annotations: list[dict], num_images: int, num_classes: int):
    coco.dataset = {
        "images": [{"id": index} for index in range(num_images)],
        "categories": [{"id": class_id} for class_id in range(1, num_classes + 1)],
        "annotations": [{"id": number, **annotation} for number, annotation in enumerate(annotations, start=1)],
    }
    coco.createIndex()
    return coco


def _by_threshold(results: Sequence[tuple[int, dict]], num_images: int) -> list[CocoMatches]:
    """One class and area: from pycocotools' result of each image to arrays, for each IoU threshold."""
    num_true = np.zeros(num_images, int)
    for index, result in results:
        num_true[index] = np.count_nonzero(~np.asarray(result["gtIgnore"], bool))
    if not results:
        return [CocoMatches(np.zeros(0, int), np.zeros(0, bool), num_true)]
    scores_by_image = [result["dtScores"][:MAX_DETECTIONS] for _, result in results]
    scores = np.concatenate(scores_by_image)
    image_index = np.repeat([index for index, _ in results], [len(of_image) for of_image in scores_by_image])
    matched = np.concatenate([result["dtMatches"][:, :MAX_DETECTIONS] for _, result in results], axis=1) > 0
    ignored = np.concatenate([result["dtIgnore"][:, :MAX_DETECTIONS] for _, result in results], axis=1) > 0
    order = np.argsort(-scores, kind="mergesort")
    image_index, matched, ignored = image_index[order], matched[:, order], ignored[:, order]
    return [
        CocoMatches(image_index[~ignored_at], matched_at[~ignored_at], num_true)
        for matched_at, ignored_at in zip(matched, ignored, strict=True)
    ]


def summary(matches: dict[str, list[list[CocoMatches]]], weights: np.ndarray) -> dict[str, np.ndarray]:
    """The figures named in NAMES.

    Args:
        matches: what `match` gave.
        weights: float [num_resamples, num_images], how often an image counts.

    Returns:
        Name -> float [num_resamples]; NaN where there is no object that size.
    """
    results = {
        area: np.stack([[_precision_and_recall(at, weights) for at in of_class] for of_class in classes])
        for area, classes in matches.items()
        if classes
    }  # area -> [num_classes, 10 thresholds, (precision, recall), num_resamples]
    nothing = np.full((1, 10, 2, len(weights)), np.nan)

    def mean(area: str, which: int, threshold: int | None = None) -> np.ndarray:
        chosen = slice(None) if threshold is None else slice(threshold, threshold + 1)
        values = results.get(area, nothing)[:, chosen, which].reshape(-1, len(weights))
        there = ~np.isnan(values)
        count = there.sum(axis=0)
        total = np.where(there, values, 0).sum(axis=0)
        return np.divide(total, count, out=np.full(len(weights), np.nan), where=count > 0)

    return {
        **{name: mean(area, 0, threshold) for name, (area, threshold) in _PRECISIONS.items()},
        **{name: mean(area, 1) for name, area in _RECALL_NAMES.items()},
    }


def _precision_and_recall(matches: CocoMatches, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean precision at the 101 recalls, and the greatest recall; float [num_resamples], NaN without an object."""
    num_true = weights @ matches.num_true
    positive, precision = weighted_precision(matches.image_index, matches.is_true_positive, weights)
    mean_precision, recall = np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    for row in np.flatnonzero(num_true):
        recalls = positive[row] / num_true[row]
        places = np.searchsorted(recalls, _RECALLS, side="left")
        mean_precision[row] = precision[row, places[places < len(recalls)]].sum() / len(_RECALLS)
        recall[row] = recalls[-1] if len(recalls) else 0.0
    return mean_precision, recall
