"""Fabrics: patterns, colours, and light."""

from __future__ import annotations

import random

import pytest
from PIL import Image

from scripts.lib.sample_photos import fabrics
from scripts.lib.sample_photos.fabrics import Fabric

COLOURS = ((200, 30, 40), (20, 40, 200), (240, 240, 230))


@pytest.mark.parametrize("pattern", sorted(fabrics.PATTERNS))
def test_a_swatch_has_its_size_and_only_plain_ones_are_of_one_colour(pattern):
    swatch = fabrics.swatch(Fabric(pattern, COLOURS), (90, 70), 60, random.Random(1))
    assert (swatch.mode, swatch.size) == ("RGB", (90, 70))
    assert (len(swatch.getcolors(90 * 70)) == 1) == (pattern in ("plain", "lace"))


def test_only_lace_is_sheer():
    assert fabrics.sheerness(Fabric("dots", COLOURS), (40, 40), 60, random.Random(1)) is None
    lowest, highest = fabrics.sheerness(Fabric("lace", COLOURS), (40, 40), 60, random.Random(1)).getextrema()
    assert lowest < 200 <= highest


def test_shades_stay_colours_and_contrasts_can_be_told_apart():
    assert fabrics.shade((200, 100, 0), 2) == (255, 200, 0)
    assert fabrics.blend((0, 0, 0), (100, 200, 50), 0.5) == (50, 100, 25)
    for seed in range(20):
        other = fabrics.contrasting(random.Random(seed), COLOURS[0])
        assert fabrics.distance(other, COLOURS[0]) >= 200


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
