"""The composition of an image: which garments, where, and the finished image with its boxes.

An image shows one to four garments. Their classes are drawn first, each on its own, with the frequencies that the
product photos of the original project have (boxes per class over its 911 annotated photos); then the garments are
arranged: a top and a bottom mostly as an outfit on one wearer, the rest side by side, overlapping at times. So the
frequencies hold whatever the arrangement.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from scripts.lib.sample_photos import backdrops, fabrics, figure, garments
from scripts.lib.sample_photos.rendering import Placement, cast_shadow, paint, silhouette
from scripts.lib.sample_photos.shapes import Item, bounds

CLASS_WEIGHTS = {"Dresses": 454, "Pants_Leggings": 301, "Tops": 451, "Shorts": 151, "Lingerie": 120, "Skirts": 109}
COUNT_WEIGHTS = {1: 48, 2: 34, 3: 13, 4: 5}  # garments in an image: 1.75 on average, the original's 1,586 boxes / 911
SIDES = (300, 640)  # pixels, shortest and longest
SUPERSAMPLING = 2  # the canvas is as many times larger than the image
OUTSIDE = 0.2  # the most of a garment's width or height that is outside its cell of the image


class Box(NamedTuple):
    """A garment's visible extent: pixel columns xmin to xmax - 1, rows ymin to ymax - 1, counted from 0."""

    name: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int


class SampleImage(NamedTuple):
    image: Image.Image
    boxes: list[Box]


def plan(seed: int, index: int) -> list[str]:
    """Return the classes of the garments on image `index`; they depend only on seed and index."""
    rng = random.Random(f"plan {seed} {index}")
    (count,) = rng.choices(list(COUNT_WEIGHTS), list(COUNT_WEIGHTS.values()))
    return rng.choices(list(CLASS_WEIGHTS), list(CLASS_WEIGHTS.values()), k=count)


def take_photo(seed: int, index: int) -> SampleImage:
    """Draw image `index` of a seed: RGB, with the boxes of its garments."""
    rng = random.Random(f"photo {seed} {index}")
    wearers = _dress_wearers(rng, plan(seed, index))
    size = _frame(rng, len(wearers))
    lying = rng.random() < 0.35
    canvas = backdrops.backdrop(rng, size, lying)
    canvas = canvas.resize([side * SUPERSAMPLING for side in size], Image.Resampling.NEAREST)
    visible: list[tuple[str, Image.Image]] = []
    for names, cell in zip(wearers, _cells(canvas.size, len(wearers)), strict=True):
        things = _outfit(rng, names, lying or len(wearers) > 3)
        placement = _fit(rng, things, cell, lying)
        for name, items in things.items():
            mask = silhouette(items, placement, canvas.size)
            cast_shadow(canvas, mask, placement.scale * (0.08 if lying else 0.16))
            paint(canvas, items, placement, rng)
            visible = [(other, ImageChops.subtract(seen, mask)) for other, seen in visible]
            visible += [(name, mask)] if name else []
    image = _exposed(rng, canvas.reduce(SUPERSAMPLING))
    return SampleImage(image, [box_of(name, mask.reduce(SUPERSAMPLING)) for name, mask in visible])


