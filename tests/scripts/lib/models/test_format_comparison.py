"""Differences between formats: what counts, and what ends the export."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.core.errors import DataError
from scripts.lib.models import format_comparison, formats
from scripts.lib.models.detector import DetectionArrays


def test_a_format_that_differs_ends_the_export():
    check = formats.FormatCheck("ONNX, ONNX Runtime", "onnx")
    exact = format_comparison.FormatResult(check, 0.4, 0.009, None)
    format_comparison.raise_differences([exact, exact._replace(check=check._replace(is_exact=False), box_difference=9)])
    with pytest.raises(DataError, match=r"boxes differ by 0.700 pixels, scores by 0.0090; at most 0.5 and 0.01"):
        format_comparison.raise_differences([exact, exact._replace(box_difference=0.7)])


def test_differences_are_those_of_the_nearest_of_the_same_class():
    one = DetectionArrays(np.array([[0, 0, 9, 9], [5, 5, 8, 8]], np.float32), np.array([0.9, 0.05]), np.array([1, 2]))
    moved = DetectionArrays(one.boxes_yxyx + 0.25, one.scores - 0.01, one.class_ids)
    assert format_comparison.largest_difference(one, moved) == pytest.approx((0.25, 0.01), abs=1e-6)
    assert format_comparison.largest_difference(one, one._replace(class_ids=np.array([2, 2]))) == (np.inf, np.inf)
    best = DetectionArrays(*(values[:1] for values in one))
    strong = one._replace(scores=np.array([0.9, 0.5]))
    assert format_comparison.largest_difference(best, strong) == (np.inf, np.inf), "a detection too many"


def test_boxes_of_the_same_score_may_take_each_others_place_where_most_stay():
    boxes = np.arange(6, dtype=np.float32)[:, None] * 100 + np.array([0, 0, 50, 50], np.float32)
    one = DetectionArrays(boxes, np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.5]), np.ones(6, np.int64))
    swapped = boxes.copy()
    swapped[3] += 20
    assert format_comparison.largest_difference(one, one._replace(boxes_yxyx=swapped)) == (0, 0)
    other_score = np.array([0.9, 0.5, 0.5, 0.49, 0.5, 0.5])
    moved = DetectionArrays(swapped, other_score, one.class_ids)
    assert format_comparison.largest_difference(one, moved) == pytest.approx((20, 0.01))
    assert format_comparison.largest_difference(one, one._replace(boxes_yxyx=boxes + 20)) == (20, 0)


def test_where_nothing_is_found_there_is_no_counterpart():
    one = DetectionArrays(np.ones((1, 4), np.float32), np.array([0.9]), np.array([1]))
    none = DetectionArrays(*(values[:0] for values in one))
    assert format_comparison.largest_difference(one, none) == (np.inf, np.inf)
    assert format_comparison.largest_difference(none, none) == (0, 0)
