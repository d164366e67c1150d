"""The wearers of garments: a person, a shop's mannequin, a bust, legs, a hanger."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

from scripts.lib.sample_photos.fabrics import Fabric, any_colour
from scripts.lib.sample_photos.shapes import Dot, Item, Line, Piece, Point, curve, ellipse, pair, ribbon, symmetric

SKINS = ((244, 212, 190), (232, 190, 160), (212, 162, 126), (176, 122, 88), (124, 82, 58), (86, 56, 42))
MANNEQUINS = ((226, 222, 216), (196, 188, 178), (70, 68, 70), (222, 196, 168))
HAIRS = ((30, 24, 24), (62, 40, 28), (104, 70, 40), (196, 156, 92), (130, 56, 30))

SHOULDER: Point = (0.9, 0.3)
WAIST_Y, HIP_Y, CROTCH_Y, KNEE_Y, ANKLE_Y = 2.4, 3.35, 3.8, 5.6, 7.6


@dataclasses.dataclass(frozen=True)
class Pose:
    """The position of arms and legs: points of the right side in garment units, mirrored on the left."""

    elbow: Point
    wrist: Point
    knee: Point
    ankle: Point
    worn: bool = True  # False for what is laid out or hangs


def standing(rng: random.Random) -> Pose:
    elbow = (rng.uniform(1.12, 1.4), 1.95)
    wrist = (elbow[0] + rng.uniform(-0.15, 0.3), 3.3)
    knee = rng.uniform(0.44, 0.56)
    return Pose(elbow, wrist, (knee, KNEE_Y), (knee + rng.uniform(-0.12, 0.14), ANKLE_Y))


def laid_out(rng: random.Random) -> Pose:
    """Return the pose of garments on a floor or a hanger: sleeves and legs further apart than a wearer's."""
    spread = rng.random()
    elbow = (1.3 + 0.5 * spread, 1.9 - 0.4 * spread)
    wrist = (elbow[0] + 0.2 + 0.5 * spread, elbow[1] + 1.4 - 0.4 * spread)
    knee = rng.uniform(0.5, 0.68)
    return Pose(elbow, wrist, (knee, KNEE_Y), (knee + rng.uniform(0.0, 0.22), ANKLE_Y), worn=False)


