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


def label_places(monkeypatch, size, detections, class_names=CLASSES):
    """Draw, and return where the labels are."""
    places = []
    label_place = drawing._label_place
    monkeypatch.setattr(drawing, "_label_place", lambda *args: places.append(label_place(*args)) or places[-1])
    drawing.draw_detections(picture(size), detections, class_names)
    return places


def test_labels_neither_cover_each_other_nor_leave_the_picture(monkeypatch):
    same = [Detection(name, score, 20, 30, 180, 80) for name in CLASSES for score in (0.9, 0.8, 0.7)]
    narrow = [Detection("Skirts", 0.5, x, 110, x + 30, 160) for x in (0, 30, 170)]
    places = label_places(monkeypatch, (200, 160), [*same, *narrow])
    assert len(places) == 9
    for index, (xmin, ymin, xmax, ymax) in enumerate(places):
        assert 0 <= xmin < xmax <= 200 and 0 <= ymin < ymax <= 160
        assert index == 0 or drawing._overlaps(np.array([places[index]]), np.array(places[:index])) == 0
    assert places[0][0] == 20 and places[0][3] == 30, "the best one's stands on its box"


def test_a_long_name_is_drawn_smaller_and_then_shortened(monkeypatch):
    name = "Outerwear and coats of all kinds"
    (xmin, _, xmax, _) = label_places(monkeypatch, (300, 700), [Detection(name, 0.5, 280, 90, 299, 99)], [name])[0]
    assert xmin >= 0 and 250 < xmax - xmin <= 300
    text, font = drawing._fitting_text(Detection(name, 0.5, 0, 0, 9, 9), 30, 120)
    assert text.startswith("Outer") and text.endswith("… 50%") and font.getlength(text) < 120


def test_umlauts_are_drawn():
    pictures = [
        drawing.draw_detections(picture(), [Detection(name, 0.9, 10, 60, 190, 150)], [name])
        for name in ("Röcke", "R□cke", "R\U0010ffffcke")
    ]
    assert len({image.tobytes() for image in pictures}) == 3


def test_tiny_and_huge_pictures():
    for size in ((16, 16), (4000, 3000)):
        assert drawing.draw_detections(picture(size), [Detection("Tops", 1.0, 1, 1, 9, 9)], CLASSES).size == size
