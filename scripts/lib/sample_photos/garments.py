"""The cuts of the six classes: what makes a person say "a skirt".

Each function draws one garment of its class by chance, to be worn in a given pose, as a list of items from the lowest
to the topmost; `CUTS` names them by class.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

from scripts.lib.sample_photos.fabrics import (
    RGB,
    Fabric,
    any_colour,
    any_fabric,
    contrasting,
    distance,
    shade,
)
from scripts.lib.sample_photos.figure import ANKLE_Y, CROTCH_Y, HIP_Y, KNEE_Y, WAIST_Y, Pose
from scripts.lib.sample_photos.shapes import (
    HIGHLIGHT,
    SEAM,
    Dot,
    Fold,
    Item,
    Line,
    Piece,
    Point,
    Points,
    along,
    curve,
    ellipse,
    lerp,
    mirror,
    ribbon,
    symmetric,
)

STITCH = (206, 150, 84, 220)  # the yellow thread of jeans
BOTTOMS = ("Pants_Leggings", "Skirts", "Shorts")
PRINTS = ("plain", "plain", "plain", "stripes", "dots", "tartan", "floral", "gingham", "pinstripes", "ombre")


@dataclasses.dataclass(frozen=True)
class Neckline:
    """The upper edge of a top or a dress, right half: from the middle of the neckline to the shoulder's end."""

    edge: Points
    back_depth: float | None  # how deep the inside of the back shows, None where nothing of it does


def pants(rng: random.Random, pose: Pose) -> list[Item]:
    """Leggings, jeans, tailored, wide, flared and jogging trousers, down to the calf or the ankle."""
    cut = rng.choice(("leggings", "leggings", "skinny", "straight", "wide", "flared", "jogger", "cropped"))
    denim = cut in ("skinny", "straight", "flared") and rng.random() < 0.7
    fabric = any_fabric(rng, "denim") if denim else any_fabric(rng, *PRINTS, "pinstripes", "leopard", "camouflage")
    knee, hem = {
        "leggings": (0.33, 0.19), "skinny": (0.35, 0.22), "straight": (0.4, 0.36), "wide": (0.48, 0.62),
        "flared": (0.34, 0.56), "jogger": (0.44, 0.22), "cropped": (0.42, 0.38),
    }[cut]  # fmt: skip
    end_y = {"cropped": rng.uniform(6.1, 6.7), "wide": ANKLE_Y + 0.25, "flared": ANKLE_Y + 0.3}.get(cut, ANKLE_Y)
    ankle = lerp(pose.knee, pose.ankle, (end_y - KNEE_Y) / (ANKLE_Y - KNEE_Y))
    shift = max(0.0, hem - ankle[0] + 0.03)  # wide legs stand further apart
    legs = _legs(rng, fabric, (pose.knee[0] + shift / 2, KNEE_Y), (ankle[0] + shift, end_y), knee, hem)
    items: list[Item] = [*legs, *_creases_at_crotch()]
    if cut == "jogger":
        items += _ribbing(fabric, (ankle[0] + shift, end_y), hem)
    if cut == "leggings":
        items.append(Piece(_band(WAIST_Y - 0.05, 0.3, 0.68, 0.75), fabric.plain(0.9)))
        if rng.random() < 0.3:
            items += _side_stripes(rng, fabric, pose.knee[0], ankle[0], knee, hem, end_y)
    else:
        items += _waist(rng, fabric, denim, drawstring=cut == "jogger")
    if denim and rng.random() < 0.4:
        items += _rips(rng, pose.knee[0])
    return items


def shorts(rng: random.Random, pose: Pose) -> list[Item]:
    """Denim, tailored, sports and cargo shorts: two short legs."""
    cut = rng.choice(("denim", "denim", "tailored", "sports", "cargo"))
    fabric = {
        "denim": lambda: any_fabric(rng, "denim"),
        "tailored": lambda: any_fabric(rng, *PRINTS),
        "sports": lambda: any_fabric(rng, "plain"),
        "cargo": lambda: any_fabric(rng, "plain", "camouflage"),
    }[cut]()
    end_y = CROTCH_Y + (rng.uniform(0.3, 0.8) if cut in ("denim", "sports") else rng.uniform(0.6, 1.3))
    half = rng.uniform(0.46, 0.6)
    centre = (half + rng.uniform(0.06, 0.2), end_y)
    outline = symmetric(
        [(0, WAIST_Y), (0.7, WAIST_Y)],
        curve((0.74, WAIST_Y + 0.3), (0.98, HIP_Y), (centre[0] + half, end_y)),
        curve((centre[0] + half, end_y), (centre[0], end_y + 0.07), (centre[0] - half, end_y - 0.02)),
        [(0.03, CROTCH_Y)],
    )
    folds = [
        Fold((side * 0.05, CROTCH_Y - 0.1), (side * (centre[0] + 0.2), CROTCH_Y - rng.uniform(0.2, 0.5)), 0.14, -30)
        for side in (-1, 1)
    ] + [Fold((side * 0.4, HIP_Y), (side * centre[0], end_y), 0.3, rng.choice((-22, 24))) for side in (-1, 1)]
    hems = [
        Line(
            curve(
                (s * (centre[0] + half), end_y - 0.14),
                (s * centre[0], end_y - 0.07),
                (s * (centre[0] - half), end_y - 0.16),
            ),
            0.03,
        )
        for s in (-1, 1)
    ]
    items: list[Item] = [Piece(outline, fabric, tuple(folds)), *hems, *_creases_at_crotch()]
    if cut == "denim" and rng.random() < 0.6:
        items += _frayed_hems(rng, fabric, centre, half)
    if cut == "sports":
        trim = contrasting(rng, fabric.ground)
        for side in (-1, 1):
            edge = curve((0.74, WAIST_Y + 0.3), (0.98, HIP_Y), (centre[0] + half, end_y))
            items.append(Line([(side * (x - 0.08), y) for x, y in edge], 0.09, (*trim, 255)))
    if cut == "cargo":
        for side in (-1, 1):
            x = side * (centre[0] + half * 0.35)
            items += _patch_pocket(fabric, x, end_y - 0.75, 0.3, 0.4)
    return [*items, *_waist(rng, fabric, cut == "denim", drawstring=cut == "sports")]