def _dress_wearers(rng: random.Random, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Group the garments by wearer: (bottom, top) for most such pairs, one garment otherwise."""
    alone, wearers = list(names), []
    while "Tops" in alone and any(name in garments.BOTTOMS for name in alone) and rng.random() < 0.8:
        bottom = next(name for name in alone if name in garments.BOTTOMS)
        alone.remove("Tops")
        alone.remove(bottom)
        wearers.append((bottom, "Tops"))
    wearers += [(name,) for name in alone]
    rng.shuffle(wearers)
    return wearers


def _frame(rng: random.Random, wearers: int) -> tuple[int, int]:
    """Return width and height: upright for one wearer, wider for several."""
    longest = rng.randint(400, SIDES[1])
    aspect = rng.uniform(*{1: (0.62, 1.0), 2: (0.95, 1.35), 3: (1.2, 1.6), 4: (0.8, 1.2)}[wearers])
    width, height = (longest, longest / aspect) if aspect > 1 else (longest * aspect, longest)
    return max(SIDES[0], round(width)), max(SIDES[0], round(height))


def _cells(size: tuple[int, int], count: int) -> list[tuple[float, float, float, float]]:
    """Return (left, top, width, height) of a cell for each wearer: in one row, or in two rows for four."""
    columns = 2 if count == 4 else count
    width, height = size[0] / columns, size[1] / (count // columns)
    return [(number % columns * width, number // columns * height, width, height) for number in range(count)]


def _outfit(rng: random.Random, names: Sequence[str], lying: bool) -> dict[str, list[Item]]:
    """Return the garments by class, from the lowest to the topmost; first, under "", what they are worn by or hang on.

    Nobody is half dressed.
    """
    worn = not lying and rng.random() < 0.75
    pose = (figure.standing if worn else figure.laid_out)(rng)
    things: dict[str, list[Item]] = {}
    if worn:
        is_dressed, is_bottom = len(names) > 1 or names == ("Dresses",), names[0] in garments.BOTTOMS
        wearers = (figure.person, figure.person, figure.mannequin) if is_dressed else (figure.mannequin,)
        things[""] = (figure.legs if is_bottom and not is_dressed else rng.choice(wearers))(rng, pose)
    elif not lying and names != ("Lingerie",):
        things[""] = figure.hanger(rng, 0.1 if names[-1] in ("Tops", "Dresses") else figure.WAIST_Y - 0.15)
    things[names[0]] = garments.CUTS[names[0]](rng, pose)
    if len(names) > 1:
        things["Tops"] = garments.top(rng, pose, garments.SHORT_TOP_LENGTHS)
    return things


def _fit(rng: random.Random, things: dict[str, list[Item]], cell: Sequence[float], lying: bool) -> Placement:
    """Scale the garments to most of the cell, turn and slant them slightly, and place them, partly outside at times."""
    left, top, right, bottom = bounds(item for name, items in things.items() if name for item in items)
    middle = np.array(((left + right) / 2, (top + bottom) / 2))
    extent = np.array((max(right - left, 2.2), bottom - top))  # a wearer's shoulders at least
    room = np.array(cell[2:])
    widen, slant = rng.uniform(0.92, 1.16), rng.uniform(-0.05, 0.05)
    scale = float((room / (extent * (widen, 1))).min()) * rng.uniform(0.75, 1.0)
    turn = rng.uniform(-1, 1) * (0.08 if lying else 0.02)  # tangent of half the angle
    cosine, sine = (1 - turn * turn) / (1 + turn * turn), 2 * turn / (1 + turn * turn)
    axes = scale * np.array(((cosine * widen, sine * widen), (slant - sine, cosine)))
    shift = (room - extent * scale) / 2 + extent * scale * OUTSIDE
    shift *= (rng.triangular(-1, 1), rng.triangular(-1, 1))
    origin = np.array(cell[:2]) + room / 2 + shift - middle[0] * axes[0] - middle[1] * axes[1]
    return Placement(origin, axes, scale)


def _exposed(rng: random.Random, image: Image.Image) -> Image.Image:
    """Apply exposure, a colour cast, noise, and sometimes blur, as a camera does."""
    exposure = rng.uniform(0.88, 1.1)
    gains = [exposure * rng.uniform(0.97, 1.03) for _ in range(3)]
    image = image.point([min(255, int(value * gain)) for gain in gains for value in range(256)])
    if rng.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.0)))
    return fabrics.light(image, fabrics.tiled(fabrics.unevenness(rng, (128, 128), (128, 128), 0.06), image.size))


def box_of(name: str, mask: Image.Image) -> Box:
    """Return the box of the pixels that are covered at least by half."""
    extent = mask.point([255 if value > 127 else 0 for value in range(256)]).getbbox()
    assert extent, f"{name}: a garment is hidden"
    return Box(name, *extent)
