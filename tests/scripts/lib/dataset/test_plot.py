"""The plot of a data set."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageColor

from scripts.lib.dataset import plot
from scripts.lib.images.palette import PALETTE


@pytest.mark.parametrize("num_boxes", [0, 3])
@pytest.mark.parametrize("anchors", [None, [np.full((2, 2), 0.3), np.ones((1, 2))]])
def test_it_is_a_png_with_or_without_boxes_and_anchors(tmp_path, num_boxes, anchors):
    shapes = np.linspace(0.1, 0.9, 2 * num_boxes).reshape(-1, 2)
    sides = {"training": {"Tops": num_boxes, "Skirts": 0}, "test": {"Tops": 0, "Skirts": 0}}
    plot.draw(tmp_path / "a.png", sides, shapes, ["Tops"] * num_boxes, [(60, 80)] * num_boxes, anchors)
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG" and min(image.size) > 800


def test_a_class_has_its_colour_in_the_bars(tmp_path):
    plot.draw(tmp_path / "a.png", {"boxes": {"Tops": 5, "Skirts": 5}}, np.empty((0, 2)), [], [])
    colors = {tuple(color) for _, color in Image.open(tmp_path / "a.png").convert("RGB").getcolors(2**20)}
    assert {ImageColor.getrgb(color) for color in PALETTE[:2]} <= colors
