"""Backdrops: every one fills the image, and the same seed draws the same one."""

from __future__ import annotations

import random

import pytest

from scripts.lib.sample_photos import backdrops

SIZE = (320, 300)
GROUNDS = ("paper", "wall", "bricks", "room", "shop", "planks", "tiles", "carpet")


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("seed", range(3))
def test_a_ground_fills_the_image_and_is_not_of_one_colour(ground, seed):
    image = getattr(backdrops, ground)(random.Random(seed), SIZE)
    assert (image.mode, image.size) == ("RGB", SIZE)
    assert len(image.getcolors(SIZE[0] * SIZE[1])) > 5


@pytest.mark.parametrize("lying", [True, False])
def test_the_same_seed_draws_the_same_backdrop(lying):
    first, again, other = (backdrops.backdrop(random.Random(seed), SIZE, lying).tobytes() for seed in (1, 1, 2))
    assert first == again != other
