"""The suppression in numpy gives what the Object Detection API's gives, box for box."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.models import non_max_suppression
from scripts.lib.models.non_max_suppression import Settings

MODELS_OWN = Settings(1e-8, 0.6, 100, 100)


def proposals(seed: int, num_boxes: int = 900, num_classes: int = 4, levels: int = 0):
    """Boxes in heaps, some without area, inverted, or outside; scores, with ties where there are few levels."""
    random = np.random.default_rng(seed)
    centres = random.random((12, 2))[random.integers(0, 12, num_boxes)] + random.normal(0, 0.04, (num_boxes, 2))
    sizes = random.random((num_boxes, 2)) * 0.4
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    boxes[::50, 2] = boxes[::50, 0]
    boxes[::60] = boxes[::60][:, [2, 3, 0, 1]]
    boxes[::70] += 1.5
    scores = random.random((num_boxes, num_classes)) ** 3
    if levels:
        scores = np.ceil(scores * levels) / levels
    return boxes.astype(np.float32), scores.astype(np.float32)


def by_the_api(tf, boxes, scores, settings):
    from object_detection.core import post_processing

    with tf.Graph().as_default(), tf.Session() as session:
        found, count = post_processing.multiclass_non_max_suppression(
            tf.constant(boxes[:, np.newaxis]),
            tf.constant(scores),
            settings.score_threshold,
            settings.iou_threshold,
            settings.max_detections_per_class,
            settings.max_total_detections,
            clip_window=tf.constant([0.0, 0.0, 1.0, 1.0]),
        )
        values = session.run([found.get(), found.get_field("scores"), found.get_field("classes"), count])
    return [value[: int(values[3])] for value in values[:3]]


@pytest.mark.parametrize("levels", [0, 5])
@pytest.mark.parametrize(
    "settings",
    [MODELS_OWN, Settings(0.3, 0.3, 5, 100), Settings(0.0, 0.9, 400, 1000), Settings(0.99999, 0.5, 10, 10)],
)
def test_boxes_scores_classes_and_order_are_the_apis(tf, settings, levels):
    boxes, scores = proposals(levels + 1, levels=levels)
    found = non_max_suppression.multiclass(boxes, scores, settings)
    for ours, expected in zip(found, by_the_api(tf, boxes, scores, settings), strict=False):
        np.testing.assert_array_equal(ours, expected)


def test_a_minimum_score_changes_nothing_above_it():
    boxes, scores = proposals(3)
    settings = Settings(1e-8, 0.6, 1000, 1000)
    everything, some = (non_max_suppression.multiclass(boxes, scores, settings, min_score) for min_score in (0, 0.6))
    above = everything[1] >= 0.6
    assert 0 < above.sum() < len(above)
    for all_values, values in zip(everything, some, strict=True):
        np.testing.assert_array_equal(all_values[above], values)


def test_nothing_above_the_threshold_is_no_detection():
    boxes, scores = proposals(4)
    found = non_max_suppression.multiclass(boxes, scores, MODELS_OWN, min_score=1.0)
    assert [len(values) for values in found] == [0] * len(found)
    assert found[0].shape == (0, 4)
