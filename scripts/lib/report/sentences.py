"""The findings of a report: what its numbers say, in sentences, the most important ones first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from scripts.lib.report.figures import Results

FEW_BOXES = 150  # to learn a class from
FEW_IMAGES = 50  # to tell two models apart
HARDLY_TRAINED = 0.1  # mAP@0.5 below which no kind of error says anything
SMALL_PIXELS = 32  # side of an object in the model's input; the first feature map of these models has a stride of 16
_REMEDIES = {
    "classification": "the classes look alike to the model: add images of the confused classes",
    "localisation": "boxes are not placed well: check how tightly they were drawn, or train longer",
    "both": "neither class nor place is right: train longer, or add images",
    "duplicate": "one object is found twice: use a lower iou_threshold in the non-maximum suppression",
    "background": "objects are seen where there are none: add images without any (xml_to_csv.py --include_negatives)",
    "missed": "objects are not found at all: add more of their kind to the training set",
}


class Confusion(NamedTuple):
    """A class taken for another; `errors` counts all errors of the true class, missed objects included."""

    true_class: str
    detected_class: str
    count: int
    errors: int


def confusions(results: Results) -> list[Confusion]:
    """Return all pairs of confused classes, the most frequent first."""
    matrix, labels = results.confusion, results.labels
    errors = matrix.sum(axis=1) - matrix.diagonal()
    pairs = [
        Confusion(labels[true], labels[detected], int(count), int(errors[true]))
        for (true, detected), count in np.ndenumerate(matrix[:-1, :-1])
        if true != detected and count
    ]
    return sorted(pairs, key=lambda pair: -pair.count)


def sentences(results: Results) -> list[str]:
    """Return the findings."""
    if results.num_objects and results.mean_ap.value < HARDLY_TRAINED:
        hardly = "The model has learned next to nothing: train longer; "
        return [*_overall(results), f"{hardly}train.py --overfit 10 tells whether records and config are right."]
    groups = (_overall, _confused, _rare, _error_types, _small, _thresholds)
    return [sentence for group in groups for sentence in group(results)]


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
    measured = sorted((one.average_precision.value, one.name) for one in results.classes if one.boxes_test)
    if len(measured) > 1:
        (worst_ap, worst), (best_ap, best) = measured[0], measured[-1]
        yield f"{best} are found best (AP {best_ap:.2f}), {worst} worst (AP {worst_ap:.2f})."
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
        remedy = "Label more, or oversample them." if len(counts) > 1 else "Label more."
        yield f"There are few boxes to learn from: {listed}. {remedy}"


def _error_types(results: Results) -> Iterator[str]:
    costs = {kind: cost for kind, cost in results.errors.costs.items() if cost >= 0.01}
    for kind in sorted(costs, key=costs.get, reverse=True)[:2]:
        errors = {"missed": "missed objects", "both": "errors of class and place at once"}.get(kind, f"{kind} errors")
        yield f"Without its {errors} the mAP@0.5 would be {costs[kind]:.3f} higher: {_REMEDIES[kind]}."


def _small(results: Results) -> Iterator[str]:
    """Say whether the missed objects are small, in pixels of the model's input."""
    if results.model.input_size is None:
        return
    input_height, input_width = results.model.input_size
    missed = []
    for image, pairing in zip(results.images, results.pairings, strict=True):
        ymin, xmin, ymax, xmax = image.true_boxes_yxyx[pairing.missed].T
        height, width = input_height / image.height, input_width / image.width
        missed += np.sqrt((ymax - ymin) * height * (xmax - xmin) * width).tolist()
    small = sum(side < SMALL_PIXELS for side in missed)
    of_missed = (
        f"of the {len(missed)} missed objects are smaller than {SMALL_PIXELS} pixels in the model's input of "
        f"{input_width}x{input_height}."
    )
    if missed and small / len(missed) >= 0.2:
        yield f"A larger input would help: {small / len(missed):.0%} {of_missed}"
    elif len(missed) >= 10:
        yield f"A larger input would change little: {small or 'none'} {of_missed}"


def _thresholds(results: Results) -> Iterator[str]:
    found = [one for one in results.classes if one.f1 > 0]
    if found:
        lowest, highest = (f"{pick(one.threshold for one in found):.2f}" for pick in (min, max))
        span = lowest if lowest == highest else f"{lowest} to {highest}, by class"
        right = np.nanmean([one.precision for one in found])
        recall = np.mean([one.recall for one in results.classes if one.boxes_test])
        yield (
            f"With a score threshold of {span}, {right:.0%} of the detections are right and {recall:.0%} of the "
            "objects are found (mean of the classes)."
        )
