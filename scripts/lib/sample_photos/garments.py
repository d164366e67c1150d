"""The cuts of the six classes.

Each function draws a random garment of its class for a pose, as a list of items from the lowest to the topmost; `CUTS`
names them by class.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

from scripts.lib.sample_photos import tailoring
from scripts.lib.sample_photos.fabrics import Fabric, any_fabric, shade
from scripts.lib.sample_photos.figure import ANKLE_Y, CROTCH_Y, HIP_Y, KNEE_Y, WAIST_Y, Pose
from scripts.lib.sample_photos.shapes import Fold, Item, Line, Piece, curve, lerp, pair, ribbon, symmetric

BOTTOMS = ("Pants_Leggings", "Skirts", "Shorts")
PRINTS = ("plain", "plain", "plain", "stripes", "dots", "tartan", "floral", "gingham", "pinstripes", "ombre")

# half the width of a trouser leg at the knee and at the hem, and where it ends
TROUSERS = {
    "leggings": (0.33, 0.19, ANKLE_Y),
    "skinny": (0.35, 0.22, ANKLE_Y),
    "straight": (0.40, 0.36, ANKLE_Y),
    "wide": (0.48, 0.62, ANKLE_Y + 0.25),
    "flared": (0.34, 0.56, ANKLE_Y + 0.3),
    "jogger": (0.44, 0.22, ANKLE_Y),
    "cropped": (0.42, 0.38, 6.4),
}
# ranges: where a skirt ends, and half its width there
SKIRTS = {
    "mini": ((4.2, 4.6), (1.05, 1.3)),
    "a-line": ((4.5, 5.7), (1.3, 1.9)),
    "pencil": ((5.0, 5.7), (0.82, 0.92)),
    "pleated": ((4.5, 5.7), (1.3, 1.9)),
    "tiered": ((4.5, 5.7), (1.3, 1.9)),
    "maxi": ((6.6, 7.4), (1.2, 1.7)),
}
DRESSES = {
    "flared": ((4.8, 6.2), (1.4, 2.2)),
    "sheath": ((4.7, 5.7), (0.85, 1.0)),
    "maxi": ((6.8, 7.6), (1.3, 2.0)),
    "wrap": ((4.8, 6.2), (1.4, 2.2)),
    "shirt": ((4.8, 6.2), (1.4, 2.2)),
    "tiered": ((4.8, 6.2), (1.4, 2.2)),
}
TOP_LENGTHS, SHORT_TOP_LENGTHS = (2.9, 3.7), (2.6, 2.95)  # ranges; a short top leaves a skirt or trousers visible
# how far a top stands off the body; how much of the arm its sleeves cover
TOPS = {
    "t-shirt": (0.14, (0.28, 0.35, 0.45)),
    "shirt": (0.18, (0.98, 0.98, 0.98, 0.42)),
    "jumper": (0.24, (0.98,)),
    "hoodie": (0.30, (0.98, 0.98, 0.98, 0.42)),
    "tank": (0.04, (0.0,)),
    "blouse": (0.18, (0.4, 0.75, 0.98)),
}


def pants(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw leggings, jeans, tailored, wide, flared and jogging trousers, down to the calf or the ankle."""
    cut = rng.choice(("leggings", *TROUSERS))
    denim = cut in ("skinny", "straight", "flared") and rng.random() < 0.7
    fabric = any_fabric(rng, "denim") if denim else any_fabric(rng, *PRINTS, "pinstripes", "leopard", "camouflage")
    knee, hem, end_y = TROUSERS[cut]
    ankle_x, _ = lerp(pose.knee, pose.ankle, (end_y - KNEE_Y) / (ANKLE_Y - KNEE_Y))
    apart = max(0.0, hem - ankle_x + 0.03)  # wide legs stand further apart
    knee_x, ankle = pose.knee[0] + apart / 2, (ankle_x + apart, end_y)
    items = [*tailoring.trouser_legs(rng, fabric, knee_x, knee, ankle, hem), tailoring.CROTCH_SEAM]
    if cut == "leggings":
        items.append(Piece(tailoring.waistband(WAIST_Y - 0.05, 0.3, 0.68, 0.75), fabric.plain(0.9)))
        if rng.random() < 0.3:
            items += tailoring.side_stripes(rng, fabric, tailoring.outer_seam(knee_x, knee, ankle, hem))
    else:
        items += tailoring.waist(rng, fabric, denim, drawstring=cut == "jogger")
    if cut == "jogger":
        items += tailoring.ankle_cuffs(fabric, ankle, hem)
    if denim and rng.random() < 0.4:
        items += tailoring.rips(rng, knee_x)
    return items


