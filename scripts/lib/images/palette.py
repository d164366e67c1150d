"""Colours of the classes, the same on images, in plots, on pages and in TensorBoard.

A class has the colour of its place in the label map. One tone of each serves for light and for dark pages.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator

# Found by a search for a contrast of LINE_CONTRAST on all GROUNDS, and for the greatest distance between any two, as
# people see them who lack red, green or blue cones: at least 0.08 in OKLab, 0.19 for all others.
PALETTE = ("#0055FA", "#C38200", "#DC0023", "#0096B4", "#007823", "#FF37B4", "#A078FA", "#875582")
NO_CLASS = "#59636e"  # what is of no class, or of all
GROUNDS = ("#ffffff", "#f6f8fa", "#0d1117", "#161b22")  # of the pages, pages/templates/base.html, and of the plots
LINE_CONTRAST = 3  # WCAG 2.2, 1.4.11
_STEPS = ("00", "22", "44", "66", "88", "AA", "CC", "EE", "FF")  # of each channel


def class_colors(class_names: Iterable[str]) -> dict[str, str]:
    """Return the colour of each class by its position in the whole label map: class name -> "#RRGGBB"."""
    return dict(zip(dict.fromkeys(class_names), itertools.cycle(_colors()), strict=False))


def text_color(background: str) -> str:
    """Return "black" or "white", whichever is easier to read on "#RRGGBB"; the contrast is at least 4.5."""
    return "black" if contrast(background, "#000000") >= contrast(background, "#ffffff") else "white"


def contrast(color: str, other: str) -> float:
    """Return the contrast ratio of two colours "#RRGGBB", 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted(_luminance(one) for one in (color, other))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    return sum(w * channel for w, channel in zip((0.2126, 0.7152, 0.0722), linear_rgb(color), strict=True))


def linear_rgb(color: str) -> tuple[float, ...]:
    """Return red, green and blue of "#RRGGBB" as light, 0 to 1 (sRGB, IEC 61966-2-1)."""
    channels = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)


def oklab(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """Return linear RGB in OKLab (Ottosson 2020), where colours that look alike are close."""
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _colors() -> Iterator[str]:
    """Yield PALETTE, then always the legible colour that differs most from all before it."""
    yield from PALETTE
    everything = (f"#{''.join(channels)}" for channels in itertools.product(_STEPS, repeat=3))
    legible = [one for one in everything if min(contrast(one, ground) for ground in GROUNDS) >= LINE_CONTRAST]
    places = {color: oklab(*linear_rgb(color)) for color in (*PALETTE, *legible)}
    differences = {one: min(math.dist(places[one], places[known]) for known in PALETTE) for one in legible}
    while differences:
        color = max(differences, key=differences.__getitem__)
        yield color
        del differences[color]
        differences = {one: min(far, math.dist(places[one], places[color])) for one, far in differences.items()}