def skirt(rng: random.Random, pose: Pose) -> list[Item]:
    """Mini, A-line, pencil, pleated, tiered and maxi skirts: a waistband and one tube of cloth."""
    cut = rng.choice(("mini", "a-line", "a-line", "pencil", "pleated", "pleated", "tiered", "maxi"))
    denim = cut in ("mini", "a-line") and rng.random() < 0.4
    fabric = any_fabric(rng, "denim") if denim else any_fabric(rng, *PRINTS, "leopard")
    hem_y = {"mini": rng.uniform(4.2, 4.6), "pencil": rng.uniform(5.0, 5.7), "maxi": rng.uniform(6.6, 7.4)}.get(
        cut, rng.uniform(4.5, 5.7)
    )
    half = {"mini": rng.uniform(1.05, 1.3), "pencil": rng.uniform(0.82, 0.92), "maxi": rng.uniform(1.2, 1.7)}.get(
        cut, rng.uniform(1.3, 1.9)
    )
    pleats = rng.randint(6, 11) if cut == "pleated" else 0
    top_y = WAIST_Y + 0.1
    items: list[Item] = [_skirt_part(rng, fabric, top_y, 0.68, hem_y, half, pleats, straight=cut in ("pencil", "mini"))]
    if cut == "tiered":
        for part in (0.36, 0.68):
            y, width = top_y + (hem_y - top_y) * part, 0.68 + (half - 0.68) * part
            items += [
                Line(_wavy(width + 0.02, y, 9, 0.05), 0.05),
                Line(_wavy(width, y + 0.07, 9, 0.05), 0.03, HIGHLIGHT),
            ]
    if denim or (cut == "a-line" and rng.random() < 0.3):
        thread = STITCH if denim else SEAM
        items.append(Line([(0, top_y), (0, hem_y)], 0.03))
        items += [
            Dot((0, top_y + 0.3 + i * 0.42), 0.06, (200, 176, 120, 255))
            for i in range(int((hem_y - top_y - 0.3) / 0.42))
        ]
        items += [
            Line(curve((s * 0.22, top_y + 0.1), (s * 0.34, top_y + 0.42), (s * 0.74, top_y + 0.45)), 0.03, thread)
            for s in (-1, 1)
        ]
    if cut == "pencil":
        items.append(Line([(0.3, hem_y), (0.3, hem_y - 0.7)], 0.035, (0, 0, 0, 150)))
    items.append(Line(_scaled_hem(half, hem_y - 0.1), 0.02) if not pleats else Line([(0, top_y), (0, top_y)], 0.01))
    items.append(Piece(_band(WAIST_Y - 0.1, 0.25, 0.66, 0.69), fabric.plain(0.86)))
    if rng.random() < 0.25:
        items += _belt(rng, WAIST_Y + 0.02, 0.69)
    return items


