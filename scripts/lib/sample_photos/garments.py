"""The cuts of the six classes.

Each function draws a random garment of its class for a pose, as a list of items from the lowest to the topmost; `CUTS`
names them by class.
"""

from __future__ import annotations

import dataclasses
import random

import numpy as np

from scripts.lib.sample_photos import tailoring
from scripts.lib.sample_photos.fabrics import Fabric, any_fabric
from scripts.lib.sample_photos.figure import ANKLE_Y, CROTCH_Y, KNEE_Y, WAIST_Y, Pose
from scripts.lib.sample_photos.shapes import Item, Line, Piece, curve, pair, ribbon, symmetric

BOTTOMS = ("Pants_Leggings", "Skirts", "Shorts")
PRINTS = ("plain", "plain", "plain", "stripes", "dots", "tartan", "floral", "gingham", "pinstripes", "ombre")

# half the width of a trouser leg at the knee and at the hem, and where it ends
TROUSERS = {
    "leggings": (0.33, 0.19, ANKLE_Y),
    "skinny": (0.35, 0.22, ANKLE_Y),
    "straight": (0.40, 0.36, ANKLE_Y),
    "wide": (0.48, 0.62, ANKLE_Y + 0.25),
    "flared": (0.34, 0.56, ANKLE_Y + 0.3),
    "cropped": (0.42, 0.38, 6.4),
}
# ranges: where a skirt ends, and half its width there
SKIRTS = {
    "mini": ((4.2, 4.6), (1.1, 1.3)),
    "a-line": ((4.5, 5.7), (1.3, 1.9)),
    "pencil": ((5.0, 5.7), (0.82, 0.92)),
    "pleated": ((4.5, 5.7), (1.3, 1.9)),
    "maxi": ((6.6, 7.4), (1.2, 1.7)),
}
DRESSES = {
    "flared": ((4.8, 6.2), (1.4, 2.2)),
    "sheath": ((4.7, 5.7), (0.85, 1.0)),
    "maxi": ((6.8, 7.6), (1.3, 2.0)),
    "shirt": ((4.8, 6.2), (1.4, 2.2)),
}
# how far a top stands off the body, its necklines and its sleeves
TOPS = {
    "t-shirt": (0.14, ("crew", "v", "scoop"), ("short",)),
    "shirt": (0.18, ("collar",), ("long", "long", "short")),
    "jumper": (0.26, ("crew", "v"), ("long",)),
    "tank": (0.04, ("tank",), ("",)),
}
TOP_LENGTHS, SHORT_TOP_LENGTHS = (2.9, 3.7), (2.6, 2.95)  # ranges; a short top leaves a skirt or trousers visible


