"""Boxes with class and score, drawn on a picture."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw, ImageFont

from scripts.lib.core.boxes import Detection

# Okabe and Ito, "Color Universal Design" (2008): eight colours that most colour-blind people tell apart; without black,
# which dark garments swallow.
PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")


def draw_detections(image: Image.Image, detections: Iterable[Detection], class_names: Sequence[str]) -> Image.Image:
    """A copy of the picture with each detection's box, class and score; the best is drawn last, on top.

    Args:
        image: RGB.
        detections: boxes in pixels of the image; with score NaN those that a person drew, shown without a score.
        class_names: all classes of the model in order; the position gives the colour, the same on every picture.
    """
    picture = image.copy()
    draw = ImageDraw.Draw(picture)
    line_width = max(2, round(max(image.size) / 200))
    font = default_font(max(11, round(max(image.size) / 36)))
    worst_first = sorted(detections, key=lambda detection: detection.score)
    looks = [
        (_inside(detection, image.size), PALETTE[class_names.index(detection.class_name) % len(PALETTE)])
        for detection in worst_first
    ]
    for corners, color in looks:
        draw.rectangle(corners, outline=color, width=line_width)
    for detection, (corners, color) in zip(worst_first, looks, strict=True):  # no box runs through a label
        score = "" if math.isnan(detection.score) else f" {detection.score:.0%}"
        _draw_label(draw, f"{detection.class_name}{score}", corners, color, font, image.size)
    return picture


def _inside(detection: Detection, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box as (xmin, ymin, xmax, ymax) whole pixels of the picture."""
    right, bottom = size[0] - 1, size[1] - 1
    xmin, ymin = min(max(round(detection.xmin), 0), right), min(max(round(detection.ymin), 0), bottom)
    return xmin, ymin, max(min(round(detection.xmax), right), xmin), max(min(round(detection.ymax), bottom), ymin)


def _draw_label(
    draw: ImageDraw.ImageDraw,
    text: str,
    corners: tuple[int, int, int, int],
    color: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    size: tuple[int, int],
) -> None:
    """The label on a ground of the box's colour: above the box where there is room, else inside it; never cut off."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    padding = 2
    width, height = right - left + 2 * padding, bottom - top + 2 * padding
    x = max(0, min(corners[0], size[0] - width))
    y = corners[1] - height if corners[1] >= height else corners[1]
    draw.rectangle((x, y, x + width, y + height), fill=color)
    draw.text((x + padding - left, y + padding - top), text, fill=_text_color(color), font=font)


def _text_color(ground: str) -> str:
    """Black or white, whichever is read more easily (relative luminance, WCAG 2)."""
    channels = (int(ground[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    luminance = sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "black" if luminance > 0.179 else "white"


@functools.cache
def default_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own, the same on every platform; size in pixels."""
    return ImageFont.load_default(size)
