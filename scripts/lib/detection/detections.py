"""Which of a model's detections are kept, and the tags they give."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from scripts.lib.core.boxes import Detection, iou
from scripts.lib.models.detector import DetectionArrays


def select(
    found: DetectionArrays, score_thresholds: Mapping[int, float], nms_iou: float | None = None
) -> DetectionArrays:
    """Return the detections that count.

    Args:
        found: all detections of an image.
        score_thresholds: class id -> score threshold; other classes are left out.
        nms_iou: of two boxes of one class with a higher IoU the one with the lower score is left out; None: none is.
    """
    thresholds = np.array([score_thresholds.get(class_id, np.inf) for class_id in found.class_ids.tolist()])
    kept = np.flatnonzero(found.scores.astype(float) >= thresholds)
    if nms_iou is not None:
        kept = kept[_not_suppressed(found.boxes_yxyx[kept], found.class_ids[kept], nms_iou)]
    return DetectionArrays(*(values[kept] for values in found))


def _not_suppressed(boxes: np.ndarray, class_ids: np.ndarray, iou_threshold: float) -> list[int]:
    """Return the indices that greedy non-maximum suppression keeps; boxes best first."""
    rivals = (iou(boxes, boxes) > iou_threshold) & (class_ids[:, np.newaxis] == class_ids)
    kept: list[int] = []
    for index in range(len(boxes)):
        if not rivals[index, kept].any():
            kept.append(index)
    return kept


def best_scores(found: Iterable[Detection]) -> dict[str, float]:
    """Return class name -> best score, best class first."""
    best: dict[str, float] = {}
    for detection in found:
        best[detection.class_name] = max(detection.score, best.get(detection.class_name, 0.0))
    return best_first(best)


def best_first(scores: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def tags(found: Collection[Detection]) -> str:
    """Return the classes with the best score of each, best first, e.g. "Tops 98%, Skirts 71%"."""
    return ", ".join(f"{name} {score:.0%}" for name, score in best_scores(found).items()) or "nothing found"
