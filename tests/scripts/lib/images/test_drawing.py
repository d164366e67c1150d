"""Boxes and labels on a picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageColor

from scripts.lib.core.boxes import Detection
from scripts.lib.images import drawing
from scripts.lib.images.palette import PALETTE

CLASSES = ["Tops", "Skirts"]
GREY = (128, 128, 128)


def picture(size=(200, 160)):
    return Image.new("RGB", size, GREY)


def test_the_box_is_where_the_detection_says_in_the_colour_of_its_class():
    drawn = np.asarray(drawing.draw_detections(picture(), [Detection("Skirts", 0.9, 40, 60, 120, 140)], CLASSES))
    color = ImageColor.getrgb(PALETTE[1])
    assert tuple(drawn[140, 80]) == tuple(drawn[100, 40]) == tuple(drawn[100, 120]) == color
    assert tuple(drawn[100, 80]) == GREY, "the inside stays"
    assert tuple(drawn[150, 80]) == GREY, "the outside stays"


def test_the_picture_itself_is_not_changed():
    image = picture()
    drawing.draw_detections(image, [Detection("Tops", 0.9, 10, 10, 50, 50)], CLASSES)
    assert not np.any(np.asarray(image) != 128)


@pytest.mark.parametrize(
    "corners",
    [(-5, -5, 300, 300), (195, 150, 199, 159), (0, 0, 0, 0), (150, 2, 199, 20), (500, 500, 600, 600)],
    ids=["larger", "corner", "empty", "label at the top", "outside"],
)
def test_boxes_at_and_beyond_the_edge_are_drawn_with_their_whole_label(corners):
    drawn = np.asarray(drawing.draw_detections(picture(), [Detection("Tops", 0.5, *corners)], CLASSES))
    ground = ImageColor.getrgb(PALETTE[0])
    rows, columns = np.nonzero((drawn == ground).all(axis=2))
    assert np.ptp(columns) > 40, "the label is as wide as its text"
    assert np.ptp(rows) > 6


def test_tiny_and_huge_pictures():
    for size in ((16, 16), (4000, 3000)):
        assert drawing.draw_detections(picture(size), [Detection("Tops", 1.0, 1, 1, 9, 9)], CLASSES).size == size
