"""The geometry of boxes: rounding, clipping, overlap."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.core.boxes import clip_to_pixels, iou, round_half_up


@pytest.mark.parametrize(("value", "whole"), [(0.5, 1), (1.5, 2), (2.5, 3), (2.49, 2), (-0.5, 0), (-0.6, -1), (7, 7)])
def test_half_goes_up(value, whole):
    assert round_half_up(value) == whole


@pytest.mark.parametrize(
    ("box_xyxy", "expected"),
    [
        ((1.5, 2.5, 8.4, 9.6), (2, 3, 8, 10)),
        ((-3, -0.4, 5, 5), (0, 0, 5, 5)),
        ((5, 5, 99, 99), (5, 5, 20, 10)),
        ((20, 0, 25, 10), None),
        ((3, 3, 3.2, 8), None),
    ],
)
def test_a_box_is_rounded_and_clipped_to_its_image(box_xyxy, expected):
    assert clip_to_pixels(box_xyxy, width=20, height=10) == expected


def test_overlap_of_all_pairs():
    boxes_yxyx = np.array([[0, 0, 2, 2], [0, 0, 0, 0]], float)
    others_yxyx = np.array([[0, 0, 2, 2], [0, 1, 2, 3], [5, 5, 6, 6], [0, 0, 0, 0]], float)
    assert np.allclose(iou(boxes_yxyx, others_yxyx), [[1, 1 / 3, 0, 0], [0, 0, 0, 0]])
