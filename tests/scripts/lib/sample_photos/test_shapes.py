"""Curves and outlines."""

from __future__ import annotations

import pytest

from scripts.lib.sample_photos import shapes


def test_a_curve_passes_through_its_points():
    points = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0), (4.0, 4.0)]
    assert shapes.curve(*points, steps=5)[::5] == points


def test_a_curve_through_points_on_a_line_is_that_line():
    assert all(y == pytest.approx(2 * x) for x, y in shapes.curve((0, 0), (1, 2), (2, 4), (3, 6)))


def test_a_symmetric_outline_mirrors_its_right_half():
    outline = shapes.symmetric([(0.0, 0.0), (1.0, 0.0)], [(2.0, 3.0)])
    assert outline == [(0.0, 0.0), (1.0, 0.0), (2.0, 3.0), (-2.0, 3.0), (-1.0, 0.0), (-0.0, 0.0)]


def test_a_ribbon_is_as_wide_as_asked():
    outline = shapes.ribbon([(0.0, 0.0), (0.0, 4.0)], [1.0, 0.5], steps=4)
    assert outline[0] == pytest.approx((1.0, 0.0)) and outline[-1] == pytest.approx((-1.0, 0.0))
    assert outline[4] == pytest.approx((0.5, 4.0)) and outline[5] == pytest.approx((-0.5, 4.0))


@pytest.mark.parametrize(("t", "end"), [(0.25, (0.5, 0.0)), (0.5, (1.0, 0.0)), (0.75, (1.0, 1.0)), (1.0, (1.0, 2.0))])
def test_part_of_a_polyline_ends_where_asked(t, end):
    assert shapes.along([(0.0, 0.0), (1.0, 0.0), (1.0, 2.0)], t)[-1] == pytest.approx(end)


def test_an_ellipse_touches_its_four_sides():
    xs, ys = zip(*shapes.ellipse((1.0, 2.0), 3.0, 0.5), strict=True)
    assert (min(xs), max(xs), min(ys), max(ys)) == pytest.approx((-2.0, 4.0, 1.5, 2.5), abs=0.01)