def pants(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw leggings, jeans, tailored, wide, flared and cropped trousers, down to the calf or the ankle."""
    cut = rng.choice(("leggings", *TROUSERS))
    denim = cut in ("skinny", "straight", "flared") and rng.random() < 0.7
    fabric = any_fabric(rng, "denim") if denim else any_fabric(rng, *PRINTS, "pinstripes", "camouflage")
    knee_half, half, end_y = TROUSERS[cut]
    apart = max(0.0, half - pose.ankle[0] + 0.03)  # wide legs stand further apart
    knee, ankle = (pose.knee[0] + apart / 2, KNEE_Y), (pose.ankle[0] + apart, end_y)
    items = tailoring.trouser_legs(fabric, ankle, half, knee, knee_half)
    if cut == "leggings":
        return [*items, tailoring.waistband(fabric.plain(0.9), WAIST_Y - 0.05, 0.7)]
    return items + tailoring.trouser_front(fabric)


def shorts(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw denim and tailored shorts: two short legs."""
    fabric = any_fabric(rng, "denim", "denim", "denim", *PRINTS, "camouflage")
    half, end_y = rng.uniform(0.46, 0.6), CROTCH_Y + rng.uniform(0.3, 1.2)
    x = half + rng.uniform(0.06, 0.2)  # the middle of a leg at its end
    return [*tailoring.trouser_legs(fabric, (x, end_y), half), *tailoring.trouser_front(fabric)]


def skirt(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw mini, A-line, pencil, pleated and maxi skirts: a waistband and one tube of cloth."""
    cut = rng.choice(("a-line", *SKIRTS))
    denim = cut in ("mini", "a-line") and rng.random() < 0.4
    fabric = any_fabric(rng, "denim") if denim else any_fabric(rng, *PRINTS)
    hem_y, half = (rng.uniform(*limits) for limits in SKIRTS[cut])
    items: list[Item] = [tailoring.skirt(rng, fabric, (0.68, WAIST_Y + 0.1), (half, hem_y), cut == "pleated")]
    if denim or (cut == "a-line" and rng.random() < 0.3):
        items += tailoring.buttons(rng, fabric, WAIST_Y + 0.1, hem_y)
    items.append(tailoring.waistband(fabric.plain(0.86), WAIST_Y - 0.1, 0.68))
    if rng.random() < 0.25:
        items += tailoring.belt(rng, WAIST_Y + 0.02, 0.69)
    return items


def dress(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw bodice and skirt in one: strapped, sleeveless, with short or long sleeves; short, midi or maxi."""
    cut = rng.choice(("flared", *DRESSES))
    fabric = any_fabric(rng, *PRINTS, "floral", "floral")
    style = "collar" if cut == "shirt" else rng.choice(("straps", "straps", "tank", "tank", "crew", "v", "scoop"))
    hem_y, half = (rng.uniform(*limits) for limits in DRESSES[cut])
    waist = (0.64, rng.uniform(2.1, 2.45))
    items: list[Item] = []
    if style not in ("straps", "tank"):
        length, puffed = rng.choice(("short", "short", "long")), rng.random() < 0.3
        items += tailoring.sleeves(fabric, pose, length, 0.45 if puffed else 0.36, puffed)
    items.append(tailoring.skirt(rng, fabric, waist, (half, hem_y)))
    edge = tailoring.neckline(rng, style)
    items += tailoring.bodice(fabric, pose, style, edge, (0.86, 1.1), (0.84, 1.45), waist)
    if cut == "shirt":
        items += tailoring.buttons(rng, fabric, 0.4, hem_y)
    if cut == "shirt" or rng.random() < 0.3:
        return items + tailoring.belt(rng, waist[1], 0.66)
    return [*items, Line(curve((-waist[0], waist[1]), (0, waist[1] + 0.1), waist), 0.035)]


def top(rng: random.Random, pose: Pose, lengths: tuple[float, float] = TOP_LENGTHS) -> list[Item]:
    """Draw T-shirts, shirts, jumpers and tanks, that end somewhere between the two `lengths`."""
    cut = rng.choice(("t-shirt", "t-shirt", *TOPS))
    fabric = any_fabric(rng, *(("knit", "stripes", "plain") if cut == "jumper" else PRINTS))
    ease, styles, sleeves = TOPS[cut]
    ease *= rng.uniform(0.7, 1.4)
    style, length, hem_y = rng.choice(styles), rng.choice(sleeves), rng.uniform(*lengths)
    waist = 0.7 + ease
    edge = tailoring.neckline(rng, style)
    sides = (0.84 + ease / 2, 1.15), (0.8 + ease, 1.6), (waist, WAIST_Y - 0.2), (min(0.86 + ease, waist + 0.18), hem_y)

    items: list[Item] = []
    if length:
        items += tailoring.sleeves(fabric, pose, length, 0.36 + ease / 2, rng.random() < 0.2)
    items += tailoring.bodice(fabric, pose, style, edge, *sides)
    if cut == "jumper":  # ribbing at the hem
        items.append(tailoring.waistband(fabric.plain(0.88), hem_y - 0.14, sides[-1][0]))
    if cut == "shirt":
        items += tailoring.buttons(rng, fabric, edge[0][1], hem_y)
    elif fabric.pattern == "plain" and rng.random() < 0.65:
        items += tailoring.chest_print(rng, fabric)
    return items


def lingerie(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw a bra, briefs, both as a set, or a lace body."""
    cut = rng.choice(("bra", "bra", "set", "set", "set", "briefs", "body"))
    fabric = dataclasses.replace(any_fabric(rng, "lace", "lace", "lace", "plain", "dots"), gloss=1.4)
    trim, edging = fabric.plain(0.75), (*fabric.plain(0.75).ground, 255)
    items: list[Item] = []
    if cut == "body":
        leg = curve((0.88, 3.05), (0.5, 3.45), (0.16, 3.95))
        side = curve((0, 1.35), (0.4, 1.3), (0.84, 1.2)), curve((0.82, 1.5), (0.62, WAIST_Y), (0.86, 3.1))
        items += [Piece(symmetric(*side, leg), fabric, folds=4), *pair(Line(leg, 0.06, edging))]
    if cut in ("briefs", "set"):
        y, side = rng.uniform(2.6, 3.0), rng.uniform(0.12, 0.4)
        leg = curve((0.93, y + side), (0.5, y + side + 0.3), (0.17, 3.9))
        items.append(Piece(symmetric(curve((0, y + 0.09), (0.5, y + 0.05), (0.88, y)), leg), fabric, folds=2))
        items += [tailoring.waistband(trim, y, 0.88, 0.1), *pair(Line(leg, 0.06, edging))]
    return items if cut == "briefs" else [*items, *_bra(rng, fabric, trim)]


def _bra(rng: random.Random, fabric: Fabric, trim: Fabric) -> list[Item]:
    plunge, apex = rng.uniform(0.02, 0.1), rng.uniform(0.55, 0.75)
    inner = curve((apex, 0.62), (0.3, 1.0), (plunge, 1.42))
    under = curve((plunge, 1.42), (0.12, 1.66), (0.46, 1.82), (0.8, 1.68), (0.92, 1.3))
    outer = curve((0.92, 1.3), (0.88, 0.95), (apex, 0.62))
    strap = ribbon([(apex, 0.68), (apex + 0.02, 0.3), (apex - 0.06, 0.02)], [0.05, 0.045])
    band = curve((0.5, 1.6), (0.92, 1.3), (0.96, 1.26)), curve((0.97, 1.52), (0.5, 1.84), (0, 1.82))
    edging = (*trim.ground, 255)
    cup = Piece(np.concatenate([inner, under, outer]), fabric)
    return [
        Piece(symmetric([(0, 1.52)], *band), fabric),
        *pair(Piece(strap, trim), cup, Line(under, 0.05, edging), Line(inner, 0.05, edging)),
        Line([(0, 1.5)], 0.12, edging),
    ]


CUTS = {"Pants_Leggings": pants, "Dresses": dress, "Skirts": skirt, "Tops": top, "Shorts": shorts, "Lingerie": lingerie}
