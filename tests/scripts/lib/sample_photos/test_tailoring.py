"""Parts of garments are where they belong."""

from __future__ import annotations

import random

import pytest

from scripts.lib.sample_photos import figure, tailoring
from scripts.lib.sample_photos.fabrics import Fabric
from scripts.lib.sample_photos.figure import KNEE_Y
from scripts.lib.sample_photos.shapes import Dot, bounds

CLOTH = Fabric("plain", ((90, 120, 160),))
WAIST, HEM = (0.64, 2.3), (1.4, 5.0)


@pytest.mark.parametrize("make_skirt", [tailoring.flared_skirt, tailoring.pleated_skirt, tailoring.straight_skirt])
def test_a_skirt_reaches_from_the_waist_to_the_hem(make_skirt):
    left, top, right, bottom = bounds([make_skirt(random.Random(1), CLOTH, WAIST, HEM)])
    assert top == pytest.approx(WAIST[1])
    assert bottom == pytest.approx(HEM[1], abs=0.2)
    assert right == pytest.approx(-left) == pytest.approx(HEM[0], abs=0.05)


def test_a_long_sleeve_reaches_further_than_a_short_one():
    pose = figure.standing(random.Random(1))
    short, long = (bounds(tailoring.sleeves(CLOTH, pose, length, 0.36))[3] for length in (0.34, 0.95))
    assert short < pose.elbow[1] < long


def test_a_low_neckline_is_deeper_than_a_crew_neck():
    depths = {
        style: tailoring.neckline(random.Random(1), style).edge[0][1] for style in ("v", "scoop", "crew", "turtle")
    }
    assert depths["v"] > depths["crew"] > depths["turtle"]
    assert depths["scoop"] > depths["crew"]


def test_ripped_knees_are_at_the_knees_and_buttons_in_the_middle():
    ys = [y for line in tailoring.rips(random.Random(1), 0.5) for _, y in line.points]
    assert all(abs(y - KNEE_Y) < 0.8 for y in ys)
    buttons = [item for item in tailoring.buttoned_front(2.3, 5.0) if isinstance(item, Dot)]
    assert len(buttons) == 5 and all(button.centre[0] == 0 for button in buttons)
