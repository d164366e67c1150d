"""What garments are worn by or hang on: a person, a shop's mannequin, legs, a hanger."""

from __future__ import annotations

import random
from typing import NamedTuple

from scripts.lib.sample_photos.fabrics import Fabric, any_colour
from scripts.lib.sample_photos.shapes import Item, Line, Piece, Point, curve, ellipse, pair, ribbon, symmetric

SKINS = ("#f4d4be", "#e8bea0", "#d4a27e", "#b07a58", "#7c523a", "#56382a")
SHELLS = ("#e2deda", "#c4bcb2", "#464446", "#dec4a8")  # of mannequins
HAIRS = ("#1e1818", "#3e281c", "#684628", "#c49c5c", "#82381e")

WAIST_Y, HIP_Y, CROTCH_Y, KNEE_Y, ANKLE_Y = 2.4, 3.35, 3.8, 5.6, 7.6


class Pose(NamedTuple):
    """The position of arms and legs: points of the right side in garment units, mirrored on the left."""

    elbow: Point
    wrist: Point
    knee: Point
    ankle: Point
    worn: bool  # False for what is laid out or hangs


def standing(rng: random.Random) -> Pose:
    elbow, knee = rng.uniform(1.12, 1.4), rng.uniform(0.44, 0.56)
    wrist = elbow + rng.uniform(-0.15, 0.3)
    return Pose((elbow, 1.95), (wrist, 3.3), (knee, KNEE_Y), (knee + rng.uniform(-0.12, 0.14), ANKLE_Y), worn=True)


def laid_out(rng: random.Random) -> Pose:
    """Return the pose of garments on a floor or a hanger: sleeves and legs further apart than a wearer's."""
    spread, knee = rng.random(), rng.uniform(0.5, 0.68)
    elbow = (1.3 + 0.5 * spread, 1.9 - 0.4 * spread)
    wrist = (elbow[0] + 0.2 + 0.5 * spread, elbow[1] + 1.4 - 0.4 * spread)
    return Pose(elbow, wrist, (knee, KNEE_Y), (knee + rng.uniform(0.0, 0.22), ANKLE_Y), worn=False)


def person(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw a person seen from the front, in shoes."""
    skin, hair = _smooth(rng, *SKINS), _smooth(rng, *HAIRS)
    end = rng.choice((-0.9, rng.uniform(0.3, 1.6)))  # of the hair
    mane = symmetric(curve((0, -2.1), (0.5, -1.9), (0.7, -1.2), (0.7, end - 0.4), (0.5, end)))
    fringe = symmetric(curve((0, -2.12), (0.46, -1.92), (0.6, -1.1)), curve((0.5, -1.3), (0.34, -1.6), (0, -1.72)))
    return [
        Piece(mane, hair, folds=6),
        *_body(skin, pose),
        Piece(ellipse((0, -1.15), 0.52, 0.72), skin),
        Line(curve((-0.13, -0.8), (0, -0.76), (0.13, -0.8)), 0.06, (150, 50, 60, 200)),
        *pair(Line([(0.22, -1.2)], 0.1, (40, 30, 30, 230)), Line([(0.14, -1.35), (0.32, -1.34)], 0.04)),
        Piece(fringe, hair, folds=4),
        *_shoes(rng, pose),
    ]


def mannequin(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw a shop's mannequin without a head."""
    shell = _smooth(rng, *SHELLS)
    return [*_body(shell, pose), Piece(ellipse((0, -0.52), 0.27, 0.12), shell.plain(0.8))]


def legs(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw legs up to the waist, for trousers or a skirt."""
    if rng.random() < 0.5:
        return _legs(_smooth(rng, *SHELLS), pose)
    return [*_legs(_smooth(rng, *SKINS), pose), *_shoes(rng, pose)]


def hanger(rng: random.Random, y: float) -> list[Item]:
    """Draw a hanger for what begins at `y`."""
    wood = _smooth(rng, "peru", "saddlebrown", "black", "whitesmoke", "silver")
    hook = [(0, y - 0.2), (0, y - 0.5), (0.2, y - 0.72), (0, y - 0.95), (-0.17, y - 0.8)]
    return [
        Piece(ribbon(hook, [0.035, 0.03]), _smooth(rng, "silver")),
        Piece(ribbon([(-0.8, y + 0.2), (0, y - 0.2), (0.8, y + 0.2)], [0.07, 0.09, 0.07]), wood),
    ]


def _smooth(rng: random.Random, *colours: str) -> Fabric:
    return Fabric("plain", (any_colour(rng, *colours),), gloss=1.2)


def _body(skin: Fabric, pose: Pose) -> list[Item]:
    hand = (2 * pose.wrist[0] - pose.elbow[0], pose.wrist[1] + 0.55)
    arm = ribbon([(0.74, 0.42), pose.elbow, pose.wrist, hand], [0.25, 0.22, 0.17, 0.13, 0.09])
    neck = curve((0, -0.55), (0.25, -0.55), (0.27, -0.1), (0.5, 0.05), (0.9, 0.2))
    torso = symmetric(neck, curve((0.98, 0.5), (0.8, 1.1), (0.78, 1.5), (0.62, WAIST_Y), (0.8, HIP_Y - 0.4)))
    return [*_legs(skin, pose), *pair(Piece(arm, skin)), Piece(torso, skin)]


def _legs(skin: Fabric, pose: Pose) -> list[Item]:
    leg = ribbon([(0.46, 3.2), pose.knee, pose.ankle], [0.5, 0.46, 0.32, 0.29, 0.16])
    hips = symmetric(curve((0, WAIST_Y + 0.1), (0.6, WAIST_Y + 0.1), (0.92, HIP_Y), (0.7, CROTCH_Y), (0, CROTCH_Y)))
    return [*pair(Piece(leg, skin)), Piece(hips, skin)]


def _shoes(rng: random.Random, pose: Pose) -> list[Item]:
    leather = _smooth(rng, "black", "whitesmoke", "saddlebrown", "firebrick", "tan")
    outline = ((-0.17, -0.02), (0.17, -0.02), (0.28, 0.42), (0.05, 0.52), (-0.2, 0.42), (-0.17, -0.02))
    x, y = pose.ankle
    return pair(Piece(curve(*outline) + (x, y), leather))