def dress(rng: random.Random, pose: Pose) -> list[Item]:
    """Bodice and skirt in one: strapped, sleeveless, with short or long sleeves; short, midi or maxi."""
    cut = rng.choice(("flared", "flared", "sheath", "maxi", "wrap", "shirt", "tiered"))
    fabric = any_fabric(rng, *PRINTS, "floral", "floral", "lace")
    upper = rng.choice(("straps", "straps", "sleeveless", "sleeveless", "short", "puff", "long", "off-shoulder"))
    if cut in ("wrap", "shirt") and upper in ("straps", "off-shoulder"):
        upper = "short"
    hem_y = {"maxi": rng.uniform(6.8, 7.6), "sheath": rng.uniform(4.7, 5.7)}.get(cut, rng.uniform(4.8, 6.2))
    half = {"maxi": rng.uniform(1.3, 2.0), "sheath": rng.uniform(0.85, 1.0)}.get(cut, rng.uniform(1.4, 2.2))
    waist_y = rng.uniform(2.1, 2.45)
    items: list[Item] = []
    if fabric.pattern == "lace":  # the lining, a little shorter than the lace
        items.append(_skirt_part(rng, fabric.plain(0.9), waist_y, 0.6, hem_y - 0.5, half * 0.85, 0, cut == "sheath"))
        items.append(
            Piece(
                symmetric([(0, 0.9), (0.7, 0.9)], [(0.8, 1.2), (0.66, waist_y + 0.05)], [(0, waist_y + 0.05)]),
                fabric.plain(0.9),
            )
        )
    neck = _neckline(rng, "v" if cut == "wrap" else "collar" if cut == "shirt" else upper)
    if upper in ("short", "puff", "long"):
        items += _sleeves(
            rng, fabric, pose, {"short": 0.34, "puff": 0.4, "long": 0.95}[upper], 0.45 if upper == "puff" else 0.36
        )
    if upper == "off-shoulder":
        frill = symmetric([(0, 0.62)], curve((0.6, 0.55), (1.2, 0.6), (1.42, 1.2)), _wavy_half(1.42, 1.25, 5, 0.06))
    if neck.back_depth is not None:
        items.append(_inside_of_back(fabric, neck))
    skirt_part = _skirt_part(rng, fabric, waist_y - 0.02, 0.64, hem_y, half, 0, cut == "sheath")
    bodice = symmetric(
        neck.edge,
        curve((0.86, 1.1), (0.84, 1.45), (0.64, waist_y)),
        [(0, waist_y + 0.04)],
    )
    folds = tuple(Fold((s * 0.5, waist_y), (s * 0.45, 1.2), 0.2, t) for s, t in ((-1, 18), (1, -24)))
    items += [skirt_part, Piece(bodice, fabric, folds)]
    if upper == "straps":
        items += _straps(fabric, neck.edge[-1], (0.55, 0.05))
    if upper == "off-shoulder":
        items.append(
            Piece(
                frill,
                fabric,
                tuple(
                    Fold((x * 0.8, 0.6), (x, 1.25), 0.12, t) for x, t in ((-1, -26), (-0.4, 20), (0.2, -22), (0.8, -26))
                ),
            )
        )
    if cut == "wrap":
        items.append(Line(curve((0.5, 0.1), (0.1, 1.2), (-0.6, waist_y)), 0.04, (0, 0, 0, 120)))
        items.append(Line(curve((-0.55, waist_y), (-0.2, 4.0), (0.1, hem_y)), 0.04, (0, 0, 0, 110)))
    if cut == "shirt":
        items += [*_collar(fabric), *_placket(rng, fabric, 0.3, hem_y - 0.3)]
    if cut == "tiered":
        for part in (0.35, 0.68):
            y, width = waist_y + (hem_y - waist_y) * part, 0.64 + (half - 0.64) * part
            items += [Line(_wavy(width, y, 9, 0.05), 0.05), Line(_wavy(width, y + 0.07, 9, 0.05), 0.03, HIGHLIGHT)]
    items.append(Line([(-0.64, waist_y), (0.64, waist_y)], 0.035))
    if cut in ("shirt", "wrap") or rng.random() < 0.3:
        items += _belt(rng, waist_y, 0.66)
    if upper in ("sleeveless", "short", "puff", "long") and cut not in ("wrap", "shirt"):
        items.append(_neck_binding(neck))
    return items


