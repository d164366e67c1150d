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
SAME_SCORE = 1e-4  # no farther apart: rounding decides which is the higher one
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

    Both sides are searched, since either may have a detection too many. Of boxes with the same score, rounding decides
    which one suppresses the other: where most have a counterpart, those that took each other's place do not count.

    Returns:
        Of boxes in pixels, and of scores; infinity where a class has no counterpart.
    """
    there, back = _nearest(one, other), _nearest(other, one)
    is_lone, other_is_lone = (boxes > MAX_BOX_DIFFERENCE for boxes, _ in (there, back))
    counts = _counts(one, is_lone, other.scores[other_is_lone])
    other_counts = _counts(other, other_is_lone, one.scores[is_lone])
    boxes, scores = (
        float(np.concatenate([differences[counts], other_differences[other_counts]]).max(initial=0.0))
        for differences, other_differences in zip(there, back, strict=True)
    )
    return boxes, scores


def _counts(detections: DetectionArrays, is_lone: np.ndarray, lone_scores: np.ndarray) -> np.ndarray:
    """Return which detections count; of the other side, `lone_scores` are those without a counterpart."""
    counts = (np.arange(len(is_lone)) == 0) | (detections.scores >= MIN_SCORE)
    if 2 * is_lone.sum() < len(is_lone):
        has_same_score = np.abs(detections.scores[:, None] - lone_scores) <= SAME_SCORE
        counts &= ~(is_lone & has_same_score.any(axis=1))
    return counts


def _nearest(wanted: DetectionArrays, found: DetectionArrays) -> tuple[np.ndarray, np.ndarray]:
    """Return of each wanted detection the distance to the nearest one found of its class, in pixels, and in score."""
    if not len(found.scores):
        return (np.full(len(wanted.scores), np.inf),) * 2
    distances = np.abs(wanted.boxes_yxyx[:, None] - found.boxes_yxyx).max(axis=-1)
    distances[wanted.class_ids[:, None] != found.class_ids] = np.inf
    nearest = distances.argmin(axis=1)
    boxes = distances.min(axis=1)
    return boxes, np.where(np.isinf(boxes), np.inf, np.abs(found.scores[nearest] - wanted.scores))


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
