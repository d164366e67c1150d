"""Backdrops: every one fills the image, and the same seed draws the same one."""

from __future__ import annotations

import random

import pytest

from scripts.lib.sample_photos import backdrops

SIZE = (160, 120)
GROUNDS = (
    backdrops.studio,
    backdrops.wall,
    backdrops.brick_wall,
    backdrops.room,
    backdrops.shop,
    backdrops.wooden_floor,
    backdrops.bed_sheet,
    backdrops.tiles,
    backdrops.carpet,
)


@pytest.mark.parametrize("ground", GROUNDS)
def test_a_ground_fills_the_image_and_is_not_of_one_colour(ground):
    image = ground(random.Random(3), SIZE)
    assert (image.mode, image.size) == ("RGB", SIZE)
    assert len(image.getcolors(SIZE[0] * SIZE[1])) > 20


@pytest.mark.parametrize("choose", [backdrops.standing, backdrops.lying])
def test_the_same_seed_draws_the_same_ground(choose):
    first, again, other = (choose(random.Random(seed), SIZE).tobytes() for seed in (1, 1, 2))
    assert first == again != other
