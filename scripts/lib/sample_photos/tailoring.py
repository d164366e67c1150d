"""Parts of garments: legs, skirts, necklines, sleeves, waistbands, pockets, buttons, prints.

`waist`, `hem` and `ankle` are points on the right side, garment units; half the garment's width there is their x,
but for `ankle`, which is the middle of a trouser leg's end.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

from scripts.lib.sample_photos.fabrics import RGB, Fabric, any_colour, contrasting, distance, shade
from scripts.lib.sample_photos.figure import CROTCH_Y, HIP_Y, KNEE_Y, WAIST_Y, Pose
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
    pair,
    ribbon,
    symmetric,
)

STITCH = (206, 150, 84, 220)  # the yellow thread of jeans
BRASS = (206, 182, 126, 255)
BUTTON_SPACING = 0.42
CROTCH_SEAM = Line([(0, WAIST_Y + 0.2), (0, CROTCH_Y)], 0.03, (0, 0, 0, 110))


@dataclasses.dataclass(frozen=True)
class Neckline:
    """The upper edge of a top or a dress."""

    edge: Points  # right half: from the middle of the neckline to the end of the shoulder, or to the armpit
    back_depth: float | None = 0.12  # how deep the neckline at the back is; None where nothing of the back shows


def outer_seam(knee_x: float, knee: float, ankle: Point, hem: float) -> Points:
    """Return the outer edge of the right trouser leg; `knee` and `hem` are half its widths there."""
    return curve((0.72, WAIST_Y + 0.25), (0.97, HIP_Y), (knee_x + knee, KNEE_Y), (ankle[0] + hem, ankle[1]))


def trouser_legs(
    rng: random.Random, fabric: Fabric, knee_x: float, knee: float, ankle: Point, hem: float
) -> list[Item]:
    """Draw two trouser legs that meet in the middle."""
    x, y = ankle
    leg = [
        (-0.02, WAIST_Y),
        (0.68, WAIST_Y),
        *outer_seam(knee_x, knee, ankle, hem),
        *curve((x + hem, y), (x, y + 0.06), (x - hem, y)),
        *curve((x - hem, y), (max(0.04, knee_x - knee), KNEE_Y), (0.0, CROTCH_Y + 0.02)),
    ]
    behind_knee = KNEE_Y + rng.uniform(-0.3, 0.1)
    folds = (
        Fold((0.1, CROTCH_Y), (0.75, CROTCH_Y - rng.uniform(0.1, 0.4)), 0.16, -30),
        Fold((0.4, HIP_Y), (knee_x, KNEE_Y), 0.22, 20),
        Fold((knee_x - knee, KNEE_Y - 0.1), (knee_x + knee * 0.6, behind_knee), 0.14, -28),
        Fold((knee_x + knee, KNEE_Y + 0.3), (knee_x - 0.1, KNEE_Y + 0.2), 0.12, -22),
        Fold((knee_x, KNEE_Y + 0.6), ankle, hem * 0.7, rng.choice((-20, 20))),
        Fold((x - hem, y - 0.25), (x + hem * 0.7, y - 0.4), 0.12, -24),
    )
    return pair(Piece(leg, fabric, folds), Line(curve((x - hem, y - 0.1), (x, y - 0.04), (x + hem, y - 0.1))))


def ankle_cuffs(fabric: Fabric, ankle: Point, half: float) -> list[Item]:
    x, y = ankle
    cuff = [(x - half, y - 0.22), (x + half, y - 0.22), (x + half * 0.9, y + 0.08), (x - half * 0.9, y + 0.08)]
    return pair(Piece(cuff, dataclasses.replace(fabric.plain(0.85), weave="knit")))


def side_stripes(rng: random.Random, fabric: Fabric, seam: Points) -> list[Item]:
    return pair(Line([(x - 0.09, y) for x, y in seam], 0.085, (*contrasting(rng, fabric.ground), 255)))


def rips(rng: random.Random, knee_x: float) -> list[Item]:
    """Draw torn knees: pale threads across."""
    threads: list[Item] = []
    for x in (-knee_x, knee_x):
        y = KNEE_Y + rng.uniform(-0.4, 0.2)
        for row in range(rng.randint(2, 5)):
            ends = [(x - rng.uniform(0.12, 0.22), y + row * 0.07), (x + rng.uniform(0.1, 0.2), y + row * 0.07)]
            threads.append(Line(ends, 0.035, (226, 226, 224, 230)))
    return threads


def frayed_hems(rng: random.Random, fabric: Fabric, end: Point, half: float) -> list[Item]:
    colour = (*shade(fabric.ground, 1.7), 230)
    xs = [end[0] + half * (step / 7 - 1) for step in range(15)]
    threads = [[(x, end[1] - 0.1), (x + rng.uniform(-0.04, 0.04), end[1] + 0.04)] for x in xs]
    return pair(*(Line(points, 0.04, colour) for points in threads))


def waist(rng: random.Random, fabric: Fabric, denim: bool, drawstring: bool) -> list[Item]:
    """Draw waistband and pockets, with a drawstring, or with fly and button; belt loops and yellow thread on jeans."""
    items: list[Item] = [Piece(waistband(WAIST_Y - 0.06, 0.26, 0.68, 0.72), fabric.plain(0.92)), *pockets(denim)]
    if drawstring:
        cord = curve((0.06, WAIST_Y + 0.1), (0.16, WAIST_Y + 0.4), (0.1, WAIST_Y + 0.7))
        return items + pair(Line(cord, 0.05, (*contrasting(rng, fabric.ground), 255)))
    fly = curve((0.16, WAIST_Y + 0.2), (0.17, WAIST_Y + 0.8), (0, WAIST_Y + 1.05))
    items.append(Line(fly, 0.025, STITCH if denim else SEAM))
    dark = (*shade(fabric.ground, 0.65), 255)
    if denim:
        items += pair(*(Line([(x, WAIST_Y - 0.06), (x, WAIST_Y + 0.22)], 0.06, dark) for x in (0.22, 0.5)))
    elif rng.random() < 0.35:
        return items + belt(rng, WAIST_Y + 0.07, 0.7)
    return [*items, Dot((0, WAIST_Y + 0.08), 0.06, BRASS if denim else dark)]


def waistband(y: float, height: float, upper: float, lower: float) -> Points:
    """Return a band round the waist, seen from slightly above; half its widths at the upper and the lower edge."""
    return symmetric(
        curve((0, y + 0.05), (upper * 0.6, y + 0.03), (upper, y)),
        curve((lower, y + height), (lower * 0.6, y + height + 0.04), (0, y + height + 0.06)),
    )


def pockets(denim: bool) -> list[Item]:
    opening = curve((0.3, WAIST_Y + 0.2), (0.42, WAIST_Y + 0.5), (0.82, WAIST_Y + 0.6))
    return pair(Line(opening, 0.035, STITCH if denim else SEAM))


def patch_pocket(fabric: Fabric, x: float, y: float, width: float, height: float) -> list[Item]:
    """Draw a patch pocket; (x, y) is the middle of its opening."""
    left, right = x - width / 2, x + width / 2
    outline = [(left, y), (right, y), (right, y + height * 0.8), (x, y + height), (left, y + height * 0.8)]
    return [Piece(outline, fabric), Line([(left, y + 0.08), (right, y + 0.08)])]


def belt(rng: random.Random, y: float, half: float) -> list[Item]:
    leather = Fabric("plain", (any_colour(rng, "black", "brown", "camel", "white", "red"),), weave="satin", gloss=1.3)
    buckle = [(-0.12, y - 0.1), (0.12, y - 0.1), (0.12, y + 0.1), (-0.12, y + 0.1), (-0.12, y - 0.1)]
    return [Piece(waistband(y - 0.08, 0.16, half, half), leather), Line(buckle, 0.05, BRASS)]


def flared_skirt(rng: random.Random, fabric: Fabric, waist: Point, hem: Point) -> Piece:
    """Draw a cone with a wavy hem, in folds."""
    waves = rng.randint(3, 6)
    folds = []
    for index in range(2 * waves):
        x = (index + 0.5 + rng.uniform(-0.3, 0.3)) / waves - 1
        start = lerp((x * waist[0], waist[1]), (x * hem[0], hem[1]), rng.uniform(0.0, 0.4))
        folds.append(Fold(start, (x * hem[0], hem[1] + 0.05), 0.7 * hem[0] / waves, -30 if index % 2 else 24))
    return _cone(fabric, waist, hem, waves, rng.uniform(0.04, 0.12), folds)


def pleated_skirt(rng: random.Random, fabric: Fabric, waist: Point, hem: Point) -> Piece:
    """Draw a cone in sharp pleats from the waist to the hem."""
    pleats = rng.randint(6, 11)
    folds = []
    for index in range(2 * pleats):
        x, tone = (index + 0.5) / pleats - 1, -40 if index % 2 else 22
        end = (x * hem[0] * 0.97, hem[1] + 0.05)
        folds.append(Fold((x * waist[0], waist[1]), end, 0.6 * hem[0] / pleats, tone))
    return _cone(fabric, waist, hem, 2 * pleats, 0.05, folds)


def straight_skirt(rng: random.Random, fabric: Fabric, waist: Point, hem: Point) -> Piece:
    """Draw a tube over the hips."""
    hips = (max(waist[0] + 0.26, 0.93), min(HIP_Y, waist[1] + 1.0))
    folds = [
        Fold((x * waist[0], waist[1] + rng.uniform(0, 1)), (x * hem[0], hem[1]), 0.45 * hem[0], tone)
        for x, tone in ((-0.6, 24), (0.05, -30), (0.65, 24))
    ]
    outline = symmetric([(0, waist[1])], curve(waist, hips, hem), [(0, hem[1] + 0.05)])
    return Piece(outline, fabric, tuple(folds))


def _cone(fabric: Fabric, waist: Point, hem: Point, waves: int, depth: float, folds: Sequence[Fold]) -> Piece:
    side = curve(waist, lerp((waist[0] + 0.1, waist[1]), hem, 0.45), hem)
    return Piece(symmetric([(0, waist[1])], side, _waves(hem, waves, depth)), fabric, tuple(folds))


def _waves(hem: Point, waves: int, depth: float) -> Points:
    """Return the right half of a wavy hem, from the side to the middle, where it hangs a little lower."""
    marks = []
    for step in range(waves + 1):
        inwards = step / waves
        marks.append((hem[0] * (1 - inwards), hem[1] + 0.06 * inwards + (depth if step % 2 else 0.0)))
    return curve(*marks, steps=4)


def tiers(waist: Point, hem: Point) -> list[Item]:
    """Draw two ruffled seams that divide a skirt in three."""
    items: list[Item] = []
    for part in (0.36, 0.68):
        x, y = lerp(waist, hem, part)
        for offset, width, colour in ((0.0, 0.05, SEAM), (0.07, 0.03, HIGHLIGHT)):
            right = _waves((x, y + offset), 9, 0.05)
            items.append(Line(right + mirror(reversed(right)), width, colour))
    return items


def hem_seam(half: float, y: float) -> Line:
    return Line(curve((-half * 0.97, y), (0, y + 0.09), (half * 0.97, y)), 0.02)


def buttoned_front(top_y: float, end_y: float) -> list[Item]:
    count = int((end_y - top_y - 0.3) / BUTTON_SPACING)
    buttons = [Dot((0, top_y + 0.3 + number * BUTTON_SPACING), 0.06, BRASS) for number in range(count)]
    return [Line([(0, top_y), (0, end_y)], 0.03), *buttons]


def lining(
    rng: random.Random, fabric: Fabric, waist: Point, hem: Point, make_skirt: Callable[..., Piece]
) -> list[Item]:
    """Draw the lining of a lace dress."""
    bodice = symmetric([(0, 0.9), (0.7, 0.9)], [(0.8, 1.2), (0.66, waist[1] + 0.05)], [(0, waist[1] + 0.05)])
    return [make_skirt(rng, fabric, (0.6, waist[1]), hem), Piece(bodice, fabric)]


def neckline(rng: random.Random, style: str) -> Neckline:
    """Return a tank, sleeveless, straps, off-shoulder, v, collar, turtle or scoop neckline, else a crew neck."""
    shoulder = (1.0, 0.22)
    if style in ("straps", "off-shoulder"):
        depth = rng.uniform(0.95, 1.15) if style == "straps" else 0.7
        return Neckline(curve((0, depth), (0.3, depth - 0.14), (0.56, depth - 0.2), (0.82, 1.05)), None)
    if style in ("tank", "sleeveless"):
        depth = rng.uniform(0.5, 0.9) if style == "tank" else rng.uniform(0.25, 0.7)
        inner, outer = (0.5, 0.72) if style == "tank" else (0.46, 0.86)
        armhole = curve((outer, 0.1), (outer - 0.08, 0.6), (0.85, 1.12))
        return Neckline([*curve((0, depth), (0.3, depth - 0.1), (inner, 0.02)), *armhole], 0.22)
    if style in ("v", "collar"):
        return Neckline([(0, rng.uniform(0.7, 1.2) if style == "v" else 0.42), (0.36, -0.06), shoulder])
    if style == "turtle":
        return Neckline([(0, 0.1), (0.4, 0.0), shoulder], None)
    depth, width = (rng.uniform(0.5, 0.75), 0.55) if style == "scoop" else (rng.uniform(0.24, 0.34), 0.42)
    return Neckline([*curve((0, depth), (width * 0.65, depth * 0.75), (width, -0.03)), shoulder])


def inside_of_back(fabric: Fabric, neck: Neckline) -> list[Item]:
    """Draw the inside of the back that shows above the front neckline."""
    if neck.back_depth is None:
        return []
    width = min(max(x for x, y in neck.edge if y < 0.1), 0.55)
    upper = curve((0, neck.back_depth), (width * 0.6, 0.06), (width, -0.03))
    return [Piece(symmetric(upper, [(width * 0.9, 0.3), (0, max(0.35, neck.edge[0][1]))]), fabric.plain(0.6))]


def neck_binding(neck: Neckline) -> Line:
    edge = [(x, y) for x, y in neck.edge if x <= 0.56]
    return Line(mirror(reversed(edge)) + edge, 0.06, (0, 0, 0, 80))


def shoulder_frill(fabric: Fabric) -> Piece:
    """Draw the broad frill of an off-shoulder dress, which covers bodice and upper arms."""
    outline = symmetric([(0, 0.62)], curve((0.6, 0.55), (1.2, 0.6), (1.42, 1.2)), _waves((1.42, 1.25), 5, 0.06))
    tones = ((-1, -26), (-0.4, 20), (0.2, -22), (0.8, -26))
    return Piece(outline, fabric, tuple(Fold((x * 0.8, 0.6), (x, 1.25), 0.12, tone) for x, tone in tones))


def sleeves(
    fabric: Fabric, pose: Pose, length: float, half: float, puffed: bool = False, cuffs: bool = False
) -> list[Item]:
    """Draw both sleeves, `half` as wide at the shoulder, down to the fraction `length` of the arm."""
    middle = along([(0.82, 0.42), pose.elbow, pose.wrist], length)
    is_long = length > 0.6
    end = 0.2 if is_long else half * 0.9
    widths = [half, half * 0.92, half * 0.8 if is_long else half, end]
    if puffed:
        widths = [half, half * 1.15, end * 1.3, end]
    outline = [(0.6, 0.08), (0.94, 0.17), *ribbon(middle, widths), (0.7, 1.1)]  # over the shoulder, under the arm
    before, tip = middle[-2:]
    folds = (
        Fold(lerp(before, tip, 0.1), lerp(before, tip, 0.9), half * 0.7, -26),
        Fold((middle[0][0] - 0.1, middle[0][1] + 0.4), lerp(middle[0], middle[1], 0.8), half * 0.5, -22),
    )
    cuff = ribbon([lerp(tip, before, 0.16 if is_long else 0.25), tip], [end * 1.02, end])
    hem = Piece(cuff, fabric.plain(0.9)) if cuffs else Line([cuff[0], cuff[-1]])
    return pair(Piece(outline, fabric, folds), hem)


def collar(fabric: Fabric) -> list[Item]:
    return pair(Piece([(0.02, 0.42), (0.34, -0.14), (0.48, 0.02), (0.4, 0.52)], fabric.plain(1.05)))


def placket(fabric: Fabric, start_y: float, end_y: float) -> list[Item]:
    """Draw a row of buttons down the front."""
    on_dark = distance(fabric.ground, (0, 0, 0)) < 250
    colour = (236, 232, 222, 255) if on_dark else (*shade(fabric.ground, 0.55), 255)
    count = int((end_y - start_y) / BUTTON_SPACING)
    buttons = [Dot((0, start_y + 0.2 + number * BUTTON_SPACING), 0.045, colour) for number in range(count)]
    return [*pair(Line([(0.1, start_y), (0.1, end_y + 0.08)], 0.022)), *buttons]


def folds_of_a_top(rng: random.Random, hem_y: float) -> tuple[Fold, ...]:
    """Return folds from the armpits towards the middle, and upwards from the hem."""
    slanting = [
        Fold((side * rng.uniform(0.6, 0.8), 1.2), (side * rng.uniform(0.1, 0.4), rng.uniform(1.8, 2.6)), 0.2, tone)
        for side, tone in ((-1, -24), (1, -28), (1, 18))
    ]
    rising = [
        Fold((rng.uniform(-0.6, 0.6), hem_y - 0.8), (rng.uniform(-0.7, 0.7), hem_y), 0.2, tone)
        for tone in (-24, 20, -20)
    ]
    return (*slanting, *rising)


def hem_ribbing(fabric: Fabric, half: float, y: float) -> Piece:
    edge = curve((-half, y), (0, y + 0.1), (half, y))
    return Piece([*((x, edge_y - 0.26) for x, edge_y in edge), *reversed(edge)], fabric.plain(0.88))


def hood(fabric: Fabric, up: bool) -> list[Item]:
    """Draw a hood, up as on a hanger, or hanging behind the wearer's neck."""
    if up:
        outline = symmetric(curve((0, -0.75), (0.5, -0.6), (0.66, -0.1), (0.5, 0.3)), [(0, 0.5)])
        return [Piece(outline, fabric), Piece(ellipse((0, -0.05), 0.42, 0.42), fabric.plain(0.55))]
    outer = curve((0.26, -0.3), (0.6, -0.22), (0.74, 0.1), (0.5, 0.36), (0.0, 0.62))
    return pair(Piece([*outer, *curve((0.0, 0.36), (0.2, 0.1), (0.26, -0.3))], fabric))