def shorts(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw denim, tailored, sports and cargo shorts: two short legs."""
    cut = rng.choice(("denim", "denim", "tailored", "sports", "cargo"))
    patterns = {"denim": ("denim",), "tailored": PRINTS, "sports": ("plain",), "cargo": ("plain", "camouflage")}
    fabric = any_fabric(rng, *patterns[cut])
    end_y = CROTCH_Y + (rng.uniform(0.3, 0.8) if cut in ("denim", "sports") else rng.uniform(0.6, 1.3))
    half = rng.uniform(0.46, 0.6)
    x = half + rng.uniform(0.06, 0.2)  # the middle of a leg at its end
    outer = curve((0.74, WAIST_Y + 0.3), (0.98, HIP_Y), (x + half, end_y))
    end = curve((x + half, end_y), (x, end_y + 0.07), (x - half, end_y - 0.02))
    folds = (
        Fold((0.05, CROTCH_Y - 0.1), (x + 0.2, CROTCH_Y - rng.uniform(0.2, 0.5)), 0.14, -30),
        Fold((-0.05, CROTCH_Y - 0.1), (-x - 0.2, CROTCH_Y - rng.uniform(0.2, 0.5)), 0.14, -30),
        Fold((0.4, HIP_Y), (x, end_y), 0.3, rng.choice((-22, 24))),
        Fold((-0.4, HIP_Y), (-x, end_y), 0.3, rng.choice((-22, 24))),
    )
    items: list[Item] = [
        Piece(symmetric([(0, WAIST_Y), (0.7, WAIST_Y)], outer, end, [(0.03, CROTCH_Y)]), fabric, folds),
        *pair(Line([(point_x, y - 0.14) for point_x, y in end], 0.03)),
        tailoring.CROTCH_SEAM,
    ]
    if cut == "denim" and rng.random() < 0.6:
        items += tailoring.frayed_hems(rng, fabric, (x, end_y), half)
    if cut == "sports":
        items += tailoring.side_stripes(rng, fabric, outer)
    if cut == "cargo":
        items += pair(*tailoring.patch_pocket(fabric, x + half * 0.35, end_y - 0.75, 0.3, 0.4))
    return [*items, *tailoring.waist(rng, fabric, cut == "denim", drawstring=cut == "sports")]


def skirt(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw mini, A-line, pencil, pleated, tiered and maxi skirts: a waistband and one tube of cloth."""
    cut = rng.choice(("a-line", "pleated", *SKIRTS))
    denim = cut in ("mini", "a-line") and rng.random() < 0.4
    fabric = any_fabric(rng, "denim") if denim else any_fabric(rng, *PRINTS, "leopard")
    hem_y, half = (rng.uniform(*limits) for limits in SKIRTS[cut])
    waist, hem = (0.68, WAIST_Y + 0.1), (half, hem_y)
    if cut == "pleated":
        items: list[Item] = [tailoring.pleated_skirt(rng, fabric, waist, hem)]
    elif cut in ("mini", "pencil"):
        items = [tailoring.straight_skirt(rng, fabric, waist, hem)]
    else:
        items = [tailoring.flared_skirt(rng, fabric, waist, hem), tailoring.hem_seam(half, hem_y - 0.1)]
    if cut == "tiered":
        items += tailoring.tiers(waist, hem)
    if cut == "pencil":
        items.append(Line([(0.3, hem_y), (0.3, hem_y - 0.7)], 0.035, (0, 0, 0, 150)))  # the slit
    if denim or (cut == "a-line" and rng.random() < 0.3):
        items += [*tailoring.buttoned_front(waist[1], hem_y), *tailoring.pockets(denim)]
    items.append(Piece(tailoring.waistband(WAIST_Y - 0.1, 0.25, 0.66, 0.69), fabric.plain(0.86)))
    if rng.random() < 0.25:
        items += tailoring.belt(rng, WAIST_Y + 0.02, 0.69)
    return items


def dress(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw bodice and skirt in one: strapped, sleeveless, with short or long sleeves; short, midi or maxi."""
    cut = rng.choice(("flared", *DRESSES))
    fabric = any_fabric(rng, *PRINTS, "floral", "floral", "lace")
    uppers = ("sleeveless", "sleeveless", "short", "short", "puff", "long")
    upper = rng.choice(uppers if cut in ("wrap", "shirt") else (*uppers[1:], "straps", "straps", "off-shoulder"))
    hem_y, half = (rng.uniform(*limits) for limits in DRESSES[cut])
    waist, hem = (0.64, rng.uniform(2.1, 2.45)), (half, hem_y)
    make_skirt = tailoring.straight_skirt if cut == "sheath" else tailoring.flared_skirt
    neck = tailoring.neckline(rng, {"wrap": "v", "shirt": "collar"}.get(cut, upper))

    items: list[Item] = []
    if fabric.pattern == "lace":  # over a lining that ends above the knee
        items += tailoring.lining(rng, fabric.plain(0.9), waist, (half * 0.85, hem_y - 0.5), make_skirt)
    if upper in ("short", "puff", "long"):
        length = {"short": 0.34, "puff": 0.4, "long": 0.95}[upper]
        items += tailoring.sleeves(fabric, pose, length, 0.45 if upper == "puff" else 0.36)
    items += tailoring.inside_of_back(fabric, neck)
    bodice = symmetric(neck.edge, curve((0.86, 1.1), (0.84, 1.45), waist), [(0, waist[1] + 0.04)])
    folds = tuple(Fold((side * 0.5, waist[1]), (side * 0.45, 1.2), 0.2, tone) for side, tone in ((-1, 18), (1, -24)))
    items += [make_skirt(rng, fabric, waist, hem), Piece(bodice, fabric, folds)]
    if upper == "straps" and cut not in ("wrap", "shirt"):
        items += pair(Piece(ribbon([(0.54, 0.86), (0.58, 0.4), (0.55, 0.05)], [0.06, 0.05]), fabric.plain()))
    elif upper == "off-shoulder":
        items.append(tailoring.shoulder_frill(fabric))
    elif cut not in ("wrap", "shirt"):
        items.append(tailoring.neck_binding(neck))
    if cut == "wrap":
        items.append(Line(curve((0.5, 0.1), (0.1, 1.2), (-0.6, waist[1])), 0.04, (0, 0, 0, 120)))
        items.append(Line(curve((-0.55, waist[1]), (-0.2, 4.0), (0.1, hem_y)), 0.04, (0, 0, 0, 110)))
    if cut == "shirt":
        items += [*tailoring.collar(fabric), *tailoring.placket(fabric, 0.3, hem_y - 0.3)]
    if cut == "tiered":
        items += tailoring.tiers(waist, hem)
    items.append(Line([(-waist[0], waist[1]), waist], 0.035))
    if cut in ("shirt", "wrap") or rng.random() < 0.3:
        items += tailoring.belt(rng, waist[1], 0.66)
    return items


def top(rng: random.Random, pose: Pose, lengths: tuple[float, float] = TOP_LENGTHS) -> list[Item]:
    """Draw T-shirts, blouses, shirts, jumpers, hoodies, tanks, that end somewhere between the two `lengths`."""
    cut = rng.choice(("t-shirt", "t-shirt", "shirt", *TOPS))
    fabric = any_fabric(rng, *PRINTS, *(("stripes",) if cut in ("t-shirt", "jumper") else ()))
    if cut == "jumper":
        fabric = dataclasses.replace(fabric, weave="knit")
    ease, sleeves = TOPS[cut]
    ease *= rng.uniform(0.7, 1.4)
    sleeve, hem_y = rng.choice(sleeves), rng.uniform(*lengths)
    style = {"tank": "tank", "shirt": "collar", "hoodie": "crew"}.get(cut)
    style = style or rng.choice(("crew", "crew", "v", "scoop", "turtle"))
    neck = tailoring.neckline(rng, style)
    banded = cut in ("jumper", "hoodie")  # ribbing at the hem
    waist = 0.7 + ease + (0.12 if banded else 0)
    half = min(0.86 + ease, waist + 0.18)  # at the hem

    items = tailoring.hood(fabric, up=not pose.worn) if cut == "hoodie" else tailoring.inside_of_back(fabric, neck)
    if sleeve:
        items += tailoring.sleeves(fabric, pose, sleeve, 0.36 + ease / 2, cut == "blouse", banded or cut == "shirt")
    body = symmetric(
        neck.edge,
        curve((0.84 + ease / 2, 1.15), (0.8 + ease, 1.6), (waist, WAIST_Y - 0.2), (half, hem_y)),
        curve((half, hem_y), (0.4, hem_y + 0.08), (0, hem_y + 0.1)),
    )
    items.append(Piece(body, fabric, tailoring.folds_of_a_top(rng, hem_y)))
    items.append(tailoring.hem_ribbing(fabric, half, hem_y) if banded else tailoring.hem_seam(half, hem_y - 0.1))
    if style == "turtle":
        roll = symmetric([(0, -0.42), (0.34, -0.4)], curve((0.36, -0.2), (0.42, 0.12)), [(0, 0.26)])
        items.append(Piece(roll, fabric.plain(0.95)))
    elif style != "collar":
        items.append(tailoring.neck_binding(neck))
    if cut == "hoodie":
        items += tailoring.hoodie_front(fabric, hem_y)
    elif cut == "shirt" or (cut == "blouse" and style == "v"):
        items += tailoring.placket(fabric, neck.edge[0][1], hem_y)
        items += tailoring.collar(fabric) if cut == "shirt" else []
    elif fabric.pattern == "plain" and cut != "blouse" and rng.random() < 0.65:
        items += tailoring.chest_print(rng, fabric)
    if cut in ("t-shirt", "shirt") and fabric.pattern != "plain" and rng.random() < 0.4:
        items += tailoring.patch_pocket(fabric, 0.43, 1.05, 0.35, 0.4)
    return items


def lingerie(rng: random.Random, pose: Pose) -> list[Item]:
    """Draw a bra, briefs, both as a set, or a lace body."""
    cut = rng.choice(("bra", "bra", "set", "set", "set", "briefs", "body"))
    fabric = dataclasses.replace(any_fabric(rng, *("lace",) * 5, "plain", "dots"), gloss=1.3)
    if fabric.pattern != "lace":
        fabric = dataclasses.replace(fabric, weave="satin")
    trim = Fabric("plain", (shade(fabric.ground, 0.75),), weave="satin")
    items: list[Item] = []
    if cut == "body":
        items += _torso_of_a_body(fabric, trim)
    elif cut != "briefs":
        band = curve((0.5, 1.6), (0.92, 1.3), (0.96, 1.26)), curve((0.97, 1.52), (0.5, 1.84), (0, 1.82))
        items.append(Piece(symmetric([(0, 1.52)], *band), fabric))
    if cut != "briefs":
        items += _cups(rng, fabric, trim)
    if cut in ("briefs", "set"):
        items += _briefs(rng, fabric, trim)
    return items


def _torso_of_a_body(fabric: Fabric, trim: Fabric) -> list[Item]:
    leg = curve((0.88, 3.05), (0.5, 3.45), (0.16, 3.95))
    torso = symmetric(
        curve((0, 1.35), (0.4, 1.3), (0.84, 1.2)), curve((0.82, 1.5), (0.62, WAIST_Y), (0.86, 3.1)), leg, [(0, 4.0)]
    )
    bones = [Line([(x, 1.7), (x * 0.8, 3.0)], 0.03, (*trim.ground, 200)) for x in (0.3, 0.62)]
    folds = tuple(Fold((side * 0.6, WAIST_Y), (side * 0.2, 3.2), 0.2, -20) for side in (-1, 1))
    return [Piece(torso, fabric, folds), *pair(*bones, *tailoring.scallops(trim, leg))]


def _cups(rng: random.Random, fabric: Fabric, trim: Fabric) -> list[Item]:
    plunge, apex = rng.uniform(0.02, 0.1), rng.uniform(0.55, 0.75)
    inner = curve((apex, 0.62), (0.3, 1.0), (plunge, 1.42))
    under = curve((plunge, 1.42), (0.12, 1.66), (0.46, 1.82), (0.8, 1.68), (0.92, 1.3))
    outer = curve((0.92, 1.3), (0.88, 0.95), (apex, 0.62))
    folds = (Fold((0.46, 0.9), (0.46, 1.45), 0.5, 26), Fold((0.3, 1.75), (0.75, 1.7), 0.16, -34))
    strap = ribbon([(apex, 0.68), (apex + 0.02, 0.3), (apex - 0.06, 0.02)], [0.05, 0.045])
    return [
        *pair(
            Piece(strap, trim),
            Piece([*inner, *under, *outer], fabric, folds),
            Line(under, 0.05, (*trim.ground, 255)),
            *tailoring.scallops(trim, inner),
        ),
        *tailoring.bow((0, 1.5), trim.ground),
    ]


def _briefs(rng: random.Random, fabric: Fabric, trim: Fabric) -> list[Item]:
    top_y, side = rng.uniform(2.6, 3.0), rng.uniform(0.12, 0.4)
    leg = curve((0.93, top_y + side), (0.5, top_y + side + 0.3), (0.17, 3.9))
    waist = curve((0, top_y + 0.09), (0.5, top_y + 0.05), (0.88, top_y))
    folds = tuple(Fold((sign * 0.1, 3.8), (sign * 0.5, 3.2), 0.2, -22) for sign in (-1, 1))
    return [
        Piece(symmetric(waist, leg, [(0, 3.98)]), fabric, folds),
        Piece(symmetric(waist, [(x, y + 0.1) for x, y in reversed(waist)]), trim),
        *pair(*tailoring.scallops(trim, leg)),
        *tailoring.bow((0, top_y + 0.14), trim.ground),
    ]


CUTS: dict[str, Callable[[random.Random, Pose], list[Item]]] = {
    "Pants_Leggings": pants,
    "Dresses": dress,
    "Skirts": skirt,
    "Tops": top,
    "Shorts": shorts,
    "Lingerie": lingerie,
}