def top(rng: random.Random, pose: Pose, short: bool = False) -> list[Item]:
    """T-shirts, blouses, shirts, jumpers, hoodies, tanks; `short` where a skirt or trousers below are to be seen."""
    cut = rng.choice(("t-shirt", "t-shirt", "t-shirt", "shirt", "shirt", "jumper", "hoodie", "tank", "blouse"))
    fabric = any_fabric(rng, *PRINTS, *(("stripes",) if cut in ("t-shirt", "jumper") else ()))
    if cut == "jumper":
        fabric = dataclasses.replace(fabric, weave="knit")
    ease = {"t-shirt": 0.14, "tank": 0.04, "hoodie": 0.3, "jumper": 0.24}.get(cut, 0.18) * rng.uniform(0.7, 1.4)
    hem_y = rng.uniform(2.6, 2.95) if short else rng.uniform(2.9, 3.7)
    sleeve = {"tank": 0.0, "t-shirt": rng.uniform(0.28, 0.45), "blouse": rng.choice((0.4, 0.75, 0.98))}.get(
        cut, 0.98 if rng.random() < 0.85 else 0.42
    )
    style = {"tank": "tank", "shirt": "collar", "hoodie": "crew"}.get(cut) or rng.choice(
        ("crew", "crew", "v", "scoop", "turtle")
    )
    neck = _neckline(rng, style)
    items: list[Item] = []
    if cut == "hoodie":
        hood = symmetric(curve((0, -0.75), (0.5, -0.6), (0.66, -0.1), (0.5, 0.3)), [(0, 0.5)])
        items += [Piece(hood, fabric), Piece(ellipse((0, -0.05), 0.42, 0.42), fabric.plain(0.55))]
    elif neck.back_depth is not None:
        items.append(_inside_of_back(fabric, neck))
    if sleeve:
        width = 0.36 + ease * 0.5
        items += _sleeves(
            rng, fabric, pose, sleeve, width, puffed=cut == "blouse", cuffs=cut in ("jumper", "hoodie", "shirt")
        )
    waist = 0.7 + ease + (0.12 if cut in ("hoodie", "jumper") else 0)
    body = symmetric(
        neck.edge,
        curve(
            (0.84 + ease * 0.5, 1.15),
            (0.8 + ease, 1.6),
            (waist, WAIST_Y - 0.2),
            (min(0.86 + ease, waist + 0.18), hem_y),
        ),
        curve((min(0.86 + ease, waist + 0.18), hem_y), (0.4, hem_y + 0.08), (0, hem_y + 0.1)),
    )
    folds = [
        Fold((s * rng.uniform(0.6, 0.8), 1.2), (s * rng.uniform(0.1, 0.4), rng.uniform(1.8, 2.6)), 0.2, t)
        for s, t in ((-1, -24), (1, -28), (1, 18))
    ] + [Fold((rng.uniform(-0.6, 0.6), hem_y - 0.8), (rng.uniform(-0.7, 0.7), hem_y), 0.2, t) for t in (-24, 20, -20)]
    items.append(Piece(body, fabric, tuple(folds)))
    right = min(0.86 + ease, waist + 0.18)
    if cut in ("jumper", "hoodie"):
        band = curve((-right, hem_y), (0, hem_y + 0.1), (right, hem_y))
        items.append(Piece([*[(x, y - 0.26) for x, y in band], *reversed(band)], fabric.plain(0.88)))
    else:
        items.append(Line(curve((-right, hem_y - 0.1), (0, hem_y), (right, hem_y - 0.1)), 0.02))
    if style == "turtle":
        items.append(
            Piece(
                symmetric([(0, -0.42), (0.34, -0.4)], curve((0.36, -0.2), (0.42, 0.12)), [(0, 0.26)]),
                fabric.plain(0.95),
            )
        )
    elif style != "collar":
        items.append(_neck_binding(neck))
    if cut == "hoodie":
        items += _hoodie_front(fabric, hem_y)
    elif cut == "shirt" or (cut == "blouse" and style == "v"):
        items += _placket(rng, fabric, neck.edge[0][1], hem_y)
        if cut == "shirt":
            items += _collar(fabric)
            items += _patch_pocket(fabric, 0.45, 1.1, 0.36, 0.42) if rng.random() < 0.6 else []
    elif fabric.pattern == "plain" and cut in ("t-shirt", "jumper", "tank") and rng.random() < 0.65:
        items += _chest_print(rng, fabric)
    elif cut == "t-shirt" and rng.random() < 0.3:
        items += _patch_pocket(fabric, 0.42, 1.0, 0.34, 0.38)
    return items


def lingerie(rng: random.Random, pose: Pose) -> list[Item]:
    """A bra, briefs, both as a set, or a lace body."""
    cut = rng.choice(("bra", "bra", "set", "set", "set", "briefs", "body"))
    fabric = dataclasses.replace(any_fabric(rng, *("lace",) * 5, "plain", "dots"), gloss=1.3)
    if fabric.pattern != "lace":
        fabric = dataclasses.replace(fabric, weave="satin")
    trim = Fabric("plain", (shade(fabric.ground, 0.75),), weave="satin")
    items: list[Item] = []
    if cut == "body":
        torso = symmetric(
            curve((0, 1.35), (0.4, 1.3), (0.84, 1.2)),
            curve((0.82, 1.5), (0.62, WAIST_Y), (0.86, 3.1)),
            curve((0.88, 3.05), (0.5, 3.45), (0.16, 3.95)),
            [(0, 4.0)],
        )
        items += [Piece(torso, fabric, tuple(Fold((s * 0.6, WAIST_Y), (s * 0.2, 3.2), 0.2, -20) for s in (-1, 1)))]
        items += [
            Line([(s * x, 1.7), (s * x * 0.8, 3.0)], 0.03, (*trim.ground, 200)) for s in (-1, 1) for x in (0.3, 0.62)
        ]
        items += _leg_trim(trim, ((0.88, 3.05), (0.5, 3.45), (0.16, 3.95)))
    if cut in ("bra", "set", "body"):
        items += _bra(rng, fabric, trim, band=cut != "body")
    if cut in ("briefs", "set"):
        items += _briefs(rng, fabric, trim)
    return items


