"""Made detections of two classes, and the numbers of a report on them."""

from __future__ import annotations

import numpy as np

from scripts.lib.evaluation.average_precision import EvaluatedImage
from scripts.lib.evaluation.on_record import RecordDetections
from scripts.lib.report import figures
from scripts.lib.report.figures import ReportedModel, Results

CLASSES = {"Dresses": 1, "Skirts": 2}
BOX, SMALL = (10, 10, 110, 110), (0, 0, 20, 20)


def image(truth: list[tuple], detections: list[tuple], difficult: bool = False) -> EvaluatedImage:
    """Objects as (box, class id), detections as (box, class id, score); boxes in the order y, x, y, x."""
    boxes, ids = zip(*truth, strict=True) if truth else ((), ())
    found, found_ids, scores = zip(*detections, strict=True) if detections else ((), (), ())
    return EvaluatedImage(
        "a.jpg",
        300,
        300,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(ids, int),
        np.full(len(truth), difficult),
        np.array(found, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(found_ids, int),
    )


def results(images: list[EvaluatedImage], boxes_train: dict[str, int] | None = None, input_size=None) -> Results:
    return figures.compute(RecordDetections(100, images), ReportedModel(CLASSES, boxes_train, input_size), 20)


RIGHT = image([(BOX, 1)], [(BOX, 1, 0.9)])
CONFUSED = image([(BOX, 2)], [(BOX, 1, 0.95)])
MISSED_SMALL = image([(SMALL, 2)], [])