def hoodie_front(fabric: Fabric, hem_y: float) -> list[Item]:
    """Draw the pouch and the cords of the hood."""
    y = hem_y - 1.05
    pouch = symmetric([(0, y), (0.34, y)], [(0.58, y + 0.62), (0.58, y + 0.76), (0, y + 0.78)])
    cord = Line(curve((0.16, 0.34), (0.2, 0.7), (0.15, 1.05)), 0.05, (236, 234, 228, 255))
    return [Piece(pouch, fabric.plain(0.95)), *pair(cord)]


def chest_print(rng: random.Random, fabric: Fabric) -> list[Item]:
    """Draw a motif on the chest: heart, sun, mountains, a broad stripe, or bars like lettering."""
    colour = contrasting(rng, fabric.ground)
    ink = Fabric("plain", (colour,), weave="satin", gloss=0.4)
    motif = rng.choice(("heart", "sun", "mountains", "stripe", "letters"))
    if motif == "heart":
        return [Piece(symmetric(curve((0, 0.95), (0.18, 0.78), (0.42, 0.92), (0.34, 1.25), (0, 1.6))), ink)]
    if motif == "sun":
        core = dataclasses.replace(ink, colours=(contrasting(rng, colour),))
        return [Piece(ellipse((0, 1.25), 0.42, 0.42), ink), Piece(ellipse((0, 1.25), 0.26, 0.26), core)]
    if motif == "mountains":
        peaks = Piece([(-0.5, 1.6), (-0.2, 1.05), (-0.02, 1.3), (0.16, 0.95), (0.5, 1.6)], ink)
        return [peaks, Line([(-0.5, 1.7), (0.5, 1.7)], 0.05, (*colour, 255))]
    if motif == "stripe":
        return [Piece([(-0.72, 1.3), (0.72, 1.3), (0.72, 1.6), (-0.72, 1.6)], ink)]
    bars: list[Item] = [Line([(-0.45, 1.52), (0.35, 1.52)], 0.05, (*colour, 255))]
    for number in range(5):
        left = -0.45 + number * 0.18
        right = left + rng.uniform(0.07, 0.14)
        bars.append(Piece([(left, 1.0), (right, 1.0), (right, 1.38), (left, 1.38)], ink))
    return bars


def scallops(trim: Fabric, edge: Points) -> list[Item]:
    """Draw a lace edge."""
    return [Dot(point, 0.045, (*trim.ground, 255)) for point in edge[::2]]


def bow(centre: Point, colour: RGB) -> list[Item]:
    x, y = centre
    loop = Dot((x + 0.07, y), 0.06, (*shade(colour, 0.8), 255))
    return [loop, dataclasses.replace(loop, centre=(x - 0.07, y)), Dot(centre, 0.035, (*shade(colour, 1.3), 255))]