def _bra(rng: random.Random, fabric: Fabric, trim: Fabric, band: bool) -> list[Item]:
    items: list[Item] = []
    plunge, apex = rng.uniform(0.02, 0.1), rng.uniform(0.55, 0.75)
    if band:
        side = symmetric(
            [(0, 1.52)], curve((0.5, 1.6), (0.92, 1.3), (0.96, 1.26)), curve((0.97, 1.52), (0.5, 1.84), (0, 1.82))
        )
        items.append(Piece(side, fabric))
    cup = [
        *curve((apex, 0.62), (0.3, 1.0), (plunge, 1.42)),
        *curve((plunge, 1.42), (0.12, 1.66), (0.46, 1.82), (0.8, 1.68), (0.92, 1.3)),
        *curve((0.92, 1.3), (0.88, 0.95), (apex, 0.62)),
    ]
    folds = (Fold((0.46, 0.9), (0.46, 1.45), 0.5, 26), Fold((0.3, 1.75), (0.75, 1.7), 0.16, -34))
    for turn in (list, mirror):
        strap = ribbon([(apex, 0.68), (apex + 0.02, 0.3), (apex - 0.06, 0.02)], [0.05, 0.045])
        items += [Piece(turn(strap), trim), Piece(turn(cup), fabric, folds if turn is list else ())]
        edge = curve((apex, 0.62), (0.3, 1.0), (plunge, 1.42))
        items += [Dot(turn([point])[0], 0.045, (*trim.ground, 255)) for point in edge[::2]]
        items.append(
            Line(
                turn(curve((plunge, 1.42), (0.12, 1.66), (0.46, 1.82), (0.8, 1.68), (0.92, 1.3))),
                0.05,
                (*trim.ground, 255),
            )
        )
    return [*items, *_bow((0, 1.5), trim.ground)]


def _briefs(rng: random.Random, fabric: Fabric, trim: Fabric) -> list[Item]:
    top_y, side = rng.uniform(2.6, 3.0), rng.uniform(0.12, 0.4)
    edge = ((0.93, top_y + side), (0.5, top_y + side + 0.3), (0.17, 3.9))
    outline = symmetric(curve((0, top_y + 0.08), (0.5, top_y + 0.04), (0.88, top_y)), curve(*edge), [(0, 3.98)])
    waist = curve((-0.88, top_y), (0, top_y + 0.09), (0.88, top_y))
    return [
        Piece(outline, fabric, tuple(Fold((s * 0.1, 3.8), (s * 0.5, 3.2), 0.2, -22) for s in (-1, 1))),
        Piece([*waist, *[(x, y + 0.1) for x, y in reversed(waist)]], trim),
        *_leg_trim(trim, edge),
        *_bow((0, top_y + 0.14), trim.ground),
    ]


def _leg_trim(trim: Fabric, edge: Sequence[Point]) -> list[Item]:
    scallops = curve(*edge)[::2]
    return [Dot((s * x, y), 0.045, (*trim.ground, 255)) for s in (-1, 1) for x, y in scallops]


def _bow(centre: Point, colour: RGB) -> list[Item]:
    x, y = centre
    darker = (*shade(colour, 0.8), 255)
    return [
        Dot((x - 0.07, y), 0.06, darker),
        Dot((x + 0.07, y), 0.06, darker),
        Dot((x, y), 0.035, (*shade(colour, 1.3), 255)),
    ]


def _legs(
    rng: random.Random, fabric: Fabric, knee: Point, ankle: Point, knee_half: float, hem_half: float
) -> list[Item]:
    """Two trouser legs that meet in the middle, the right one upon the left."""
    (knee_x, _), (ankle_x, end_y) = knee, ankle
    right = [
        (-0.02, WAIST_Y),
        (0.68, WAIST_Y),
        *curve((0.72, WAIST_Y + 0.25), (0.97, HIP_Y), (knee_x + knee_half, KNEE_Y), (ankle_x + hem_half, end_y)),
        *curve((ankle_x + hem_half, end_y), (ankle_x, end_y + 0.06), (ankle_x - hem_half, end_y)),
        *curve((ankle_x - hem_half, end_y), (max(0.04, knee_x - knee_half), KNEE_Y), (0.0, CROTCH_Y + 0.02)),
    ]
    folds = (
        Fold((0.1, CROTCH_Y), (0.75, CROTCH_Y - rng.uniform(0.1, 0.4)), 0.16, -30),
        Fold((0.4, HIP_Y), (knee_x, KNEE_Y), 0.22, 20),
        Fold(
            (knee_x - knee_half, KNEE_Y - 0.1), (knee_x + knee_half * 0.6, KNEE_Y + rng.uniform(-0.3, 0.1)), 0.14, -28
        ),
        Fold((knee_x + knee_half, KNEE_Y + 0.3), (knee_x - 0.1, KNEE_Y + 0.2), 0.12, -22),
        Fold((knee_x, KNEE_Y + 0.6), (ankle_x, end_y), hem_half * 0.7, rng.choice((-20, 20))),
        Fold((ankle_x - hem_half, end_y - 0.25), (ankle_x + hem_half * 0.7, end_y - 0.4), 0.12, -24),
    )
    mirrored = tuple(Fold(mirror([f.start])[0], mirror([f.end])[0], f.width, f.tone) for f in folds)
    hem = curve((ankle_x - hem_half, end_y - 0.1), (ankle_x, end_y - 0.04), (ankle_x + hem_half, end_y - 0.1))
    return [Piece(mirror(right), fabric, mirrored), Piece(right, fabric, folds), Line(hem), Line(mirror(hem))]


