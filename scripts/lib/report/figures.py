"""All numbers of a report, computed once from the detections, and the files that hold them.

To add a number: if it gets an interval, add it to `measure`, and it appears in the table, metrics.json, the page,
TensorBoard and comparisons; if it belongs to a class, add a field to `ClassResult`; otherwise one to `Results`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.lib.core import files
from scripts.lib.core.wording import counted
from scripts.lib.evaluation import average_precision as ap
from scripts.lib.evaluation import bootstrap, coco, error_types, metrics_file
from scripts.lib.evaluation.average_precision import Calibration, ClassMatches, EvaluatedImage, PrecisionRecall
from scripts.lib.evaluation.bootstrap import Figure
from scripts.lib.evaluation.error_types import Errors, Pairing
from scripts.lib.evaluation.on_record import RecordDetections

BACKGROUND = "background"
MEAN = "mean (mAP@0.5)"


class ClassResult(NamedTuple):
    """The numbers of one class."""

    name: str
    average_precision: Figure  # AP@0.5
    threshold: float  # score threshold with the best F1
    precision: float  # at that threshold
    recall: float
    f1: float
    boxes_test: int  # objects in the test record
    boxes_train: int | None  # objects in the training record, None if its manifest is missing
    matches: ClassMatches

    @property
    def curve(self) -> PrecisionRecall:
        return ap.precision_recall(self.matches)


class ReportedModel(NamedTuple):
    """The classes and the input of a model."""

    class_ids: Mapping[str, int]  # class name -> id, in the order of the ids 1..N
    boxes_train: Mapping[str, int] | None = None  # class name -> objects in the training record, None if unknown
    input_size: tuple[int, int] | None = None  # height and width in pixels, None if they are not fixed
    architecture: str = ""  # as the config's feature extractor is called, e.g. ssd_mobilenet_v1


class Matches(NamedTuple):
    """Detections matched with ground truth: class name -> matches, and pycocotools' matches (see `coco.match`)."""

    of_classes: dict[str, ClassMatches]
    coco: dict[str, list[list[ClassMatches]]]


class Results(NamedTuple):
    """All numbers of a report."""

    global_step: int | None  # of the checkpoint, None if unknown
    runtime: str  # that ran the model, empty if unknown
    model: ReportedModel
    images: Sequence[EvaluatedImage]
    classes: list[ClassResult]  # in the order of their ids, 1..N
    mean_ap: Figure  # mAP@0.5
    coco: dict[str, Figure]  # all that `measure` returns beside the AP of the classes and their mean
    confusion: np.ndarray  # int [N + 1, N + 1], rows are the true classes, the last one is background
    pairings: list[Pairing]  # of each image, at the best thresholds of the classes
    errors: Errors
    calibration: Calibration  # of all classes together
    matches: Matches  # what the figures are measured on

    @property
    def labels(self) -> list[str]:
        """The labels of the confusion matrix."""
        return [*(one.name for one in self.classes), BACKGROUND]

    @property
    def num_objects(self) -> int:
        return sum(one.boxes_test for one in self.classes)


def compute(found: RecordDetections, model: ReportedModel, num_resamples: int) -> Results:
    """Compute all numbers of a model's detections on a record."""
    images, class_ids = found.images, model.class_ids
    of_classes = {name: ap.match(images, class_id) for name, class_id in class_ids.items()}
    matches = Matches(of_classes, coco.match(images, len(class_ids)))
    figures = bootstrap.with_intervals(lambda weights: measure(matches, weights), len(images), num_resamples)
    classes = [
        _class_result(name, of_class, figures.pop(name), (model.boxes_train or {}).get(name))
        for name, of_class in of_classes.items()
    ]
    thresholds = {class_ids[one.name]: one.threshold for one in classes}
    pairings = [error_types.pair(image, thresholds) for image in images]
    return Results(
        found.global_step,
        found.runtime,
        model,
        images,
        classes,
        figures.pop(MEAN),
        figures,
        error_types.confusion_matrix(images, pairings, len(classes)),
        pairings,
        error_types.errors(images, pairings, len(classes)),
        ap.calibration(list(of_classes.values())),
        matches,
    )


