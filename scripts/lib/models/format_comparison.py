"""Compare the formats of an exported model with its frozen graph."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.lib.core.errors import DataError
from scripts.lib.models.detector import DetectionArrays, Detector
from scripts.lib.models.formats import FormatCheck

MAX_BOX_DIFFERENCE = 0.5  # pixels
MAX_SCORE_DIFFERENCE = 0.01
MAX_MEAN_AP_LOSS = 0.03  # of formats that round
MIN_SCORE = 0.1  # detections below are not compared, but the best of each image always is


class FormatResult(NamedTuple):
    """The largest differences of a format from the frozen graph, boxes in pixels."""

    check: FormatCheck
    box_difference: float
    score_difference: float
    mean_ap: float | None

    def __str__(self) -> str:
        differences = f"boxes differ by {self.box_difference:.3f} pixels, scores by {self.score_difference:.4f}"
        return f"{self.check.title}: {differences}" + ("" if self.mean_ap is None else f"; mAP@0.5 {self.mean_ap:.3f}")


def compare(
    checks: Sequence[FormatCheck],
    folder: Path,
    images_rgb: Sequence[np.ndarray],
    mean_ap: Callable[[Detector], float] | None,
) -> Iterator[FormatResult]:
    """Run every format of an exported model on images, uint8 [height, width, 3] each; compare it with the first.

    `mean_ap` returns a detector's mAP@0.5; it is called for formats that round, and for the first beside one of those.
    """
    reference: list[DetectionArrays] = []
    rounds = not all(check.is_exact for check in checks)
    for check in checks:
        detector = Detector(folder, check.runtime)
        found = list(detector.detect_each(images_rgb, batch_size=1))
        reference = reference or found
        boxes, scores = zip(*itertools.starmap(largest_difference, zip(reference, found, strict=True)), strict=True)
        is_measured = mean_ap and rounds and (check is checks[0] or not check.is_exact)
        yield FormatResult(check, max(boxes), max(scores), mean_ap(detector) if is_measured else None)


def largest_difference(one: DetectionArrays, other: DetectionArrays) -> tuple[float, float]:
    """Return the largest differences between detections of an image and their nearest counterparts of the same class.

    Both sides are searched, since either may have a detection too many.

    Returns:
        Of boxes in pixels, and of scores; infinity where a class has no counterpart.
    """
    boxes, scores = zip(_one_way_difference(one, other), _one_way_difference(other, one), strict=True)
    return max(boxes), max(scores)


def _one_way_difference(wanted: DetectionArrays, found: DetectionArrays) -> tuple[float, float]:
    boxes, scores = 0.0, 0.0
    for number, (box, score, class_id) in enumerate(zip(*wanted, strict=True)):
        if number and score < MIN_SCORE:
            break
        same_class = found.class_ids == class_id
        if not same_class.any():
            return float("inf"), float("inf")
        distances = np.abs(found.boxes_yxyx[same_class] - box).max(axis=1)
        nearest = distances.argmin()
        boxes = max(boxes, float(distances[nearest]))
        scores = max(scores, float(abs(found.scores[same_class][nearest] - score)))
    return boxes, scores


def raise_differences(results: Sequence[FormatResult]) -> None:
    """Raise DataError where a format that should be exact is not, or one that rounds costs too much."""
    limits = f"at most {MAX_BOX_DIFFERENCE} and {MAX_SCORE_DIFFERENCE} are allowed; leave the format out"
    wrong = [
        f"{result}; {limits}"
        for result in results
        if result.check.is_exact
        and (result.box_difference > MAX_BOX_DIFFERENCE or result.score_difference > MAX_SCORE_DIFFERENCE)
    ]
    best = results[0].mean_ap
    wrong += [
        f"{result}, {best:.3f} in float32; at most {MAX_MEAN_AP_LOSS} less is allowed; leave the format out"
        for result in results
        if best is not None and result.mean_ap is not None and result.mean_ap < best - MAX_MEAN_AP_LOSS
    ]
    if wrong:
        raise DataError(wrong, "nothing was exported")
