"""From garment units to pixels: pieces of cloth, lit, painted on a canvas."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from scripts.lib.sample_photos.fabrics import lace, light, swatch, unevenness
from scripts.lib.sample_photos.shapes import Item, Piece

LIGHT_REDUCTION, SHADOW_REDUCTION = 6, 8  # both are soft: worked out on an image so many times smaller


class Placement(NamedTuple):
    """Where garment units lie on the canvas, in pixels."""

    origin: ArrayLike  # (x, y) of the point (0, 0)
    axes: ArrayLike  # [[x, y], [x, y]]: where one unit to the right and one unit down lead
    scale: float  # pixels a unit, for what has no direction

    def __call__(self, points: ArrayLike) -> list[tuple[int, int]]:
        points, axes = np.asarray(points), np.asarray(self.axes)
        placed = points[:, :1] * axes[0] + points[:, 1:] * axes[1] + self.origin
        return [tuple(point) for point in placed.round().astype(int).tolist()]


def silhouette(items: Iterable[Item], placement: Placement, size: tuple[int, int]) -> Image.Image:
    """Draw the pieces of cloth as a mask of `size`: L, 0 or 255."""
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    for item in items:
        if isinstance(item, Piece):
            draw.polygon(placement(item.points), fill=255)
    return image


def cast_shadow(canvas: Image.Image, mask: Image.Image, reach: float) -> None:
    """Darken the canvas (RGB) below and to the right of what the mask covers, softly, up to about `reach` pixels."""
    small, blur = mask.reduce(SHADOW_REDUCTION), reach / SHADOW_REDUCTION / 2
    shadow = Image.new("L", small.size)
    shadow.paste(small.point([value * 5 // 12 for value in range(256)]), (round(blur), round(blur)))
    shadow = shadow.filter(ImageFilter.GaussianBlur(blur))
    extent = shadow.getbbox()
    if extent is None:  # all of it is outside the canvas
        return
    left, top, right, bottom = extent
    size = ((right - left) * SHADOW_REDUCTION, (bottom - top) * SHADOW_REDUCTION)
    shadow = shadow.crop(extent).resize(size, Image.Resampling.BILINEAR)
    canvas.paste((16, 14, 20), (left * SHADOW_REDUCTION, top * SHADOW_REDUCTION), shadow)


def paint(canvas: Image.Image, items: Iterable[Item], placement: Placement, rng: random.Random) -> None:
    """Draw the items on the canvas (RGB) in their order."""
    draw = ImageDraw.Draw(canvas, "RGBA")
    for item in items:
        points = placement(item.points)
        if isinstance(item, Piece):
            _lay(canvas, item, points, placement.scale, rng)
            draw.line([*points, points[0]], fill=(0, 0, 0, 60), width=2)
        elif len(points) == 1:
            draw.circle(points[0], max(1.5, item.width * placement.scale / 2), item.colour, outline=(0, 0, 0, 110))
        else:
            draw.line(points, item.colour, max(1, round(item.width * placement.scale)), joint="curve")


def _lay(canvas: Image.Image, piece: Piece, outline: list[tuple[int, int]], scale: float, rng: random.Random) -> None:
    left, top, right, bottom = (pick(axis) for pick in (min, max) for axis in zip(*outline, strict=True))
    if right < 0 or bottom < 0 or left >= canvas.width or top >= canvas.height:
        return
    size = (right - left + 1, bottom - top + 1)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in outline], fill=255)
    cloth = light(swatch(piece.fabric, size, scale, rng), _lighting(piece, mask, scale, rng))
    if piece.fabric.pattern == "lace":
        mask = ImageChops.multiply(mask, lace(piece.fabric, size, scale, rng))
    canvas.paste(cloth, (left, top), mask)


def _lighting(piece: Piece, mask: Image.Image, scale: float, rng: random.Random) -> Image.Image:
    """Return light from the upper left on something round, with the cloth's folds and wrinkles."""
    small = mask.resize([max(2, side // LIGHT_REDUCTION) for side in mask.size], Image.Resampling.BOX)
    scale /= LIGHT_REDUCTION
    reach = max(1, round(scale * 0.07))
    soft = ImageOps.expand(small, 2 * reach).filter(ImageFilter.GaussianBlur(scale * 0.09))
    lower, upper = ImageChops.offset(soft, -reach), ImageChops.offset(soft, reach)
    edges = ImageChops.subtract(lower, upper, 3.0 / piece.fabric.gloss, 128)
    wrinkles = unevenness(rng, [max(2, round(side / scale * 1.3)) for side in small.size], small.size, 0.1)
    lighting = ImageChops.add(ImageOps.crop(edges, 2 * reach), wrinkles, 1, -128)
    lighting = ImageChops.add(lighting, _drape(piece, np.asarray(small) > 127, rng), 1, -128)
    return lighting.resize(mask.size, Image.Resampling.BILINEAR)


def _drape(piece: Piece, inside: np.ndarray, rng: random.Random) -> Image.Image:
    """Return the light on a tube as wide in each row as the cloth, in folds that deepen downwards.

    All in integers: a table of the light from the left edge to the right one, looked up by the place between them.
    """
    height, width = inside.shape
    left, right = inside.argmax(axis=1)[:, None], width - inside[:, ::-1].argmax(axis=1)[:, None]
    across = ((np.arange(width) - left) * 255 // (right - left)).clip(0, 255)
    tube = 16 - (np.arange(256) - 100) ** 2 // 480
    folds = bytes([40, 216] * piece.folds) if piece.pleated else rng.randbytes(piece.folds + 1)
    profile = Image.frombytes("L", (len(folds), 1), folds).resize((256, 1), Image.Resampling.BICUBIC)
    folds = (np.asarray(profile)[0].astype(int) - 128) * (48 if piece.folds else 0) // 128
    depth = np.arange(height)[:, None] + height // 3
    lighting = tube[across] + folds[across] * depth // (height * 4 // 3)
    return Image.fromarray((128 + lighting * piece.fabric.gloss).clip(0, 255).astype(np.uint8))
