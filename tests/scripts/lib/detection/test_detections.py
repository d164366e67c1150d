"""Which detections are kept, and the tags they give."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.core.boxes import Detection
from scripts.lib.detection import detections
from scripts.lib.models.detector import DetectionArrays

FOUND = DetectionArrays(
    np.array([[0, 0, 10, 10], [0, 1, 10, 11], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32),
    np.array([0.9, 0.8, 0.7, 0.3], np.float32),
    np.array([1, 1, 2, 3]),
)


@pytest.mark.parametrize(
    ("thresholds", "nms_iou", "scores"),
    [
        ({1: 0.0, 2: 0.0, 3: 0.0}, None, [0.9, 0.8, 0.7, 0.3]),
        ({1: 0.85, 2: 0.7, 3: 0.31}, None, [0.9]),  # float32 0.7 is below 0.7
        ({2: 0.5}, None, [0.7]),
        ({1: 0.0, 2: 0.0}, 0.8, [0.9, 0.7]),  # IoU of the first two: 90 / 110
        ({1: 0.0, 2: 0.0}, 0.82, [0.9, 0.8, 0.7]),
    ],
)
def test_thresholds_of_classes_and_suppression_within_a_class(thresholds, nms_iou, scores):
    assert detections.select(FOUND, thresholds, nms_iou).scores.tolist() == pytest.approx(scores)


def test_names_of_classes_and_the_order_of_corners():
    named = FOUND.named({1: "Tops", 3: "Hats"})
    assert [found.class_name for found in named] == ["Tops", "Tops", "Hats"]
    assert named[1][2:] == (1, 0, 11, 10)


def test_tags_are_the_best_score_of_each_class():
    found = [Detection(name, score, 0, 0, 1, 1) for name, score in (("Tops", 0.5), ("Skirts", 0.7), ("Tops", 0.9))]
    assert detections.best_scores(found) == {"Tops": 0.9, "Skirts": 0.7}
    assert detections.tags(found) == "Tops 90%, Skirts 70%"
    assert detections.tags([]) == "nothing found"
