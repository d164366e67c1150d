"""All figures of a report, computed once from the detections, and metrics.json."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.lib.core import files
from scripts.lib.evaluation import average_precision as detection_metrics
from scripts.lib.evaluation import bootstrap, coco, error_types, metrics_file
from scripts.lib.evaluation.average_precision import Calibration, ClassMatches, EvaluatedImage, PrecisionRecall
from scripts.lib.evaluation.error_types import Errors, Pairing

BACKGROUND = "background"
NUM_RESAMPLES = 1000


class Figure(NamedTuple):
    """A figure with its 95% interval; NaN where there is nothing to measure."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return "-" if math.isnan(self.value) else f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


class ClassResult(NamedTuple):
    """What was measured for one class.

    Attributes:
        name: of the class.
        average_precision: AP@0.5.
        threshold: the least score with which F1 is best.
        precision, recall, f1: with that threshold.
        boxes_test: objects in the test record.
        boxes_train: objects in the training record, None where its manifest is not at hand.
        matches: the detections, told apart.
    """

    name: str
    average_precision: Figure
    threshold: float
    precision: float
    recall: float
    f1: float
    boxes_test: int
    boxes_train: int | None
    matches: ClassMatches

    @property
    def curve(self) -> PrecisionRecall:
        return detection_metrics.precision_recall(self.matches)


class Results(NamedTuple):
    """All figures of a report.

    Attributes:
        global_step: of the checkpoint, None where unknown.
        images: what was evaluated.
        classes: in the order of their ids, 1..N.
        mean_ap: mAP@0.5.
        coco: name (coco.NAMES) -> figure.
        confusion: int [N + 1, N + 1], rows the true class, the last one background.
        pairings: of each image, with the thresholds of the classes.
        errors: TIDE's.
        calibration: of all classes together.
    """

    global_step: int | None
    images: Sequence[EvaluatedImage]
    classes: list[ClassResult]
    mean_ap: Figure
    coco: dict[str, Figure]
    confusion: np.ndarray
    pairings: list[Pairing]
    errors: Errors
    calibration: Calibration

    @property
    def labels(self) -> list[str]:
        """The labels of the confusion matrix."""
        return [*(one.name for one in self.classes), BACKGROUND]

    @property
    def num_objects(self) -> int:
        return sum(one.boxes_test for one in self.classes)


def compute(
    images: Sequence[EvaluatedImage],
    class_ids: Mapping[str, int],
    global_step: int | None = None,
    boxes_train: Mapping[str, int] | None = None,
    num_resamples: int = NUM_RESAMPLES,
) -> Results:
    """Computes all figures.

    Args:
        images: with ground truth and detections.
        class_ids: class name -> id, in the order of the ids 1..N.
        global_step: of the checkpoint.
        boxes_train: class name -> objects in the training record.
        num_resamples: for the intervals.
    """
    matches = {name: detection_metrics.match(images, class_id) for name, class_id in class_ids.items()}
    pascal = with_intervals(lambda weights: pascal_figures(matches, weights), len(images), num_resamples)
    coco_matches = coco.match(images, len(class_ids))
    coco_figures = with_intervals(lambda weights: coco.summary(coco_matches, weights), len(images), num_resamples)
    classes = [_class_result(name, matches[name], pascal[name], (boxes_train or {}).get(name)) for name in class_ids]
    thresholds = {class_ids[one.name]: one.threshold for one in classes}
    pairings = [error_types.pair(image, thresholds) for image in images]
    return Results(
        global_step,
        images,
        classes,
        pascal[metrics_file.MEAN_AP],
        coco_figures,
        error_types.confusion_matrix(images, pairings, len(classes)),
        pairings,
        error_types.errors(images, len(classes)),
        detection_metrics.calibration(list(matches.values())),
    )


def pascal_figures(matches: Mapping[str, ClassMatches], weights: np.ndarray) -> dict[str, np.ndarray]:
    """AP@0.5 of each class by its name, and their mean under its name for TensorBoard; float [num_resamples] each."""
    aps = {name: detection_metrics.average_precision(of_class, weights) for name, of_class in matches.items()}
    values = np.array(list(aps.values()))
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0).sum(axis=0)
    aps[metrics_file.MEAN_AP] = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return aps


def with_intervals(figures, num_images: int, num_resamples: int) -> dict[str, Figure]:
    """Figures with their intervals.

    Args:
        figures: takes weights [n, num_images], gives name -> float [n].
        num_images: how many images there are.
        num_resamples: for the intervals.
    """
    samples = bootstrap.resampled(figures, num_images, num_resamples)
    return {
        name: Figure(float(value[0]), *bootstrap.interval(samples[name]))
        for name, value in figures(np.ones((1, num_images))).items()
    }


def _class_result(name: str, matches: ClassMatches, ap: Figure, boxes_train: int | None) -> ClassResult:
    threshold, f1 = detection_metrics.best_threshold(matches)
    kept = matches.is_true_positive[matches.scores >= threshold]
    boxes_test = int(matches.num_true.sum())
    precision = float(kept.mean()) if kept.size else math.nan
    recall = float(kept.sum() / boxes_test) if boxes_test else math.nan
    return ClassResult(name, ap, threshold, precision, recall, f1, boxes_test, boxes_train, matches)


# ---------------------------------------------------------------------------------------------------------------- files


def as_json(results: Results, findings: Sequence[str] = ()) -> dict:
    """The content of metrics.json: what eval.py writes (global_step, num_examples, metrics), and all the rest."""
    prefix = metrics_file.CLASS_AP_PREFIX
    tags = {prefix + one.name: one.average_precision for one in results.classes}
    tags[metrics_file.MEAN_AP] = results.mean_ap
    return without_nan(
        {
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


def without_nan(value):
    """NaN, which JSON has not, becomes null."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def write_json(path: Path | str, content: dict) -> None:
    with files.atomic_write(path, "w") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")


def write_confusion_csv(path: Path | str, results: Results) -> None:
    """The confusion matrix as a table: one row a true class, one column a detected class."""
    with files.atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["true class", *results.labels])
        writer.writerows([label, *row] for label, row in zip(results.labels, results.confusion.tolist(), strict=True))


def write_thresholds(path: Path | str, results: Results) -> None:
    """score_thresholds.json: class name -> the score with the best F1, which detect.py takes for its default."""
    write_json(path, {one.name: round(one.threshold, 4) for one in results.classes})


def table(results: Results) -> str:
    """All figures in lines, for the terminal."""
    rows = [(one.name, str(one.average_precision), one) for one in results.classes]
    width = max(len("AP@[.5:.95]"), len("mean (mAP@0.5)"), *(len(name) for name, *_ in rows))
    step = f"Step {results.global_step}, " if results.global_step else ""
    lines = [
        f"{step}{len(results.images)} images, {results.num_objects} objects; 95% intervals over images:",
        f"  {'class':<{width}}  {'AP@0.5':<24}  boxes  threshold  precision  recall",
        *(
            f"  {name:<{width}}  {ap:<24}  {one.boxes_test:>5}  {one.threshold:>9.2f}  {one.precision:>9.3f}  "
            f"{one.recall:>6.3f}"
            for name, ap, one in rows
        ),
        f"  {'mean (mAP@0.5)':<{width}}  {results.mean_ap}",
        *(f"  {name:<{width}}  {figure}" for name, figure in results.coco.items()),
    ]
    return "\n".join(line.replace("nan", "  -") for line in lines)
