"""Who or what wears a garment: a model, a shop's mannequin, a hanger, or nobody."""

from __future__ import annotations

import dataclasses
import random

from scripts.lib.sample_photos.fabrics import RGB, Fabric, any_colour
from scripts.lib.sample_photos.shapes import (
    Dot,
    Item,
    Line,
    Piece,
    Point,
    Points,
    curve,
    ellipse,
    mirror,
    ribbon,
    symmetric,
)

SKINS: tuple[RGB, ...] = (
    (244, 212, 190),
    (232, 190, 160),
    (212, 162, 126),
    (176, 122, 88),
    (124, 82, 58),
    (86, 56, 42),
)
MANNEQUINS: tuple[RGB, ...] = ((226, 222, 216), (196, 188, 178), (70, 68, 70), (222, 196, 168))
HAIRS: tuple[RGB, ...] = ((30, 24, 24), (62, 40, 28), (104, 70, 40), (196, 156, 92), (130, 56, 30))

SHOULDER: Point = (0.9, 0.3)
WAIST_Y, HIP_Y, CROTCH_Y, KNEE_Y, ANKLE_Y = 2.4, 3.35, 3.8, 5.6, 7.6


@dataclasses.dataclass(frozen=True)
class Pose:
    """How arms and legs lie: points of the right side, garment units; the left side mirrors them."""

    elbow: Point
    wrist: Point
    knee: Point
    ankle: Point

    @property
    def arm(self) -> Points:
        return [SHOULDER, self.elbow, self.wrist]


def standing(rng: random.Random) -> Pose:
    elbow = (rng.uniform(1.12, 1.4), 1.95)
    wrist = (elbow[0] + rng.uniform(-0.15, 0.3), 3.3)
    knee = rng.uniform(0.44, 0.56)
    return Pose(elbow, wrist, (knee, KNEE_Y), (knee + rng.uniform(-0.12, 0.14), ANKLE_Y))


def laid_out(rng: random.Random) -> Pose:
    """Garments on a floor or a hanger: sleeves and legs further apart than a wearer's."""
    spread = rng.random()
    elbow = (1.3 + 0.5 * spread, 1.9 - 0.4 * spread)
    wrist = (elbow[0] + 0.2 + 0.5 * spread, elbow[1] + 1.4 - 0.4 * spread)
    knee = rng.uniform(0.5, 0.68)
    return Pose(elbow, wrist, (knee, KNEE_Y), (knee + rng.uniform(0.0, 0.22), ANKLE_Y))


def model(rng: random.Random, pose: Pose) -> list[Item]:
    """A person seen from the front, in shoes."""
    skin, hair = (
        Fabric("plain", (rng.choice(SKINS),), weave="satin"),
        Fabric("plain", (rng.choice(HAIRS),), weave="knit"),
    )
    long_hair = rng.random() < 0.7
    drop = rng.uniform(0.6, 1.6) if long_hair else -0.9
    mane = symmetric(curve((0, -2.15), (0.5, -1.95), (0.72, -1.2), (0.78, drop - 0.5), (0.55, drop)), [(0.0, drop)])
    fringe = symmetric(curve((0, -2.12), (0.48, -1.9), (0.58, -1.2)), curve((0.5, -1.3), (0.36, -1.6), (0, -1.68)))
    face = [
        Line(curve((-0.13, -0.78), (0, -0.73), (0.13, -0.78)), 0.06, (150, 50, 60, 200)),
        *(Dot((x, -1.2), 0.05, (40, 30, 30, 230)) for x in (-0.22, 0.22)),
    ]
    return [
        Piece(mane, hair),
        *_body(skin, pose),
        Piece(ellipse((0, -1.15), 0.52, 0.78), skin),
        *face,
        Piece(fringe, hair),
        *_shoes(Fabric("plain", (any_colour(rng, "black", "white", "brown", "red", "beige"),)), pose),
    ]


def mannequin(rng: random.Random, pose: Pose) -> list[Item]:
    """A shop's mannequin without head; with legs, or a bust on a pole."""
    shell = Fabric("plain", (rng.choice(MANNEQUINS),), weave="satin", gloss=1.4)
    return [*_body(shell, pose), Piece(ellipse((0, -0.52), 0.27, 0.12), shell.plain(0.8))]


def hanger(rng: random.Random, top_y: float, half_width: float) -> list[Item]:
    """A clothes hanger whose shoulders reach `half_width`, its bar at `top_y`."""
    wood = Fabric("plain", (any_colour(rng, "camel", "brown", "black", "white", "silver"),), weave="satin")
    hook = ribbon(
        [(0, top_y - 0.2), (0, top_y - 0.5), (0.2, top_y - 0.72), (0, top_y - 0.95), (-0.17, top_y - 0.8)],
        [0.035, 0.03],
    )
    arms = ribbon([(-half_width, top_y + 0.2), (0, top_y - 0.2), (half_width, top_y + 0.2)], [0.07, 0.09, 0.07])
    return [Piece(hook, Fabric("plain", ((150, 152, 158),), weave="satin", gloss=1.5)), Piece(arms, wood)]


def _body(skin: Fabric, pose: Pose) -> list[Item]:
    legs = ribbon([(0.46, 3.2), pose.knee, pose.ankle], [0.5, 0.46, 0.32, 0.29, 0.16])
    arms = ribbon([*pose.arm, _beyond(pose.elbow, pose.wrist, 0.45)], [0.27, 0.22, 0.17, 0.12, 0.1])
    torso = symmetric(
        curve((0, -0.55), (0.25, -0.55), (0.27, -0.1), (0.5, 0.05), (0.95, 0.2), (1.05, 0.5)),
        curve((0.8, 1.1), (0.78, 1.5), (0.62, WAIST_Y), (0.92, HIP_Y), (0.7, CROTCH_Y)),
        [(0.0, CROTCH_Y + 0.1)],
    )
    return [
        Piece(mirror(legs), skin),
        Piece(legs, skin),
        Piece(mirror(arms), skin),
        Piece(arms, skin),
        Piece(torso, skin),
    ]


def _shoes(leather: Fabric, pose: Pose) -> list[Item]:
    x, y = pose.ankle
    shoe = curve(
        (x - 0.17, y - 0.02),
        (x + 0.17, y - 0.02),
        (x + 0.3, y + 0.42),
        (x + 0.05, y + 0.52),
        (x - 0.2, y + 0.42),
        (x - 0.17, y - 0.02),
    )
    return [Piece(shoe, leather), Piece(mirror(shoe), leather)]


def _beyond(a: Point, b: Point, length: float) -> Point:
    """The point beyond b as seen from a; `length` as a part of their distance."""
    return b[0] + (b[0] - a[0]) * length, b[1] + (b[1] - a[1]) * length