def _creases_at_crotch() -> list[Item]:
    return [Line(curve((0, WAIST_Y + 0.2), (0.01, HIP_Y), (0, CROTCH_Y)), 0.03, (0, 0, 0, 110))]


def _ribbing(fabric: Fabric, ankle: Point, half: float) -> list[Item]:
    x, y = ankle
    cuff = [(x - half, y - 0.22), (x + half, y - 0.22), (x + half * 0.9, y + 0.08), (x - half * 0.9, y + 0.08)]
    knit = dataclasses.replace(fabric.plain(0.85), weave="knit")
    return [Piece(cuff, knit), Piece(mirror(cuff), knit)]


def _side_stripes(
    rng, fabric: Fabric, knee_x: float, ankle_x: float, knee: float, hem: float, end_y: float
) -> list[Item]:
    colour = (*contrasting(rng, fabric.ground), 255)
    edge = curve((0.72, WAIST_Y + 0.25), (0.97, HIP_Y), (knee_x + knee, KNEE_Y), (ankle_x + hem, end_y))
    stripe = [(x - 0.09, y) for x, y in edge]
    return [Line(stripe, 0.08, colour), Line(mirror(stripe), 0.08, colour)]


def _waist(rng: random.Random, fabric: Fabric, denim: bool, drawstring: bool) -> list[Item]:
    """Waistband, fly, pockets; belt loops and yellow stitching on jeans."""
    thread = STITCH if denim else SEAM
    pockets = [
        Line(curve((s * 0.3, WAIST_Y + 0.2), (s * 0.42, WAIST_Y + 0.5), (s * 0.82, WAIST_Y + 0.6)), 0.035, thread)
        for s in (-1, 1)
    ]
    band = Piece(_band(WAIST_Y - 0.06, 0.26, 0.68, 0.72), fabric.plain(0.92))
    if drawstring:
        cord = (*contrasting(rng, fabric.ground), 255)
        return [
            band,
            *pockets,
            *(
                Line(curve((s * 0.06, WAIST_Y + 0.1), (s * 0.16, WAIST_Y + 0.4), (s * 0.1, WAIST_Y + 0.7)), 0.05, cord)
                for s in (-1, 1)
            ),
        ]
    fly = Line(curve((0.16, WAIST_Y + 0.2), (0.17, WAIST_Y + 0.8), (0, WAIST_Y + 1.05)), 0.025, thread)
    loops = [
        Line([(x, WAIST_Y - 0.06), (x, WAIST_Y + 0.22)], 0.06, (*shade(fabric.ground, 0.7), 255))
        for x in (-0.5, -0.22, 0.22, 0.5)
    ]
    button = Dot((0, WAIST_Y + 0.08), 0.06, (206, 186, 140, 255) if denim else (*shade(fabric.ground, 0.6), 255))
    if not denim and rng.random() < 0.35:
        return [band, fly, *pockets, *_belt(rng, WAIST_Y + 0.07, 0.7)]
    return [band, fly, *pockets, *(loops if denim else []), button]


def _rips(rng: random.Random, knee_x: float) -> list[Item]:
    pale = (226, 226, 224, 230)
    rips: list[Item] = []
    for side in (-1, 1):
        y = KNEE_Y + rng.uniform(-0.4, 0.2)
        rips += [
            Line(
                [
                    (side * knee_x - rng.uniform(0.12, 0.22), y + i * 0.07),
                    (side * knee_x + rng.uniform(0.1, 0.2), y + i * 0.07),
                ],
                0.035,
                pale,
            )
            for i in range(rng.randint(2, 5))
        ]
    return rips


def _frayed_hems(rng: random.Random, fabric: Fabric, centre: Point, half: float) -> list[Item]:
    pale = (*shade(fabric.ground, 1.7), 230)
    threads: list[Item] = []
    for side in (-1, 1):
        for step in range(15):
            x = side * (centre[0] - half + 2 * half * step / 14)
            threads.append(Line([(x, centre[1] - 0.1), (x + rng.uniform(-0.04, 0.04), centre[1] + 0.04)], 0.04, pale))
    return threads


def _patch_pocket(fabric: Fabric, x: float, y: float, width: float, height: float) -> list[Item]:
    w = width / 2
    outline = [(x - w, y), (x + w, y), (x + w, y + height * 0.8), (x, y + height), (x - w, y + height * 0.8)]
    return [Piece(outline, fabric), Line([(x - w, y + 0.08), (x + w, y + 0.08)], 0.025)]


def _belt(rng: random.Random, y: float, half: float) -> list[Item]:
    leather = Fabric("plain", (any_colour(rng, "black", "brown", "camel", "white", "red"),), weave="satin", gloss=1.3)
    buckle = [(-0.12, y - 0.1), (0.12, y - 0.1), (0.12, y + 0.1), (-0.12, y + 0.1), (-0.12, y - 0.1)]
    return [Piece(_band(y - 0.08, 0.16, half, half), leather), Line(buckle, 0.05, (214, 190, 120, 255))]


