"""The cuts: each class has the proportions that make it recognisable."""

from __future__ import annotations

import random

import pytest

from scripts.lib.sample_photos import figure, garments, studio
from scripts.lib.sample_photos.figure import CROTCH_Y, KNEE_Y, WAIST_Y
from scripts.lib.sample_photos.rendering import Placement, silhouette
from scripts.lib.sample_photos.shapes import bounds

MANY = range(60)


def extents(name: str) -> list[tuple[float, float, float, float]]:
    extents = []
    for number in MANY:
        rng = random.Random(number)
        pose = rng.choice((figure.standing, figure.laid_out))(rng)
        extents.append(bounds(garments.CUTS[name](rng, pose)))
    return extents


def test_there_is_a_cut_for_each_class():
    assert set(garments.CUTS) == set(studio.CLASS_WEIGHTS)


@pytest.mark.parametrize("name", ["Pants_Leggings", "Skirts", "Shorts"])
def test_bottoms_begin_at_the_waist(name):
    assert all(abs(top - WAIST_Y) < 0.2 for _, top, _, _ in extents(name))


def test_trousers_reach_below_the_knee_and_shorts_do_not():
    assert all(bottom > KNEE_Y for _, _, _, bottom in extents("Pants_Leggings"))
    assert all(CROTCH_Y < bottom < KNEE_Y for _, _, _, bottom in extents("Shorts"))


def test_dresses_have_a_bodice_and_a_skirt_and_tops_no_skirt():
    assert all(top < 1 and bottom > CROTCH_Y for _, top, _, bottom in extents("Dresses"))
    assert all(top < 0.5 and WAIST_Y < bottom < CROTCH_Y + 0.1 for _, top, _, bottom in extents("Tops"))


@pytest.mark.parametrize("name", ["Pants_Leggings", "Shorts"])
def test_trousers_and_shorts_are_parted_between_the_legs_and_skirts_are_not(name):
    assert any(not pixel for pixel in row_above_hem(name))
    assert all(row_above_hem("Skirts"))


def row_above_hem(name: str) -> list[bool]:
    """Whether cloth is there, from the left to the right of the garment, a little above its hem."""
    rng = random.Random(4)
    items = garments.CUTS[name](rng, figure.laid_out(rng))
    left, _, right, bottom = bounds(items)
    image = silhouette(items, Placement((100, 0), ((40, 0), (0, 40)), 40), (200, 400))
    y = round((bottom - 0.3) * 40)
    row = [image.getpixel((x, y)) > 0 for x in range(round(100 + left * 40), round(100 + right * 40))]
    return row[row.index(True) : len(row) - row[::-1].index(True)]
