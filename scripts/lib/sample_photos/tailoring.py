"""Parts of garments: legs, skirts, necklines, bodices, sleeves, waistbands, and what is sewn on.

Points are on the right side, in garment units. A `waist` or a `hem` is half as wide as its x says; an `ankle` is the
middle of a trouser leg's end.
"""

from __future__ import annotations

import random

import numpy as np

from scripts.lib.sample_photos.fabrics import Fabric, any_colour, contrasting, shade
from scripts.lib.sample_photos.figure import CROTCH_Y, HIP_Y, WAIST_Y, Pose
from scripts.lib.sample_photos.shapes import Item, Line, Piece, Point, curve, ellipse, pair, ribbon, symmetric

STITCH = (206, 150, 84, 220)  # the yellow thread of jeans
BRASS = (206, 182, 126)
BUTTON_SPACING = 0.42
NECK_DEPTHS = {  # ranges
    "crew": (0.24, 0.34),
    "scoop": (0.5, 0.75),
    "v": (0.7, 1.15),
    "collar": (0.4, 0.45),
    "tank": (0.4, 0.9),
    "straps": (0.8, 1.1),
}


def trouser_legs(
    fabric: Fabric, ankle: Point, half: float, knee: Point | None = None, knee_half: float = 0.0
) -> list[Item]:
    """Draw two legs from the waist that meet in the middle; shorts have no knee."""
    x, y = ankle
    outer = [(0.7, WAIST_Y), (0.97, HIP_Y), (x + half, y)]
    inner = [(x - half, y), (0.03, CROTCH_Y)]
    if knee:
        outer.insert(2, (knee[0] + knee_half, knee[1]))
        inner.insert(1, (max(0.04, knee[0] - knee_half), knee[1]))
    end = curve((x + half, y), (x, y + 0.06), (x - half, y))
    outline = np.concatenate([[(0, WAIST_Y)], curve(*outer), end, curve(*inner)])
    seam = Line([(0, WAIST_Y + 0.2), (0, CROTCH_Y)], 0.03, (0, 0, 0, 110))
    return [*pair(Piece(outline, fabric, folds=5), Line(end - (0, 0.12))), seam]


def skirt(rng: random.Random, fabric: Fabric, waist: Point, hem: Point, pleated: bool = False) -> Piece:
    """Draw the cloth from the waist to the hem: a tube over the hips, or, if the hem is wider than these, a cone."""
    if hem[0] < 1.05:
        side, folds = curve(waist, (max(waist[0] + 0.26, 0.93), min(HIP_Y, waist[1] + 1.0)), hem), 3
    else:
        slope = (hem[0] - waist[0]) / (hem[1] - waist[1])
        side, folds = curve(waist, (waist[0] + 0.1 + 0.4 * slope, waist[1] + 0.4), hem), rng.randint(7, 11)
    depth = 0.04 if hem[0] < 1.05 or pleated else rng.uniform(0.06, 0.14)
    waves = [(hem[0] * (1 - step / 6), hem[1] + 0.01 * step + depth * (step % 2)) for step in range(7)]
    return Piece(symmetric([(0, waist[1])], side, curve(*waves, steps=4)), fabric, folds, pleated)


def neckline(rng: random.Random, style: str) -> np.ndarray:
    """Return the right half of the upper edge, from the middle to the end of the shoulder or to the armpit."""
    depth = rng.uniform(*NECK_DEPTHS[style])
    if style == "straps":
        return curve((0, depth), (0.3, depth - 0.14), (0.56, depth - 0.2), (0.82, 1.05))
    if style in ("v", "collar"):
        return np.array([(0, depth), (0.36, -0.06), (1.0, 0.22)])
    inner = curve((0, depth), (0.28, depth * 0.75), (0.45, -0.03))
    outer = curve((0.74, 0.1), (0.66, 0.6), (0.85, 1.12)) if style == "tank" else [(1.0, 0.22)]
    return np.concatenate([inner, outer])


