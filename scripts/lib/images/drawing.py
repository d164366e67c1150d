"""Boxes with class and score, drawn on an image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scripts.lib.core.boxes import Detection
from scripts.lib.images import fonts, palette

_SMALLEST_FONT = 11  # pixels
_PADDING = 3  # pixels to the left and right of a label's text
_Box = tuple[int, int, int, int]  # xmin, ymin, xmax, ymax in pixels


def draw_detections(image: Image.Image, detections: Iterable[Detection], class_names: Sequence[str]) -> Image.Image:
    """Return a copy of the image with each detection's box, class and score.

    The best are on top, and their labels lie where they like; others take a place beside them, at their own box.

    Args:
        image: RGB.
        detections: boxes in pixels of the image; score NaN: ground truth, shown without a score.
        class_names: all classes of the model in order; the position gives the colour, the same on every image.
    """
    drawn = image.copy()
    draw = ImageDraw.Draw(drawn)
    line_width = max(2, round(max(image.size) / 200))
    font_size = max(_SMALLEST_FONT, round(max(image.size) / 40))
    colors = palette.class_colors(class_names)
    best_first = sorted(detections, key=lambda detection: -detection.score)
    labels: list[_Label] = []
    for detection in best_first:
        box, (text, font) = _inside(detection, image.size), _fitting_text(detection, font_size, image.width)
        place = _label_place(box, _label_size(text, font), image.size, [one.place for one in labels])
        labels.append(_Label(box, colors[detection.class_name], text, font, place))
    for label in reversed(labels):
        edge = palette.text_color(label.color)  # tells the line from a garment of its colour
        draw.rectangle(label.box, outline=edge, width=line_width + max(1, line_width // 3))
        draw.rectangle(label.box, outline=label.color, width=line_width)
    for label in reversed(labels):  # after all boxes: no box runs through one
        draw_label(draw, label.place[:2], label.text, label.color, label.font)
    return drawn


def draw_small(
    image: Image.Image, detections: Iterable[Detection], class_names: Sequence[str], side: int
) -> Image.Image:
    """Like `draw_detections`, on a copy with this longer side in pixels, so that boxes and labels stay crisp."""
    scale = side / max(image.size)
    small = image.resize([max(1, round(length * scale)) for length in image.size], Image.Resampling.LANCZOS)
    scaled = [Detection(name, score, *(scale * edge for edge in box_xyxy)) for name, score, *box_xyxy in detections]
    return draw_detections(small, scaled, class_names)


class _Label(NamedTuple):
    """A detection as it is drawn; box and place are (xmin, ymin, xmax, ymax) in pixels of the image."""

    box: _Box
    color: str
    text: str
    font: ImageFont.FreeTypeFont
    place: _Box


def draw_label(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, color: str, font: ImageFont.FreeTypeFont
) -> None:
    """Draw a text on a ground of this colour, with its upper left corner here."""
    x, y = corner
    width, height = _label_size(text, font)
    draw.rectangle((x, y, x + width, y + height), fill=color)
    draw.text((x + _PADDING, y), text, fill=palette.text_color(color), font=font)


def _label_size(text: str, font: ImageFont.FreeTypeFont) -> tuple[int, int]:
    return math.ceil(font.getlength(text)) + 2 * _PADDING, sum(font.getmetrics())


def _inside(detection: Detection, size: tuple[int, int]) -> _Box:
    """Return the part of the box that lies in the image."""
    return tuple(np.round(detection[2:]).clip(0, np.tile(size, 2) - 1).astype(int).tolist())


def _fitting_text(detection: Detection, font_size: int, width: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """Return class and score, and the font of this size or less in which they fit into the width of the image.

    A name that is too long for the smallest font is shortened.
    """
    name, score = detection.class_name, "" if math.isnan(detection.score) else f" {detection.score:.0%}"
    for size in range(font_size, _SMALLEST_FONT - 1, -1):
        font = fonts.load(size)
        if _label_size(name + score, font)[0] <= width:
            return name + score, font
    while name and _label_size(f"{name}…{score}", font)[0] > width:
        name = name[:-1]
    return f"{name}…{score}", font


def _label_place(box: _Box, label_size: tuple[int, int], image_size: tuple[int, int], taken: Sequence[_Box]) -> _Box:
    """Return a place on or in the box, inside the image, that overlaps the places taken the least; best on the box."""
    (xmin, ymin, xmax, ymax), (width, height) = box, label_size
    right, bottom = max(0, image_size[0] - width), max(0, image_size[1] - height)
    tops = [top for top in (ymin - height, *range(ymin, ymax + 1, height)) if 0 <= top <= bottom] or [min(ymin, bottom)]
    lefts = [min(max(left, 0), right) for left in (xmin, xmax - width)]
    places = np.array([(left, top, left + width, top + height) for left in lefts for top in tops])
    return tuple(places[_overlaps(places, np.array(taken).reshape(-1, 4)).argmin()].tolist())


def _overlaps(places: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Return int[N]: how many pixels of each of the places, int[N, 4], the taken ones, int[M, 4], cover in all."""
    places, taken = places[:, None], taken[None]
    sides = np.minimum(places[..., 2:], taken[..., 2:]) - np.maximum(places[..., :2], taken[..., :2])
    return sides.clip(0).prod(axis=2).sum(axis=1)