def _band(y: float, height: float, upper: float, lower: float) -> Points:
    """A waistband seen from slightly above."""
    return symmetric(
        curve((0, y + 0.05), (upper * 0.6, y + 0.03), (upper, y)),
        curve((lower, y + height), (lower * 0.6, y + height + 0.04), (0, y + height + 0.06)),
    )


def _skirt_part(
    rng: random.Random, fabric: Fabric, top_y: float, top: float, hem_y: float, half: float, pleats: int, straight: bool
) -> Piece:
    """From the waist to the hem: a cone with a wavy hem and folds that run down, or a tube over the hips."""
    hips = (
        (max(top + 0.26, 0.93), min(HIP_Y, top_y + 1.0)) if straight else lerp((top + 0.1, top_y), (half, hem_y), 0.45)
    )
    side = curve((top, top_y), hips, (half, hem_y))
    waves = pleats * 2 if pleats else rng.randint(3, 6)
    hem = (
        [(half, hem_y), (0, hem_y + 0.05)]
        if straight
        else _wavy_half(half, hem_y, waves, 0.05 if pleats else rng.uniform(0.04, 0.12))
    )
    count = 2 * pleats if pleats else (3 if straight else waves * 2)
    folds = []
    for index in range(count):
        x = (index + 0.5 + (0 if pleats else rng.uniform(-0.3, 0.3))) / count * 2 - 1
        start = (x * top, top_y) if pleats else lerp((x * top, top_y), (x * half, hem_y), rng.uniform(0.0, 0.4))
        width = 2 * half / count * (0.6 if pleats else 0.7)
        folds.append(
            Fold(
                start,
                (x * half * 0.97, hem_y + 0.05),
                width,
                (-40 if index % 2 else 22) if pleats else (-30 if index % 2 else 24),
            )
        )
    return Piece(symmetric([(0, top_y)], side, hem), fabric, tuple(folds))


def _wavy_half(half: float, y: float, waves: int, depth: float) -> Points:
    """The right half of a hem, from the side to the middle."""
    marks = [
        (half * (1 - step / waves), y + (depth if step % 2 else 0.0) + 0.06 * step / waves) for step in range(waves + 1)
    ]
    return curve(*marks, steps=4)


def _wavy(half: float, y: float, waves: int, depth: float) -> Points:
    right = _wavy_half(half, y, waves, depth)
    return right + mirror(reversed(right))


def _scaled_hem(half: float, y: float) -> Points:
    return curve((-half * 0.97, y), (0, y + 0.08), (half * 0.97, y))


def _neckline(rng: random.Random, style: str) -> Neckline:
    shoulder = [(1.0, 0.22)]
    if style in ("straps", "off-shoulder"):
        depth = rng.uniform(0.95, 1.15) if style == "straps" else 0.7
        return Neckline(curve((0, depth), (0.3, depth - 0.14), (0.56, depth - 0.2), (0.82, 1.05)), None)
    if style == "tank":
        depth = rng.uniform(0.5, 0.9)
        return Neckline(
            [*curve((0, depth), (0.3, depth - 0.1), (0.5, 0.02)), *curve((0.72, 0.06), (0.66, 0.6), (0.84, 1.12))], 0.25
        )
    if style == "sleeveless":
        depth = rng.uniform(0.25, 0.7)
        return Neckline(
            [*curve((0, depth), (0.3, depth - 0.1), (0.46, 0.02)), *curve((0.86, 0.14), (0.76, 0.6), (0.86, 1.12))], 0.2
        )
    if style in ("v", "collar"):
        depth = rng.uniform(0.7, 1.2) if style == "v" else 0.42
        return Neckline([(0, depth), (0.36, -0.06), *shoulder], 0.12)
    if style == "turtle":
        return Neckline([(0, 0.1), (0.4, 0.0), *shoulder], None)
    depth = rng.uniform(0.5, 0.75) if style == "scoop" else rng.uniform(0.24, 0.34)
    width = 0.55 if style == "scoop" else 0.42
    return Neckline([*curve((0, depth), (width * 0.65, depth * 0.75), (width, -0.03)), *shoulder], 0.12)


def _inside_of_back(fabric: Fabric, neck: Neckline) -> Piece:
    """What shows of the back's inside above the neckline in front."""
    inner = max((x for x, y in neck.edge if y < 0.1), default=0.4)
    width = min(inner, 0.55)
    outline = symmetric(
        curve((0, neck.back_depth or 0.1), (width * 0.6, 0.06), (width, -0.03)),
        [(width * 0.9, 0.3), (0, max(0.35, neck.edge[0][1]))],
    )
    return Piece(outline, fabric.plain(0.6))


def _neck_binding(neck: Neckline) -> Line:
    edge = [(x, y) for x, y in neck.edge if x <= 0.56]
    return Line(mirror(reversed(edge)) + edge, 0.06, (0, 0, 0, 80))


def _straps(fabric: Fabric, top_of_cup: Point, shoulder: Point) -> list[Item]:
    strap = ribbon([(0.54, 0.86), (0.58, 0.4), shoulder], [0.06, 0.05])
    return [Piece(strap, fabric.plain()), Piece(mirror(strap), fabric.plain())]


