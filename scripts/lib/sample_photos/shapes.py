"""Curves, and what a garment is made of: pieces of cloth, lines and buttons.

Points are (x, y) in garment units: the wearer's middle is x = 0, y grows downwards from the pit of the neck, and half
the width of the shoulders is 1. In these units the waist is at y = 2.4, the crotch at 3.8, the ankles at 7.6.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from scripts.lib.sample_photos.fabrics import Fabric

Point = tuple[float, float]
Points = list[Point]
RGBA = tuple[int, int, int, int]

SEAM = (0, 0, 0, 90)
HIGHLIGHT = (255, 255, 255, 80)


@dataclasses.dataclass(frozen=True)
class Fold:
    """A soft wedge of shadow (tone < 0) or light (tone > 0) that widens from `start` to `end`."""

    start: Point
    end: Point
    width: float
    tone: int


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of cloth: its closed outline, what it is cut from, and how it falls."""

    outline: Points
    fabric: Fabric
    folds: tuple[Fold, ...] = ()


@dataclasses.dataclass(frozen=True)
class Line:
    """A seam, a stitching, a drawstring; lies on the cloth and adds nothing to the garment's extent."""

    points: Points
    width: float = 0.025
    colour: RGBA = SEAM


@dataclasses.dataclass(frozen=True)
class Dot:
    """A button, a rivet, a bow's knot; lies on the cloth."""

    centre: Point
    radius: float
    colour: RGBA


Item = Piece | Line | Dot


def curve(*points: Point, steps: int = 8) -> Points:
    """Return a smooth open curve through the points (Catmull-Rom spline, its ends doubled), `steps` chords a span."""
    padded = [points[0], *points, points[-1]]
    smooth = [points[0]]
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for step in range(1, steps + 1):
            t = step / steps
            smooth.append(tuple(_catmull_rom(p0[axis], p1[axis], p2[axis], p3[axis], t) for axis in (0, 1)))
    return smooth


def _catmull_rom(p0: float, p1: float, p2: float, p3: float, t: float) -> float:
    """Return a coordinate between p1 and p2 (Catmull, Rom, "A class of local interpolating splines", 1974)."""
    return 0.5 * (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t * t + (3 * (p1 - p2) + p3 - p0) * t * t * t
    )


def mirror(points: Iterable[Point]) -> Points:
    return [(-x, y) for x, y in points]


def pair(*items: Item) -> list[Item]:
    """Return the items for both sides: mirrored on the left, then as given on the right."""
    return [_mirrored(item) for item in items] + list(items)


def _mirrored(item: Item) -> Item:
    if isinstance(item, Piece):
        folds = tuple(Fold(_flip(fold.start), _flip(fold.end), fold.width, fold.tone) for fold in item.folds)
        return dataclasses.replace(item, outline=mirror(item.outline), folds=folds)
    if isinstance(item, Line):
        return dataclasses.replace(item, points=mirror(item.points))
    return dataclasses.replace(item, centre=_flip(item.centre))


def _flip(point: Point) -> Point:
    return -point[0], point[1]


def symmetric(*right_half: Sequence[Point]) -> Points:
    """Return a closed outline from the curves of its right half, top to bottom, which meet in corners."""
    half = [point for part in right_half for point in part]
    return half + mirror(reversed(half))


def lerp(a: Point, b: Point, t: float) -> Point:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def along(points: Sequence[Point], t: float) -> Points:
    """Return the first part of a polyline: up to fraction t of its spans, 0 < t <= 1."""
    position = t * (len(points) - 1)
    whole = min(int(position), len(points) - 2)
    return [*points[: whole + 1], lerp(points[whole], points[whole + 1], position - whole)]


def ribbon(centre: Sequence[Point], half_widths: Sequence[float], steps: int = 6) -> Points:
    """Return the closed outline of a band along a smooth line: an arm, a sleeve, a strap.

    Args:
        centre: points of the middle line.
        half_widths: half the width at the start, at equal distances between, and at the end.
        steps: chords between two points of the middle line.
    """
    middle = curve(*centre, steps=steps)
    left, right = [], []
    for index, (x, y) in enumerate(middle):
        (x0, y0), (x1, y1) = middle[max(index - 1, 0)], middle[min(index + 1, len(middle) - 1)]
        length = math.sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)) or 1.0
        position = index / (len(middle) - 1) * (len(half_widths) - 1)
        span = min(int(position), len(half_widths) - 2)
        width = half_widths[span] + (half_widths[span + 1] - half_widths[span]) * (position - span)
        dx, dy = (y1 - y0) / length * width, (x0 - x1) / length * width
        left.append((x + dx, y + dy))
        right.append((x - dx, y - dy))
    return left + right[::-1]


def ellipse(centre: Point, rx: float, ry: float) -> Points:
    """Return a closed ellipse through the twelve hour marks of a clock."""
    sine = (0.0, 0.5, 0.8660254, 1.0, 0.8660254, 0.5, 0.0, -0.5, -0.8660254, -1.0, -0.8660254, -0.5)
    marks = [(centre[0] + rx * sine[(hour + 3) % 12], centre[1] + ry * sine[hour]) for hour in range(12)]
    return curve(*marks, marks[0], steps=4)


def bounds(items: Iterable[Item]) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) of the pieces of cloth, in garment units."""
    points = [point for item in items if isinstance(item, Piece) for point in item.outline]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)
