"""Weighted boxes fusion by the paper's definition, calculated by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.detection import weighted_boxes
from scripts.lib.models.detector import DetectionArrays


def found(*rows: tuple[tuple[float, float, float, float], float, int]) -> DetectionArrays:
    boxes, scores, class_ids = zip(*rows, strict=True) if rows else ([], [], [])
    return DetectionArrays(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(class_ids, np.int64)
    )


def test_two_boxes_of_two_models_become_their_mean_weighted_by_score():
    """IoU 90 / 110. Corners: (0.9 * 0 + 0.3 * 1) / 1.2 = 0.25; score: (0.9 + 0.3) / 2, times min(2, 2) / 2."""
    fused = weighted_boxes.fuse([found(((0, 0, 10, 10), 0.9, 1)), found(((0, 1, 10, 11), 0.3, 1))])
    assert fused.boxes_yxyx.tolist() == [[0, 0.25, 10, 10.25]]
    assert fused.scores == pytest.approx([0.6])
    assert fused.class_ids.tolist() == [1]
    assert fused.boxes_yxyx.dtype == fused.scores.dtype == np.float32


def test_a_box_that_one_of_two_models_found_has_half_its_score():
    fused = weighted_boxes.fuse([found(((0, 0, 10, 10), 0.8, 2)), found()])
    assert fused.scores == pytest.approx([0.4])
    assert fused.boxes_yxyx.tolist() == [[0, 0, 10, 10]]


def test_a_third_box_is_compared_with_the_fused_one_and_not_with_the_first():
    """
    After (0, 10) and (3, 13) of equal score, IoU 7 / 13 > 0.5, the fused box is (1.5, 11.5); (5, 15) overlaps that by
    6.5 / 13.5 < 0.5 and stands alone, (4, 14) by 7.5 / 12.5 = 0.6 and joins, though it overlaps (0, 10) by 6 / 14 only.
    """
    pair = [found(((0, 0, 1, 10), 0.6, 1)), found(((0, 3, 1, 13), 0.6, 1))]
    alone = weighted_boxes.fuse([*pair, found(((0, 5, 1, 15), 0.3, 1))], iou_threshold=0.5)
    assert alone.boxes_yxyx == pytest.approx(np.array([[0, 1.5, 1, 11.5], [0, 5, 1, 15]]))
    assert alone.scores == pytest.approx([0.6 * 2 / 3, 0.3 / 3])
    joined = weighted_boxes.fuse([*pair, found(((0, 4, 1, 14), 0.3, 1))], iou_threshold=0.5)
    assert joined.boxes_yxyx == pytest.approx(np.array([[0, 2, 1, 12]]))
    assert joined.scores == pytest.approx([0.5])


def test_of_several_boxes_of_one_model_the_best_one_gives_the_score_and_all_the_place():
    """Corner: (0.9 * 0 + 0.5 * 1 + 0.6 * 0) / 2; score: (0.9 + 0.6) / 2, where the mean of three would be 0.67."""
    twice = found(((0, 0, 10, 10), 0.9, 1), ((0, 1, 10, 11), 0.5, 1))
    fused = weighted_boxes.fuse([twice, found(((0, 0, 10, 10), 0.6, 1))])
    assert fused.boxes_yxyx == pytest.approx(np.array([[0, 0.25, 10, 10.25]]))
    assert fused.scores == pytest.approx([0.75])


def test_classes_do_not_mix():
    fused = weighted_boxes.fuse([found(((0, 0, 10, 10), 0.9, 1)), found(((0, 0, 10, 10), 0.8, 2))])
    assert fused.class_ids.tolist() == [1, 2]
    assert fused.scores == pytest.approx([0.45, 0.4])


def test_models_that_do_not_know_a_class_take_nothing_from_its_score():
    fused = weighted_boxes.fuse([found(((0, 0, 10, 10), 0.8, 7)), found()], models_of_class={7: 1})
    assert fused.scores == pytest.approx([0.8])


def test_nothing_found_by_anyone():
    fused = weighted_boxes.fuse([found(), found()])
    assert [values.shape for values in fused] == [(0, 4), (0,), (0,)]


def test_boxes_of_score_zero_stay_where_they_are():
    fused = weighted_boxes.fuse([found(((1, 2, 3, 4), 0.0, 1)), found(((1, 2, 3, 4), 0.0, 1))])
    assert fused.boxes_yxyx.tolist() == [[1, 2, 3, 4]]
