"""The photos: which garments, where, and boxes that fit them."""

from __future__ import annotations

import collections

import pytest
from PIL import Image, ImageDraw

from scripts.lib.sample_photos import studio
from scripts.lib.sample_photos.fabrics import Fabric
from scripts.lib.sample_photos.rendering import Placement
from scripts.lib.sample_photos.shapes import Piece

RED = Fabric("plain", ((200, 0, 0),))


def square(name: str, x: int, y: int, side: int) -> studio.Thing:
    outline = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    return studio.Thing(name, [Piece(outline, RED)], Placement(x, y, side))


def test_classes_occur_as_often_as_in_the_original():
    counts = collections.Counter(name for index in range(4000) for name in studio.plan(1, index))
    boxes, weights = sum(counts.values()), sum(studio.CLASS_WEIGHTS.values())
    assert weights == 1586
    for name, weight in studio.CLASS_WEIGHTS.items():
        assert counts[name] / boxes == pytest.approx(weight / weights, abs=0.015), name


def test_one_to_four_garments_a_photo_as_many_as_in_the_original_on_average():
    numbers = collections.Counter(len(studio.plan(1, index)) for index in range(4000))
    assert set(numbers) == {1, 2, 3, 4}
    assert sum(number * count for number, count in numbers.items()) / 4000 == pytest.approx(1586 / 911, abs=0.05)


@pytest.mark.parametrize("index", range(8))
def test_a_photo_has_a_box_for_each_planned_garment_of_a_usable_size(index):
    photo = studio.take_photo(3, index)
    assert sorted(box.name for box in photo.boxes) == sorted(studio.plan(3, index))
    for box in photo.boxes:
        assert 0 <= box.xmin < box.xmax <= photo.image.width
        assert 0 <= box.ymin < box.ymax <= photo.image.height
        assert max((box.xmax - box.xmin) / photo.image.width, (box.ymax - box.ymin) / photo.image.height) > 0.15


def test_the_same_photo_twice_is_the_same_to_the_pixel():
    first, second = studio.take_photo(5, 7), studio.take_photo(5, 7)
    assert first.image.tobytes() == second.image.tobytes()
    assert first.boxes == second.boxes


@pytest.mark.parametrize(
    ("things", "visible"),
    [
        ([square("Tops", 10, 10, 100)], True),
        ([square("Tops", -20, 10, 100)], True),  # a fifth outside the frame
        ([square("Tops", -60, 10, 100)], False),
        ([square("Tops", 10, 10, 100), square("Skirts", 90, 10, 100)], True),  # a fifth behind another
        ([square("Tops", 10, 10, 100), square("Skirts", 50, 10, 100)], False),
        ([square("Tops", 10, 10, 100), square("", 20, 20, 90)], False),  # behind a wearer
        ([square("", 10, 10, 100), square("Tops", 20, 20, 90)], True),
    ],
)
def test_a_garment_counts_as_visible_unless_much_of_it_is_hidden_or_outside(things, visible):
    assert studio.all_visible(things, (200, 200)) is visible


def test_a_box_is_tight_to_what_is_seen_of_a_garment():
    mask = Image.new("L", (100, 80))
    ImageDraw.Draw(mask).rectangle((20, 30, 59, 69), fill=255)
    ImageDraw.Draw(mask).line((60, 30, 60, 69), fill=90)  # a soft edge
    assert studio.box_of("Shorts", mask) == studio.Box("Shorts", 20, 30, 60, 70)