def measure(matches: Matches, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return every number that gets an interval: mAP@0.5, AP@0.5 of each class by its name, COCO's metrics.

    Each is float [num_resamples]; `weights`, float [num_resamples, num_images], say how often an image counts.
    """
    aps, mean = ap.average_precisions(matches.of_classes, weights)
    return {MEAN: mean, **aps, **coco.summary(matches.coco, weights)}


def _class_result(name: str, matches: ClassMatches, figure: Figure, boxes_train: int | None) -> ClassResult:
    threshold, f1 = ap.best_threshold(matches)
    kept = matches.is_true_positive[matches.scores >= threshold]
    boxes_test = int(matches.num_true.sum())
    precision = float(kept.mean()) if kept.size else math.nan
    recall = float(kept.sum() / boxes_test) if boxes_test else math.nan
    return ClassResult(name, figure, threshold, precision, recall, f1, boxes_test, boxes_train, matches)


def as_json(results: Results, findings: Sequence[str] = (), about: Mapping[str, str] | None = None) -> dict:
    """Return the content of metrics.json: what eval.py writes (global_step, num_examples, metrics), and the rest."""
    tags = pascal_tags(results)
    return metrics_file.finite_or_null(
        {
            "about": dict(about or {}),
            "global_step": results.global_step or 0,
            "num_examples": len(results.images),
            "metrics": {tag: figure.value for tag, figure in tags.items()},
            "intervals_95_percent": {tag: [figure.low, figure.high] for tag, figure in tags.items()},
            "coco": {name: {"value": one.value, "interval": [one.low, one.high]} for name, one in results.coco.items()},
            "classes": {
                one.name: {
                    key: getattr(one, key)
                    for key in ("threshold", "precision", "recall", "f1", "boxes_test", "boxes_train")
                }
                for one in results.classes
            },
            "confusion_matrix": {"labels": results.labels, "rows_true_columns_detected": results.confusion.tolist()},
            "errors": {
                kind: {"count": results.errors.counts[kind], "mAP_given_back": results.errors.costs[kind]}
                for kind in error_types.ERROR_TYPES
            },
            "expected_calibration_error": results.calibration.expected_error,
            "findings": list(findings),
        }
    )


def pascal_tags(results: Results) -> dict[str, Figure]:
    """Return TensorBoard tag -> AP@0.5 of each class, then their mean."""
    tags = {metrics_file.CLASS_AP_PREFIX + one.name: one.average_precision for one in results.classes}
    return {**tags, metrics_file.MEAN_AP: results.mean_ap}


def write_confusion_csv(path: Path | str, results: Results) -> None:
    """Write the confusion matrix, one row per true class and one column per detected class."""
    with files.atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["true class", *results.labels])
        writer.writerows([label, *row] for label, row in zip(results.labels, results.confusion.tolist(), strict=True))


def write_thresholds(path: Path | str, results: Results) -> None:
    """Write score_thresholds.json, class name -> threshold with the best F1, which is detect.py's default."""
    metrics_file.write_json(path, {one.name: round(one.threshold, 4) for one in results.classes})


def table(results: Results) -> str:
    """Return the main numbers as lines of text."""
    rows = [
        (
            one.name,
            f"{one.average_precision!s:<24}  {one.boxes_test:>5}  {one.threshold:>9.2f}  {one.precision:>9.3f}  "
            f"{one.recall:>6.3f}",
        )
        for one in results.classes
    ]
    rows += [(name, str(figure)) for name, figure in ((MEAN, results.mean_ap), *results.coco.items())]
    width = max(len(name) for name, _ in rows)
    step = f"Step {results.global_step}, " if results.global_step else ""
    lines = [
        f"{step}{counted(len(results.images), 'image')}, {counted(results.num_objects, 'object')}; "
        "95% intervals over images:",
        f"  {'class':<{width}}  {'AP@0.5':<24}  boxes  threshold  precision  recall",
        *(f"  {name:<{width}}  {numbers.replace('nan', '  -')}" for name, numbers in rows),
    ]
    return "\n".join(lines)
