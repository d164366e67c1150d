"""Fabrics: patterns, colours, and light."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image

from scripts.lib.sample_photos import fabrics
from scripts.lib.sample_photos.fabrics import Fabric

COLOURS = ((200, 30, 40), (20, 40, 200), (240, 240, 230))


PATTERNS = sorted({*fabrics.PITCHES, "plain", "ombre"})


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_swatch_has_its_size_and_only_plain_ones_are_of_one_colour(pattern):
    swatch = fabrics.swatch(Fabric(pattern, COLOURS), (90, 70), 60, random.Random(1))
    assert (swatch.mode, swatch.size) == ("RGB", (90, 70))
    assert (len(swatch.getcolors(90 * 70)) == 1) == (pattern in ("plain", "lace"))


def test_bars_run_upright_or_across_and_repeat():
    def swatch(pattern: str) -> np.ndarray:
        return np.asarray(fabrics.swatch(Fabric(pattern, COLOURS, pitch=0.2), (60, 60), 100, random.Random(1)))

    stripes, pinstripes = swatch("stripes"), swatch("pinstripes")
    assert (stripes == stripes[:, :1]).all() and not (stripes == stripes[:1]).all()
    assert (pinstripes == pinstripes[:1]).all() and not (pinstripes == pinstripes[:, :1]).all()
    assert (stripes[:40] == stripes[20:]).all()
    assert tuple(stripes[0, 0]) == COLOURS[1] and tuple(stripes[15, 0]) == COLOURS[0]


def test_lace_is_sheer_in_places():
    lowest, highest = fabrics.lace(Fabric("lace", COLOURS), (40, 40), 60, random.Random(1)).getextrema()
    assert lowest == 150 and highest == 250


def test_shades_stay_colours_and_contrasts_can_be_told_apart():
    assert fabrics.shade((200, 100, 0), 2) == (255, 200, 0)
    for seed in range(20):
        other = fabrics.contrasting(random.Random(seed), COLOURS[0])
        assert sum(abs(x - y) for x, y in zip(other, COLOURS[0], strict=True)) >= 150


def test_every_named_colour_is_one():
    for names in (fabrics.COLOURS, *fabrics.GROUNDS.values()):
        assert all(len(fabrics.any_colour(random.Random(1), name)) == 3 for name in names)


def test_unevenness_varies_as_far_as_asked():
    lighting = fabrics.unevenness(random.Random(1), (50, 40), (50, 40), 0.25)
    assert lighting.size == (50, 40)
    lowest, highest = lighting.getextrema()
    assert 96 <= lowest < 100 and 156 < highest <= 160
    assert fabrics.unevenness(random.Random(1), (3, 3), (50, 40), 0.25).size == (50, 40)


def test_light_darkens_and_lightens():
    cloth = Image.new("RGB", (1, 1), (100, 100, 100))
    dark, same, bright = (
        fabrics.light(cloth, Image.new("L", (1, 1), value)).getpixel((0, 0))[0] for value in (60, 128, 200)
    )
    assert dark < 98 < 102 < bright
    assert same == pytest.approx(100, abs=2)


def test_a_tile_repeats():
    tile = Image.new("L", (3, 2))
    tile.putpixel((1, 1), 255)
    image = fabrics.tiled(tile, (7, 5))
    white = {(x, y) for x in range(7) for y in range(5) if image.getpixel((x, y))}
    assert white == {(1, 1), (4, 1), (1, 3), (4, 3)}
