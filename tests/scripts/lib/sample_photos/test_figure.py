"""Who wears a garment: poses, and what each figure consists of."""

from __future__ import annotations

import random

import pytest

from scripts.lib.sample_photos import figure
from scripts.lib.sample_photos.shapes import bounds

SEEDS = range(20)


def extent(support, seed: int) -> tuple[float, float, float, float]:
    rng = random.Random(seed)
    return bounds(support(rng, figure.standing(rng)))


def test_a_pose_goes_downwards_and_what_is_laid_out_is_spread_further():
    for seed in SEEDS:
        for pose in (figure.standing(random.Random(seed)), figure.laid_out(random.Random(seed))):
            assert pose.elbow[1] < pose.wrist[1] < pose.knee[1] < pose.ankle[1]
    standing, laid_out = ([pose(random.Random(seed)) for seed in SEEDS] for pose in (figure.standing, figure.laid_out))
    assert all(pose.worn for pose in standing) and not any(pose.worn for pose in laid_out)
    assert sum(pose.wrist[0] for pose in laid_out) > sum(pose.wrist[0] for pose in standing)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_person_has_a_head_and_feet_a_mannequin_no_head_and_legs_begin_at_the_waist(seed):
    assert extent(figure.person, seed)[1] < -1.9
    assert extent(figure.person, seed)[3] > figure.ANKLE_Y
    assert -0.7 < extent(figure.mannequin, seed)[1] < -0.5
    assert extent(figure.legs, seed)[1] == pytest.approx(figure.WAIST_Y, abs=0.11)


@pytest.mark.parametrize("support", [figure.person, figure.mannequin, figure.legs])
def test_figures_are_as_wide_on_both_sides(support):
    left, _, right, _ = extent(support, 1)
    assert left == pytest.approx(-right, abs=0.1)


def test_a_hanger_holds_what_begins_at_its_height():
    left, top, right, bottom = bounds(figure.hanger(random.Random(1), figure.WAIST_Y))
    assert top < figure.WAIST_Y < bottom
    assert left == pytest.approx(-right)
