"""Colours of the classes, the same on images, in plots, on pages and in TensorBoard.

A class has the colour of its place in the label map. One tone of each serves for light and for dark pages.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

# The first eight were found by a search for a contrast of 3 (WCAG 2.2, 1.4.11) on all GROUNDS, and for the greatest
# distance between any two, as people see them who lack red, green or blue cones: at least 0.08 in OKLab, 0.19 for all
# others. Each further one is the colour of that contrast that differs most from all before it.
PALETTE = ("#0055FA", "#C38200", "#DC0023", "#0096B4", "#007823", "#FF37B4", "#A078FA", "#875582")
_FURTHER = """
    #AA22CC #CC6688 #886622 #EE00FF #CC0088 #2288FF #4466AA #888888 #8844FF #FF4400 #448866 #CC66CC #FF0066 #888800
    #8888CC #666666 #CC6644 #8866CC #AA00FF #AA66AA #AA4466 #6666FF #CC44EE #AA44AA #AA6666 #8844CC #EE00CC #448800
    #CC4400 #AA8866 #CC00CC #4488CC #CC4466 #CC44AA #0066CC #EE0088 #AA6622 #6688AA #AA44EE #6644FF
"""
NO_CLASS = "#59636e"  # what is of no class, or of all
GROUNDS = ("#ffffff", "#f6f8fa", "#0d1117", "#161b22")  # of the pages, pages/templates/base.html, and of the plots


def class_colors(class_names: Iterable[str]) -> dict[str, str]:
    """Return the colour of each class by its position in the whole label map: class name -> "#RRGGBB".

    From the 49th class on colours begin again.
    """
    return dict(zip(dict.fromkeys(class_names), itertools.cycle([*PALETTE, *_FURTHER.split()]), strict=False))


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
