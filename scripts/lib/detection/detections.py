"""Which of a model's detections count: flags, score thresholds, selection; and the tags they give."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.lib.core.boxes import Detection, iou
from scripts.lib.core.command_line import score
from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model
from scripts.lib.models.detector import DEFAULT_SCORE, DetectionArrays

AGNOSTIC_IOU = 0.6  # as the API's models suppress within a class


class Suppression(NamedTuple):
    """Of two boxes with a higher IoU the weaker one is left out: of one class, or of any two."""

    iou: float
    class_agnostic: bool = False


def add_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which detections count")
    threshold = "score threshold (default: those of report.py --update_thresholds, or 0.5)"
    group.add_argument("--min_score", type=score, help=threshold)
    group.add_argument(
        "--class_min_score",
        type=class_score,
        action="append",
        default=[],
        metavar="CLASS=SCORE",
        help="score threshold of one class, e.g. Dresses=0.4; may be repeated",
    )
    group.add_argument("--classes", nargs="+", action="extend", default=[], metavar="CLASS", help="only these classes")
    group.add_argument("--nms_iou", type=score, help="of two boxes of a class with a higher IoU, keep the better one")
    agnostic = f"the same whatever their classes: one box per object (default --nms_iou then: {AGNOSTIC_IOU})"
    group.add_argument("--class_agnostic_nms", action="store_true", help=agnostic)


def suppression(nms_iou: float | None, class_agnostic_nms: bool) -> Suppression | None:
    """Return what the two flags ask for; None: nothing."""
    if nms_iou is None and not class_agnostic_nms:
        return None
    return Suppression(AGNOSTIC_IOU if nms_iou is None else nms_iou, class_agnostic_nms)


def class_score(text: str) -> tuple[str, float]:
    """Parse CLASS=SCORE, for argparse."""
    name, equals, value = text.rpartition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form CLASS=SCORE")
    return name, score(value)


def score_thresholds(
    models: Sequence[Path],
    class_names: Sequence[str],
    min_score: float | None = None,
    class_min_scores: Iterable[tuple[str, float]] = (),
    classes: Sequence[str] = (),
) -> dict[str, float]:
    """Return class name -> score threshold: that of the class, else `min_score`, else the model's, else 0.5.

    `class_names` are all classes of the models; the last three are values of the flags.

    Raises:
        UsageError: a class is unknown.
    """
    of_class = dict(class_min_scores)
    for flag, names in (("--class_min_score", of_class), ("--classes", classes)):
        for name in names:
            if name not in class_names:
                raise UsageError(f"{flag} {name}: the model knows {', '.join(class_names)}")
    general = default_thresholds(models, class_names) if min_score is None else dict.fromkeys(class_names, min_score)
    thresholds = {**general, **of_class}
    return {name: thresholds[name] for name in class_names if not classes or name in classes}


def shown_thresholds(thresholds: Mapping[str, float]) -> str:
    """Return e.g. "0.5" for all classes, "Tops 0.9, Skirts 0.53", or "0.33 to 0.81, by class" for many."""
    lowest, highest = (round(value, 2) for value in (min(thresholds.values()), max(thresholds.values())))
    if lowest == highest:
        return f"{lowest:g}"
    if len(thresholds) > 8:
        return f"{lowest:g} to {highest:g}, by class"
    return ", ".join(f"{name} {round(value, 2):g}" for name, value in thresholds.items())


def default_thresholds(models: Sequence[Path], class_names: Sequence[str]) -> dict[str, float]:
    """Return class name -> mean of the thresholds that report.py wrote into the models, else 0.5."""
    reports = [exported_model.score_thresholds(model) for model in models]
    stated = {name: [report[name] for report in reports if name in report] or [DEFAULT_SCORE] for name in class_names}
    return {name: sum(thresholds) / len(thresholds) for name, thresholds in stated.items()}


def select(
    found: DetectionArrays, score_thresholds: Mapping[int, float], suppression: Suppression | None = None
) -> DetectionArrays:
    """Return the detections that count.

    Args:
        found: all detections of an image, best first.
        score_thresholds: class id -> score threshold; other classes are left out.
        suppression: of overlapping boxes; None: none is left out.
    """
    thresholds = np.array([score_thresholds.get(class_id, np.inf) for class_id in found.class_ids.tolist()])
    kept = np.flatnonzero(found.scores.astype(float) >= thresholds)
    if suppression is not None:
        kept = kept[_not_suppressed(found.boxes_yxyx[kept], found.class_ids[kept], suppression)]
    return DetectionArrays(*(values[kept] for values in found))


def _not_suppressed(boxes: np.ndarray, class_ids: np.ndarray, suppression: Suppression) -> list[int]:
    """Return the indices that greedy non-maximum suppression keeps; boxes best first."""
    rivals = iou(boxes, boxes) > suppression.iou
    if not suppression.class_agnostic:
        rivals &= class_ids[:, np.newaxis] == class_ids
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
    return ", ".join(f"{name} {best:.0%}" for name, best in best_scores(found).items()) or "nothing found"
