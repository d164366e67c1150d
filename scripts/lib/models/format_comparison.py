"""Compare the formats of an exported model with its frozen graph: detections, size, speed."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.lib.core.errors import DataError
from scripts.lib.models.detector import DetectionArrays, Detector
from scripts.lib.models.formats import FormatCheck

MAX_BOX_DIFFERENCE = 0.5  # pixels
MAX_SCORE_DIFFERENCE = 0.01
MIN_SCORE = 0.1  # detections below are not compared, but the best of each image always is
_TURNS = 5


class FormatResult(NamedTuple):
    """The measurements of a format; differences are the largest from the frozen graph, boxes in pixels."""

    check: FormatCheck
    megabytes: float
    milliseconds: float
    box_difference: float
    score_difference: float
    mean_ap: float | None


def compare(
    checks: Sequence[FormatCheck],
    folder: Path,
    images_rgb: Sequence[np.ndarray],
    mean_ap: Callable[[Detector], float] | None,
) -> Iterator[FormatResult]:
    """Run every format on the images; compare it with the first.

    Args:
        checks: of the formats.
        folder: of the exported model.
        images_rgb: uint8 [height, width, 3] each.
        mean_ap: returns a detector's mAP@0.5; called for formats that round, and for the first beside one of those.
    """
    reference: list[DetectionArrays] = []
    rounds = not all(check.is_exact for check in checks)
    for check in checks:
        detector = Detector(folder, check.runtime)
        found = list(detector.detect_each(images_rgb, batch_size=1))
        reference = reference or found
        differences = list(itertools.starmap(largest_difference, zip(reference, found, strict=True)))
        is_measured = rounds and (check is checks[0] or not check.is_exact)
        yield FormatResult(
            check,
            _num_bytes(folder / check.path) / 1e6,
            1000 * statistics.median(_seconds(detector, image) for image in images_rgb for _ in range(_TURNS)),
            max(boxes for boxes, _ in differences),
            max(scores for _, scores in differences),
            mean_ap(detector) if mean_ap and is_measured else None,
        )


def _seconds(detector: Detector, image_rgb: np.ndarray) -> float:
    start = time.perf_counter()
    list(detector.detect_each([image_rgb], batch_size=1))
    return time.perf_counter() - start


def _num_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


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


def table(results: Sequence[FormatResult]) -> str:
    """Return the results as aligned columns; the first is the frozen graph's."""
    cells = [("format", "MB", "ms per image", "largest difference: box (pixels)", "score", "mAP@0.5")]
    for result in results:
        mean_ap = "" if result.mean_ap is None else f"{result.mean_ap:.3f}"
        differences = f"{result.box_difference:.3f}", f"{result.score_difference:.4f}"
        differences = ("", "") if result is results[0] else differences
        cells.append(
            (result.check.title, f"{result.megabytes:.1f}", f"{result.milliseconds:.1f}", *differences, mean_ap)
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)
    return "\n".join(lines)


def raise_differences(results: Sequence[FormatResult]) -> None:
    """Raise DataError where a format that should be exact is not."""
    wrong = [
        f"{result.check.title}: boxes differ by up to {result.box_difference:.2f} pixels (at most "
        f"{MAX_BOX_DIFFERENCE}), scores by up to {result.score_difference:.3f} (at most {MAX_SCORE_DIFFERENCE}); "
        "leave the format out"
        for result in results
        if result.check.is_exact
        and (result.box_difference > MAX_BOX_DIFFERENCE or result.score_difference > MAX_SCORE_DIFFERENCE)
    ]
    if wrong:
        raise DataError(wrong, "nothing was exported")
