"""Boxes with class and score, drawn on an image."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw, ImageFont

from scripts.lib.core.boxes import Detection
from scripts.lib.images import palette


def draw_detections(image: Image.Image, detections: Iterable[Detection], class_names: Sequence[str]) -> Image.Image:
    """Return a copy of the image with each detection's box, class and score; the best is drawn last, on top.

    Args:
        image: RGB.
        detections: boxes in pixels of the image; score NaN: ground truth, shown without a score.
        class_names: all classes of the model in order; the position gives the colour, the same on every image.
    """
    drawn = image.copy()
    draw = ImageDraw.Draw(drawn)
    line_width = max(2, round(max(image.size) / 200))
    font = default_font(max(11, round(max(image.size) / 36)))
    colors = palette.class_colors(class_names)
    worst_first = sorted(detections, key=lambda detection: detection.score)
    boxes = [_inside(detection, image.size) for detection in worst_first]
    for detection, box in zip(worst_first, boxes, strict=True):
        draw.rectangle(box, outline=colors[detection.class_name], width=line_width)
    for detection, box in zip(worst_first, boxes, strict=True):  # labels last: no box runs through one
        score = "" if math.isnan(detection.score) else f" {detection.score:.0%}"
        color = colors[detection.class_name]
        _draw_label(draw, f"{detection.class_name}{score}", box, color, font, image.size)
    return drawn


def _inside(detection: Detection, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the box as (xmin, ymin, xmax, ymax) in whole pixels of the image."""
    right, bottom = size[0] - 1, size[1] - 1
    xmin, ymin = min(max(round(detection.xmin), 0), right), min(max(round(detection.ymin), 0), bottom)
    return xmin, ymin, max(min(round(detection.xmax), right), xmin), max(min(round(detection.ymax), bottom), ymin)


def _draw_label(
    draw: ImageDraw.ImageDraw,
    text: str,
    box_xyxy: tuple[int, int, int, int],
    color: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    size: tuple[int, int],
) -> None:
    """Draw the label on the box's colour: above the box where there is room, else inside it; never cut off."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    padding = 2
    width, height = right - left + 2 * padding, bottom - top + 2 * padding
    x = max(0, min(box_xyxy[0], size[0] - width))
    y = box_xyxy[1] - height if box_xyxy[1] >= height else box_xyxy[1]
    draw.rectangle((x, y, x + width, y + height), fill=color)
    draw.text((x + padding - left, y + padding - top), text, fill=palette.text_color(color), font=font)


@functools.cache
def default_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font, the same on every platform; size in pixels."""
    return ImageFont.load_default(size)