def model(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw a person seen from the front, in shoes."""
    skin = Fabric("plain", (rng.choice(SKINS),), weave="satin")
    hair = Fabric("plain", (rng.choice(HAIRS),), weave="knit")
    long_hair = rng.random() < 0.7
    drop = rng.uniform(0.6, 1.6) if long_hair else -0.9
    mane = symmetric(curve((0, -2.15), (0.5, -1.95), (0.72, -1.2), (0.78, drop - 0.5), (0.55, drop)), [(0.0, drop)])
    fringe = symmetric(curve((0, -2.12), (0.48, -1.9), (0.58, -1.2)), curve((0.5, -1.3), (0.36, -1.6), (0, -1.68)))
    face = [
        Line(curve((-0.13, -0.78), (0, -0.73), (0.13, -0.78)), 0.06, (150, 50, 60, 200)),
        *pair(Dot((0.22, -1.2), 0.05, (40, 30, 30, 230))),
    ]
    return [
        Piece(mane, hair),
        *_body(skin, pose),
        Piece(ellipse((0, -1.15), 0.52, 0.78), skin),
        *face,
        Piece(fringe, hair),
        *_shoes(rng, pose),
    ]


def mannequin(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw a shop's mannequin without a head."""
    shell = _shell(rng)
    return [*_body(shell, pose), Piece(ellipse((0, -0.52), 0.27, 0.12), shell.plain(0.8))]


def bust(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw a dressmaker's bust on a pole."""
    shell = _shell(rng)
    pole = Fabric("plain", (any_colour(rng, "brown", "camel", "silver", "charcoal"),), weave="satin", gloss=1.4)
    torso = symmetric(
        _TORSO_ABOVE_WAIST[:-4], curve((0.9, 0.55), (0.78, 1.4), (0.62, WAIST_Y), (0.9, HIP_Y)), [(0, HIP_Y)]
    )
    return [
        Piece([(-0.07, HIP_Y - 0.1), (0.07, HIP_Y - 0.1), (0.07, ANKLE_Y), (-0.07, ANKLE_Y)], pole),
        Piece(ellipse((0, ANKLE_Y), 0.7, 0.14), pole),
        Piece(torso, shell),
        Piece(ellipse((0, -0.55), 0.26, 0.1), pole),
    ]


def legs(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw legs up to the waist, for trousers or a skirt."""
    if rng.random() < 0.5:
        return _legs(_shell(rng), pose)
    return [*_legs(Fabric("plain", (rng.choice(SKINS),), weave="satin"), pose), *_shoes(rng, pose)]


def clothes_hanger(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw a hanger for garments with shoulders."""
    return _hanger(rng, 0.1, 0.85)


def trouser_hanger(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw a hanger with clips for a waistband."""
    clip = Fabric("plain", ((60, 60, 64),), weave="satin")
    outline = [(0.44, WAIST_Y - 0.2), (0.56, WAIST_Y - 0.2), (0.56, WAIST_Y), (0.44, WAIST_Y)]
    return [*_hanger(rng, WAIST_Y - 0.35, 0.7), *pair(Piece(outline, clip))]


Support = Callable[[random.Random, Pose], list[Item]]
BODIES: tuple[Support, ...] = (model, mannequin, bust, legs)  # what garments are worn by, not merely shown on


def _hanger(rng: random.Random, top_y: float, half_width: float) -> list[Item]:
    wood = Fabric("plain", (any_colour(rng, "camel", "brown", "black", "white", "silver"),), weave="satin")
    hook = ribbon(
        [(0, top_y - 0.2), (0, top_y - 0.5), (0.2, top_y - 0.72), (0, top_y - 0.95), (-0.17, top_y - 0.8)],
        [0.035, 0.03],
    )
    arms = ribbon([(-half_width, top_y + 0.2), (0, top_y - 0.2), (half_width, top_y + 0.2)], [0.07, 0.09, 0.07])
    return [Piece(hook, Fabric("plain", ((150, 152, 158),), weave="satin", gloss=1.5)), Piece(arms, wood)]


_TORSO_ABOVE_WAIST = curve((0, -0.55), (0.25, -0.55), (0.27, -0.1), (0.5, 0.05), (0.92, 0.2), (0.98, 0.5))


def _body(skin: Fabric, pose: Pose) -> list[Item]:
    arm = ribbon(
        [SHOULDER, pose.elbow, pose.wrist, _beyond(pose.elbow, pose.wrist, 0.45)], [0.25, 0.22, 0.17, 0.12, 0.1]
    )
    torso = symmetric(
        _TORSO_ABOVE_WAIST, curve((0.8, 1.1), (0.78, 1.5), (0.62, WAIST_Y), (0.8, HIP_Y - 0.4)), [(0, HIP_Y)]
    )
    return [*_legs(skin, pose), *pair(Piece(arm, skin)), Piece(torso, skin)]


def _legs(skin: Fabric, pose: Pose) -> list[Item]:
    leg = ribbon([(0.46, 3.2), pose.knee, pose.ankle], [0.5, 0.46, 0.32, 0.29, 0.16])
    hips = symmetric(
        [(0, WAIST_Y + 0.1), (0.6, WAIST_Y + 0.1)], curve((0.92, HIP_Y), (0.7, CROTCH_Y)), [(0, CROTCH_Y + 0.1)]
    )
    return [*pair(Piece(leg, skin)), Piece(hips, skin)]


def _shell(rng: random.Random) -> Fabric:
    return Fabric("plain", (rng.choice(MANNEQUINS),), weave="satin", gloss=1.4)


def _shoes(rng: random.Random, pose: Pose) -> list[Item]:
    leather = Fabric("plain", (any_colour(rng, "black", "white", "brown", "red", "beige"),))
    x, y = pose.ankle
    outline = ((-0.17, -0.02), (0.17, -0.02), (0.3, 0.42), (0.05, 0.52), (-0.2, 0.42), (-0.17, -0.02))
    shoe = curve(*((x + dx, y + dy) for dx, dy in outline))
    return pair(Piece(shoe, leather))


def _beyond(a: Point, b: Point, length: float) -> Point:
    """Return the point beyond b as seen from a; `length` is relative to their distance."""
    return b[0] + (b[0] - a[0]) * length, b[1] + (b[1] - a[1]) * length