def bodice(fabric: Fabric, pose: Pose, style: str, edge: np.ndarray, *sides: Point) -> list[Item]:
    """Draw the front from its neckline down along the `sides`, and what belongs to the neck."""
    end = sides[-1]
    hem = curve(end, (end[0] / 2, end[1] + 0.08), (0, end[1] + 0.1))
    items: list[Item] = [Piece(symmetric(edge, curve(*sides), hem), fabric, folds=4)]
    if style == "straps":
        strap = ribbon([(0.54, edge[0][1] - 0.1), (0.58, 0.4), (0.55, 0.05)], [0.06, 0.05])
        return [*items, *pair(Piece(strap, fabric.plain(0.9)))]
    if not pose.worn:  # the inside of the back shows
        inside = symmetric(curve((0, 0.12), (0.25, 0.06), (0.42, -0.03)), [(0.4, 0.3), (0, edge[0][1])])
        items.insert(0, Piece(inside, fabric.plain(0.55)))
    if style == "collar":
        return items + pair(Piece([(0.02, 0.42), (0.34, -0.14), (0.48, 0.02), (0.4, 0.52)], fabric.plain(1.06)))
    binding = edge[edge[:, 0] < 0.5]
    return [*items, *pair(Line(binding, 0.07, (*shade(fabric.ground, 0.7), 200)))]


def sleeves(fabric: Fabric, pose: Pose, length: str, half: float, puffed: bool = False) -> list[Item]:
    """Draw both sleeves, short or long, `half` as wide at the shoulder."""
    shoulder, elbow = np.array((0.82, 0.42)), np.array(pose.elbow)
    if length == "short":
        middle, end = [shoulder, shoulder + (elbow - shoulder) * 0.7], half * 0.9
    else:
        middle, end = [shoulder, elbow, np.array(pose.wrist)], 0.2
    arm = ribbon(middle, [half, half * 1.2, end * 1.3, end] if puffed else [half, half * 0.92, half * 0.8, end])
    outline = np.concatenate([[(0.6, 0.08), (0.94, 0.17)], arm, [(0.7, 1.1)]])  # over the shoulder, under the arm
    before, tip = middle[-2], middle[-1]
    cuff = ribbon([tip + (before - tip) * 0.16, tip], [end * 1.04, end])
    return pair(Piece(outline, fabric, folds=3), Piece(cuff, fabric.plain(0.88)))


def waistband(fabric: Fabric, y: float, half: float, height: float = 0.25) -> Piece:
    """Draw a band round the waist, seen from slightly above."""
    upper = curve((0, y + 0.05), (half * 0.6, y + 0.03), (half, y))
    return Piece(symmetric(upper, upper[::-1] + (0.02, height)), fabric)


def trouser_front(fabric: Fabric) -> list[Item]:
    """Draw waistband, pockets, fly and button; yellow thread on jeans."""
    denim = fabric.pattern == "denim"
    thread = STITCH if denim else (0, 0, 0, 100)
    pocket = curve((0.3, WAIST_Y + 0.2), (0.42, WAIST_Y + 0.5), (0.84, WAIST_Y + 0.6))
    fly = curve((0.16, WAIST_Y + 0.2), (0.17, WAIST_Y + 0.8), (0, WAIST_Y + 1.05))
    return [
        waistband(fabric.plain(0.9), WAIST_Y - 0.06, 0.7),
        *pair(Line(pocket, 0.035, thread)),
        Line(fly, 0.03, thread),
        Line([(0, WAIST_Y + 0.1)], 0.12, (*(BRASS if denim else shade(fabric.ground, 0.6)), 255)),
    ]


def belt(rng: random.Random, y: float, half: float) -> list[Item]:
    leather = Fabric("plain", (any_colour(rng, "black", "saddlebrown", "peru", "whitesmoke", "firebrick"),), gloss=1.4)
    buckle = [(-0.12, y - 0.08), (0.12, y - 0.08), (0.12, y + 0.14), (-0.12, y + 0.14), (-0.12, y - 0.08)]
    return [waistband(leather, y - 0.08, half, 0.17), Line(buckle, 0.05, (*BRASS, 255))]


def buttons(rng: random.Random, fabric: Fabric, start_y: float, end_y: float) -> list[Item]:
    """Draw a buttoned front."""
    colour = contrasting(rng, fabric.ground)
    ys = np.arange(start_y + 0.2, end_y - 0.1, BUTTON_SPACING).tolist()
    return [Line([(0.1, start_y), (0.1, end_y)]), *(Line([(0, y)], 0.1, (*colour, 255)) for y in ys)]


def chest_print(rng: random.Random, fabric: Fabric) -> list[Item]:
    """Draw a motif on the chest: a heart, a disc, or a broad stripe."""
    outline = rng.choice(
        (
            symmetric(curve((0, 0.95), (0.18, 0.78), (0.42, 0.92), (0.34, 1.25), (0, 1.6))),
            ellipse((0, 1.25), 0.42, 0.42),
            symmetric([(0.72, 1.3), (0.72, 1.6)]),
        )
    )
    return [Piece(outline, Fabric("plain", (contrasting(rng, fabric.ground),), gloss=0.4))]