def _sleeves(
    rng: random.Random,
    fabric: Fabric,
    pose: Pose,
    length: float,
    half: float,
    puffed: bool = False,
    cuffs: bool = False,
) -> list[Item]:
    """Both sleeves, down to `length` of the arm, from the shoulder's end."""
    middle = along([(0.82, 0.42), *pose.arm[1:]], length)
    end = 0.2 if length > 0.6 else half * 0.9
    widths = (
        [half, half * 1.15, end * 1.3, end]
        if puffed
        else [half, half * 0.92, half * 0.8 if length > 0.6 else half, end]
    )
    outline = ribbon(middle, widths)
    tip, before = middle[-1], middle[-2]
    folds = (
        Fold(lerp(before, tip, 0.1), lerp(before, tip, 0.9), half * 0.7, -26),
        Fold((middle[0][0] - 0.1, middle[0][1] + 0.4), lerp(middle[0], middle[1], 0.8), half * 0.5, -22),
    )
    items: list[Item] = []
    for turn in (mirror, list):
        turned = tuple(Fold(turn([fold.start])[0], turn([fold.end])[0], fold.width, fold.tone) for fold in folds)
        items.append(Piece(turn(outline), fabric, turned))
        if cuffs or length <= 0.6:
            inner = lerp(before, tip, 1 - 0.22 / max(0.3, _length(before, tip)))
            cuff = ribbon([inner, tip], [end * 1.02, end])
            items.append(Piece(turn(cuff), fabric.plain(0.9)) if cuffs else Line(turn([cuff[0], cuff[-1]]), 0.025))
    return items


def _length(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _collar(fabric: Fabric) -> list[Item]:
    wing = [(0.02, 0.42), (0.34, -0.14), (0.48, 0.02), (0.4, 0.52)]
    plain = fabric.plain(1.05)
    return [Piece(wing, plain), Piece(mirror(wing), plain)]


def _placket(rng: random.Random, fabric: Fabric, start_y: float, end_y: float) -> list[Item]:
    pale = distance(fabric.ground, (0, 0, 0)) < 250
    colour = (236, 232, 222, 255) if pale else (*shade(fabric.ground, 0.55), 255)
    buttons = int((end_y - start_y) / 0.42)
    return [
        Line([(0.1, start_y), (0.1, end_y + 0.08)], 0.025),
        Line([(-0.1, start_y), (-0.1, end_y + 0.08)], 0.02),
        *(Dot((0, start_y + 0.2 + i * 0.42), 0.045, colour) for i in range(buttons)),
    ]


def _hoodie_front(fabric: Fabric, hem_y: float) -> list[Item]:
    y = hem_y - 1.05
    pocket = symmetric([(0, y), (0.34, y)], [(0.58, y + 0.62), (0.58, y + 0.76), (0, y + 0.78)])
    cords = [
        Line(curve((s * 0.16, 0.34), (s * 0.2, 0.7), (s * 0.15, 1.05)), 0.05, (236, 234, 228, 255)) for s in (-1, 1)
    ]
    return [Piece(pocket, fabric.plain(0.95)), *cords]


def _chest_print(rng: random.Random, fabric: Fabric) -> list[Item]:
    """A picture on the chest: heart, sun, mountains, bars of lettering, a broad stripe."""
    colour = contrasting(rng, fabric.ground)
    ink = Fabric("plain", (colour,), weave="satin", gloss=0.4)
    motif = rng.choice(("heart", "sun", "mountains", "letters", "stripe"))
    if motif == "heart":
        return [Piece(symmetric(curve((0, 0.95), (0.18, 0.78), (0.42, 0.92), (0.34, 1.25), (0, 1.6))), ink)]
    if motif == "sun":
        other = Fabric("plain", (contrasting(rng, colour),), weave="satin", gloss=0.4)
        return [Piece(ellipse((0, 1.25), 0.42, 0.42), ink), Piece(ellipse((0, 1.25), 0.26, 0.26), other)]
    if motif == "mountains":
        return [
            Piece([(-0.5, 1.6), (-0.2, 1.05), (-0.02, 1.3), (0.16, 0.95), (0.5, 1.6)], ink),
            Line([(-0.5, 1.7), (0.5, 1.7)], 0.05, (*colour, 255)),
        ]
    if motif == "stripe":
        return [Piece([(-0.72, 1.3), (0.72, 1.3), (0.72, 1.6), (-0.72, 1.6)], ink)]
    widths = [rng.uniform(0.08, 0.16) for _ in range(5)]
    x, bars = -0.45, []
    for width in widths:
        bars.append(Piece([(x, 1.0), (x + width, 1.0), (x + width, 1.38), (x, 1.38)], ink))
        x += width + 0.06
    return [*bars, Line([(-0.45, 1.52), (0.35, 1.52)], 0.05, (*colour, 255))]


CUTS: dict[str, Callable[..., list[Item]]] = {
    "Pants_Leggings": pants,
    "Dresses": dress,
    "Skirts": skirt,
    "Tops": top,
    "Shorts": shorts,
    "Lingerie": lingerie,
}
