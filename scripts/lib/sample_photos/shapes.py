"""Curves, and what a garment is made of: pieces of cloth and lines.

Points are (x, y) in garment units: the wearer's middle is x = 0, y grows downwards from the pit of the neck, and half
the width of the shoulders is 1. In these units the waist is at y = 2.4, the crotch at 3.8, the ankles at 7.6. Outlines
and curves are float64 arrays of shape (points, 2).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from scripts.lib.sample_photos.fabrics import Fabric

Point = tuple[float, float]
RGBA = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of cloth: its closed outline, what it is cut from, and how many folds run down it."""

    points: ArrayLike
    fabric: Fabric
    folds: int = 0
    pleated: bool = False  # the folds are sharp and regular


@dataclasses.dataclass(frozen=True)
class Line:
    """A seam or a cord on the cloth; a single point is a button. It adds nothing to the garment's extent."""

    points: ArrayLike
    width: float = 0.03
    colour: RGBA = (0, 0, 0, 90)


Item = Piece | Line


def curve(*points: Point, steps: int = 8) -> np.ndarray:
    """Return a smooth open curve through the points, `steps` chords a span.

    It is the spline of Catmull and Rom, "A class of local interpolating splines" (1974), with its ends doubled.
    """
    padded = np.array([points[0], *points, points[-1]])
    t = np.arange(1, steps + 1)[:, None] / steps
    spans = [
        0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t * t + (3 * (p1 - p2) + p3 - p0) * t * t * t)
        for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.concatenate([padded[:1], *spans])


def mirror(points: ArrayLike) -> np.ndarray:
    return np.multiply(points, (-1, 1))


def pair(*items: Item) -> list[Item]:
    """Return the items for both sides: mirrored on the left, then as given on the right."""
    return [dataclasses.replace(item, points=mirror(item.points)) for item in items] + list(items)


def symmetric(*right_half: ArrayLike) -> np.ndarray:
    """Return a closed outline from the curves of its right half, top to bottom, which meet in corners."""
    half = np.concatenate(right_half)
    return np.concatenate([half, mirror(half[::-1])])


def ribbon(centre: Sequence[Point], half_widths: Sequence[float]) -> np.ndarray:
    """Return the closed outline of a band along a smooth line: an arm, a sleeve, a strap.

    Args:
        centre: points of the middle line.
        half_widths: half the width at the start, at equal distances between, and at the end.
    """
    middle = curve(*centre, steps=6)
    forwards = np.gradient(middle, axis=0)
    sideways = forwards[:, ::-1] * (1, -1) / np.sqrt((forwards * forwards).sum(axis=1, keepdims=True))
    places = np.linspace(0, 1, len(middle)), np.linspace(0, 1, len(half_widths))
    sideways *= np.interp(*places, half_widths)[:, None]
    return np.concatenate([middle + sideways, (middle - sideways)[::-1]])


def ellipse(centre: Point, rx: float, ry: float) -> np.ndarray:
    """Return a closed ellipse; its points come from the rational form of the circle, which needs no sine."""
    t = np.linspace(-1, 1, 17)[:, None]
    right_half = np.hstack([1 - t * t, 2 * t]) / (1 + t * t)
    return symmetric(right_half) * (rx, ry) + centre


def bounds(items: Iterable[Item]) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) of the pieces of cloth, in garment units."""
    points = np.concatenate([item.points for item in items if isinstance(item, Piece)])
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
