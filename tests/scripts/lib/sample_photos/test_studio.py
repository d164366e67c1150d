"""The photos: which garments, where, and boxes that fit them."""

from __future__ import annotations

import collections
import random

import pytest
from PIL import Image, ImageChops, ImageDraw

from scripts.lib.sample_photos import studio
from scripts.lib.sample_photos.rendering import silhouette
from scripts.lib.sample_photos.shapes import bounds

FLAT = 17  # an image of seed 1: a single dress, laid out


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


def test_a_box_is_where_its_garment_differs_from_the_same_image_without_it(monkeypatch):
    whole = studio.take_photo(1, FLAT)
    monkeypatch.setattr(studio, "paint", lambda *_: None)
    monkeypatch.setattr(studio, "cast_shadow", lambda *_: None)
    empty = studio.take_photo(1, FLAT)
    (box,) = whole.boxes
    changed = ImageChops.difference(whole.image, empty.image).convert("L").point(lambda value: 255 * (value > 60))
    assert changed.getbbox() == pytest.approx((box.xmin, box.ymin, box.xmax, box.ymax), abs=4)


@pytest.mark.parametrize("name", sorted(studio.CLASS_WEIGHTS))
def test_most_of_a_garment_is_inside_its_cell(name):
    cell, size = (100, 50, 200, 300), (400, 400)
    for seed in range(20):
        rng = random.Random(seed)
        things = studio._outfit(rng, (name,), seed % 2 == 0)
        mask = silhouette(things[name], studio._fit(rng, things, cell, seed % 2 == 0), size)
        inside = mask.crop((100, 50, 300, 350))
        assert sum(inside.histogram()[128:]) > 0.55 * sum(mask.histogram()[128:]) > 0


def test_nobody_is_half_dressed():
    for seed in range(30):
        rng = random.Random(seed)
        things = studio._outfit(rng, ("Skirts", "Tops"), False)
        assert list(things)[-2:] == ["Skirts", "Tops"]
        assert bounds(things["Tops"])[3] > bounds(things["Skirts"])[1]  # no gap at the waist


def test_a_box_is_tight_to_what_is_seen_of_a_garment():
    mask = Image.new("L", (100, 80))
    ImageDraw.Draw(mask).rectangle((20, 30, 59, 69), fill=255)
    ImageDraw.Draw(mask).line((60, 30, 60, 69), fill=90)  # a soft edge
    assert studio.box_of("Shorts", mask) == studio.Box("Shorts", 20, 30, 60, 70)
