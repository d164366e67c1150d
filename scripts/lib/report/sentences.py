"""What the figures of a report say, in sentences; what matters most first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from scripts.lib.report.figures import Results

FEW_BOXES = 150  # to learn a class from
FEW_IMAGES = 50  # to tell two models apart
SMALL_PIXELS = 32  # side of an object in the model's input; the first feature map of these models has a stride of 16
_REMEDIES = {
    "classification": "the classes look alike to the model: more photos of the confused classes",
    "localisation": "boxes sit badly: check how tightly they were drawn, or train longer",
    "both": "",
    "duplicate": "one object found twice: a lower iou_threshold of the non-maximum suppression",
    "background": "objects seen where there are none: add photos without any (generate_tfrecord.py takes negatives)",
    "missed": "objects not found at all: more of their kind in the training set",
}


class Confusion(NamedTuple):
    """One class taken for another."""

    true_class: str
    detected_class: str
    count: int
    errors: int  # of the true class, missed ones included


def confusions(results: Results) -> list[Confusion]:
    """All pairs of classes that were confused, most often first."""
    num_classes = len(results.classes)
    matrix, labels = results.confusion, results.labels
    pairs = [
        Confusion(
            labels[true], labels[detected], int(matrix[true, detected]), int(matrix[true].sum() - matrix[true, true])
        )
        for true in range(num_classes)
        for detected in range(num_classes)
        if true != detected and matrix[true, detected]
    ]
    return sorted(pairs, key=lambda pair: -pair.count)


def sentences(results: Results, input_size: tuple[int, int] | None = None) -> list[str]:
    """The findings.

    Args:
        results: all figures.
        input_size: height and width of the model's input in pixels, None where it has no fixed one.
    """
    groups = (_overall, _confused, _spare, _rare, _kinds)
    last = (_calibration, _thresholds)
    return [
        *(sentence for group in groups for sentence in group(results)),
        *_small(results, input_size),
        *(sentence for group in last for sentence in group(results)),
    ]


def _overall(results: Results) -> Iterator[str]:
    ap, count = results.mean_ap, len(results.images)
    if not results.num_objects:
        yield f"The record of {count} images holds no object: nothing can be said about what is found."
        return
    yield (
        f"mAP@0.5 is {ap.value:.3f} on {count} images with {results.num_objects} objects; "
        f"other images of this kind would give between {ap.low:.3f} and {ap.high:.3f} (95% interval)."
    )
    if count < FEW_IMAGES:
        yield f"{count} images decide little: a difference below {(ap.high - ap.low) / 2:.2f} may be chance."
    measured = [one for one in results.classes if one.boxes_test]
    if len(measured) > 1:
        worst = min(measured, key=lambda one: one.average_precision.value)
        best = max(measured, key=lambda one: one.average_precision.value)
        yield (
            f"{best.name} are found best (AP {best.average_precision.value:.2f}), "
            f"{worst.name} worst (AP {worst.average_precision.value:.2f})."
        )
    without = [one.name for one in results.classes if not one.boxes_test]
    if without:
        yield f"The test record holds no {' and no '.join(without)}: the mean leaves them out."


def _confused(results: Results) -> Iterator[str]:
    for pair in confusions(results)[:3]:
        if pair.count >= 2:
            yield (
                f"{pair.true_class} are taken for {pair.detected_class} in {pair.count / pair.errors:.0%} of their "
                f"errors ({pair.count} of {pair.errors})."
            )


def _rare(results: Results) -> Iterator[str]:
    counts = {one.name: one.boxes_train for one in results.classes if one.boxes_train is not None}
    rare = {name: count for name, count in counts.items() if count < FEW_BOXES}
    if len(rare) == 1 and len(counts) > 1:
        ((name, count),) = rare.items()
        yield f"{name} has {count} boxes to learn from: label more, or oversample it."
    elif rare:
        listed = ", ".join(f"{name} {count}" for name, count in sorted(rare.items(), key=lambda item: item[1]))
        yield f"There are few boxes to learn from: {listed}. Label more, or oversample them."


def _spare(results: Results) -> Iterator[str]:
    spare = sum(len(pairing.duplicates) for pairing in results.pairings)
    if spare >= max(5, 0.05 * results.num_objects):
        yield f"{spare} objects are detected a second time, as a rule under the name of another class."


def _kinds(results: Results) -> Iterator[str]:
    costs = {kind: cost for kind, cost in results.errors.costs.items() if cost >= 0.01}
    for kind in sorted(costs, key=costs.get, reverse=True)[:2]:
        remedy = f": {_REMEDIES[kind]}" if _REMEDIES[kind] else ""
        what = "missed objects" if kind == "missed" else f"{kind} errors"
        yield f"Without its {what} the mAP@0.5 would be {costs[kind]:.3f} higher{remedy}."


def _small(results: Results, input_size: tuple[int, int] | None) -> Iterator[str]:
    """Whether the missed objects are small, in pixels of the model's input."""
    if input_size is None:
        return
    missed = []
    for image, pairing in zip(results.images, results.pairings, strict=True):
        ymin, xmin, ymax, xmax = image.true_boxes_yxyx[pairing.missed].T
        height, width = input_size[0] / image.height, input_size[1] / image.width
        missed += np.sqrt((ymax - ymin) * height * (xmax - xmin) * width).tolist()
    small = sum(side < SMALL_PIXELS for side in missed)
    if not missed:
        return
    if small / len(missed) >= 0.2:
        yield (
            f"A larger input would help: {small / len(missed):.0%} of the {len(missed)} missed objects are smaller "
            f"than {SMALL_PIXELS} pixels in the model's input of {input_size[1]}x{input_size[0]}."
        )
    elif len(missed) >= 10:
        yield (
            f"A larger input would change little: {small or 'none'} of the {len(missed)} missed objects are smaller "
            f"than {SMALL_PIXELS} pixels in the model's input of {input_size[1]}x{input_size[0]}."
        )


def _calibration(results: Results) -> Iterator[str]:
    calibration = results.calibration
    error = calibration.expected_error
    if calibration.count.sum() < 30 or error < 0.05:
        return
    gap = np.average(calibration.mean_score - calibration.fraction_true, weights=calibration.count)
    direction = "too sure of itself: of its detections fewer are right" if gap > 0 else "too modest: more are right"
    yield f"The model is {direction} than their scores say, by {error:.2f} on average."


def _thresholds(results: Results) -> Iterator[str]:
    found = [one for one in results.classes if one.f1 > 0]
    if found:
        least, most = min(one.threshold for one in found), max(one.threshold for one in found)
        span = f"{least:.2f}" if f"{least:.2f}" == f"{most:.2f}" else f"{least:.2f} to {most:.2f}, by class"
        right = np.nanmean([one.precision for one in found])
        seen = np.mean([one.recall for one in results.classes if one.boxes_test])
        yield (
            f"With a score threshold of {span}, {right:.0%} of the detections are right and {seen:.0%} of the objects "
            "are found (mean of the classes)."
        )
