"""From garment units to pixels."""

from __future__ import annotations

import random

import pytest

from scripts.lib.sample_photos.fabrics import Fabric
from scripts.lib.sample_photos.rendering import Placement, render, silhouette
from scripts.lib.sample_photos.shapes import Dot, Fold, Line, Piece

RED = Fabric("plain", ((200, 0, 0),))
SQUARE = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]


def test_a_placement_moves_scales_and_slants():
    placement = Placement(10, 20, 2, xy=0.5)
    assert placement([(0, 0), (3, 4)]) == [(10, 20), (20, 28)]
    assert placement.magnified(2)([(3, 4)]) == [(40, 56)]


def test_a_silhouette_holds_cloth_and_no_lines():
    items = [Piece(SQUARE, RED), Line([(0, 0), (9, 9)])]
    assert silhouette(items, Placement(10, 10, 10), (100, 100)).getbbox() == (10, 10, 31, 31)


def test_cloth_is_rendered_in_its_colour_and_a_button_on_top():
    items = [Piece(SQUARE, RED), Dot((1, 1), 0.3, (0, 0, 255, 255))]
    layer = render(items, Placement(20, 20, 20), (100, 100), random.Random(1))
    x, y = layer.corner
    red, green, blue, opacity = layer.image.getpixel((28 - x, 28 - y))
    assert red > 120 > 60 > max(green, blue) and opacity == 255
    assert layer.image.getpixel((40 - x, 40 - y))[2] > 200
    assert layer.solid.getpixel((1, 1)) == 0


@pytest.mark.parametrize(("tone", "is_darker"), [(-60, True), (60, False)])
def test_folds_are_shadow_or_light(tone, is_darker):
    def brightness(*folds: Fold) -> int:
        layer = render([Piece(SQUARE, RED, folds)], Placement(0, 0, 40), (100, 100), random.Random(1))
        return layer.image.getpixel((40, 60))[0]

    assert (brightness(Fold((1, 0), (1, 2), 1, tone)) < brightness()) == is_darker
