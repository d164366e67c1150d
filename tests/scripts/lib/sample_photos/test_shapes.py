"""Curves and outlines."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.sample_photos import shapes
from scripts.lib.sample_photos.fabrics import Fabric

RED = Fabric("plain", ((200, 0, 0),))


def test_a_curve_passes_through_its_points():
    points = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0), (4.0, 4.0)]
    assert shapes.curve(*points, steps=5)[::5].tolist() == [list(point) for point in points]


def test_a_curve_through_points_on_a_line_is_that_line():
    curve = shapes.curve((0, 0), (1, 2), (2, 4), (3, 6))
    assert curve[:, 1] == pytest.approx(2 * curve[:, 0])


def test_a_symmetric_outline_mirrors_its_right_half():
    outline = shapes.symmetric([(0.0, 0.0), (1.0, 0.0)], [(2.0, 3.0)])
    assert outline.tolist() == [[0, 0], [1, 0], [2, 3], [-2, 3], [-1, 0], [0, 0]]


def test_a_pair_is_mirrored_on_the_left():
    left, right = shapes.pair(shapes.Line([(1.0, 2.0), (3.0, 4.0)], 0.5))
    assert np.asarray(left.points).tolist() == [[-1, 2], [-3, 4]] and left.width == 0.5
    assert right.points == [(1.0, 2.0), (3.0, 4.0)]


def test_a_ribbon_is_as_wide_as_asked():
    outline = shapes.ribbon([(0.0, 0.0), (0.0, 4.0)], [1.0, 0.5])
    assert sorted(outline[[0, -1], 0]) == pytest.approx([-1.0, 1.0])
    assert sorted(outline[[6, 7], 0]) == pytest.approx([-0.5, 0.5])
    assert (outline[:, 1].min(), outline[:, 1].max()) == pytest.approx((0, 4))


def test_an_ellipse_touches_its_four_sides():
    outline = shapes.ellipse((1.0, 2.0), 3.0, 0.5)
    assert (*outline.min(axis=0), *outline.max(axis=0)) == pytest.approx((-2.0, 1.5, 4.0, 2.5))
    assert ((outline[:, 0] - 1) / 3) ** 2 + ((outline[:, 1] - 2) / 0.5) ** 2 == pytest.approx(1)


def test_bounds_are_those_of_the_cloth():
    items = [shapes.Piece([(0, 1), (2, 3), (-1, 2)], RED), shapes.Line([(9, 9)])]
    assert shapes.bounds(items) == (-1, 1, 2, 3)
