"""Colours of the classes, the same in every image and plot."""

from __future__ import annotations

from collections.abc import Iterable

# Okabe and Ito, "Color Universal Design" (2008): eight colours that most colour-blind people can distinguish; without
# black, which dark garments swallow.
PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")


def class_colors(class_names: Iterable[str]) -> dict[str, str]:
    """Return the colour of each class by its position: class name -> "#RRGGBB"."""
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(dict.fromkeys(class_names))}


def text_color(background: str) -> str:
    """Return "black" or "white", whichever is easier to read on "#RRGGBB" (relative luminance, WCAG 2)."""
    channels = (int(background[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    luminance = sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "black" if luminance > 0.179 else "white"
