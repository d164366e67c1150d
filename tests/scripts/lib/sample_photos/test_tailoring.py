"""Parts of garments are where they belong."""

from __future__ import annotations

import random

import pytest

from scripts.lib.sample_photos import figure, tailoring
from scripts.lib.sample_photos.fabrics import Fabric
from scripts.lib.sample_photos.shapes import bounds

CLOTH = Fabric("plain", ((90, 120, 160),))


@pytest.mark.parametrize("half", [0.9, 1.4])
@pytest.mark.parametrize("pleated", [True, False])
def test_a_skirt_reaches_from_the_waist_to_the_hem(half, pleated):
    left, top, right, bottom = bounds([tailoring.skirt(random.Random(1), CLOTH, (0.64, 2.3), (half, 5.0), pleated)])
    assert top == pytest.approx(2.3)
    assert bottom == pytest.approx(5.0, abs=0.2)
    assert right == pytest.approx(-left) == pytest.approx(half, abs=0.05)


def test_a_long_sleeve_reaches_further_than_a_short_one():
    pose = figure.standing(random.Random(1))
    short, long = (bounds(tailoring.sleeves(CLOTH, pose, length, 0.36))[3] for length in ("short", "long"))
    assert short < pose.elbow[1] < long


def test_a_low_neckline_is_deeper_than_a_crew_neck():
    depths = {style: tailoring.neckline(random.Random(1), style)[0][1] for style in ("v", "scoop", "crew", "collar")}
    assert depths["v"] > depths["scoop"] > depths["collar"] > depths["crew"]


def test_the_inside_of_the_back_shows_only_where_nobody_wears_it():
    edge = tailoring.neckline(random.Random(1), "scoop")
    worn, lying = (
        tailoring.bodice(CLOTH, pose(random.Random(1)), "scoop", edge, (0.9, 1.1), (0.8, 3.0))
        for pose in (figure.standing, figure.laid_out)
    )
    assert len(lying) == len(worn) + 1
    assert lying[0].fabric.ground < CLOTH.ground


def test_buttons_are_in_the_middle_between_their_ends():
    buttons = [item for item in tailoring.buttons(random.Random(1), CLOTH, 2.3, 5.0) if len(item.points) == 1]
    assert len(buttons) == 6
    assert all(x == 0 and 2.3 < y < 5.0 for button in buttons for x, y in button.points)
