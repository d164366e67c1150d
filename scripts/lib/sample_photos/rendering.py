"""From garment units to pixels: pieces of cloth, lit, with smooth edges."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from scripts.lib.sample_photos import fabrics
from scripts.lib.sample_photos.shapes import Dot, Item, Line, Piece, Point

SUPERSAMPLING = 2
LIGHT_REDUCTION = 4  # light and shadow are soft: worked out at a quarter of the supersampled size


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where garment units lie in the image: x_px = left + scale (xx x + xy y), y_px = top + scale (yx x + yy y)."""

    left: float
    top: float
    scale: float
    xx: float = 1.0
    xy: float = 0.0
    yx: float = 0.0
    yy: float = 1.0

    def __call__(self, points: Iterable[Point]) -> list[Point]:
        return [
            (self.left + self.scale * (self.xx * x + self.xy * y), self.top + self.scale * (self.yx * x + self.yy * y))
            for x, y in points
        ]

    def magnified(self, factor: float) -> Placement:
        return dataclasses.replace(self, left=self.left * factor, top=self.top * factor, scale=self.scale * factor)


class Layer(NamedTuple):
    """Something rendered, at its place."""

    corner: tuple[int, int]  # (x, y) of its upper left pixel in the finished image
    image: Image.Image  # RGBA
    solid: Image.Image  # L, 255 where the thing is, whether or not its cloth is sheer; of the image's size


def silhouette(items: Iterable[Item], placement: Placement, size: tuple[int, int]) -> Image.Image:
    """Draw the pieces of cloth as a mask of `size`: L, 0 or 255."""
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    for item in items:
        if isinstance(item, Piece):
            draw.polygon(_rounded(placement(item.outline)), fill=255)
    return image


def render(items: Sequence[Item], placement: Placement, frame: tuple[int, int], rng: random.Random) -> Layer | None:
    """Draw the items in their order; return None if all are outside the frame (width, height in pixels)."""
    points = [point for item in items if isinstance(item, Piece) for point in placement(item.outline)]
    left, top = (max(0, math.floor(min(point[axis] for point in points)) - 2) for axis in (0, 1))
    right, bottom = (min(frame[axis], math.ceil(max(point[axis] for point in points)) + 2) for axis in (0, 1))
    if left >= right or top >= bottom:
        return None
    moved = dataclasses.replace(placement, left=placement.left - left, top=placement.top - top)
    table = _Table(items, moved.magnified(SUPERSAMPLING), ((right - left), (bottom - top)), rng)
    return Layer((left, top), *table.finished())


class _Table:
    """The supersampled canvas that one garment is sewn on."""

    def __init__(self, items: Sequence[Item], placement: Placement, size: tuple[int, int], rng: random.Random):
        large = (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING)
        ground = next(item.fabric.ground for item in items if isinstance(item, Piece))
        self.placement, self.rng = placement, rng
        self.colour = Image.new("RGB", large, ground)  # not black, lest the smooth edges get a dark rim
        self.opacity = Image.new("L", large)
        self.solid = Image.new("L", large)
        self.draw = ImageDraw.Draw(self.colour, "RGBA")
        for item in items:
            {Piece: self._sew, Line: self._stitch, Dot: self._button}[type(item)](item)

    def finished(self) -> tuple[Image.Image, Image.Image]:
        channels = (*self.colour.reduce(SUPERSAMPLING).split(), self.opacity.reduce(SUPERSAMPLING))
        return Image.merge("RGBA", channels), self.solid.reduce(SUPERSAMPLING)

    def _sew(self, piece: Piece) -> None:
        outline = _rounded(self.placement(piece.outline))
        xs, ys = [x for x, _ in outline], [y for _, y in outline]
        left, top = max(0, min(xs)), max(0, min(ys))
        right, bottom = min(self.colour.width, max(xs) + 1), min(self.colour.height, max(ys) + 1)
        if left >= right or top >= bottom:
            return
        size = (right - left, bottom - top)
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in outline], fill=255)
        fabric = piece.fabric
        cloth = fabrics.swatch(fabric, size, self.placement.scale, self.rng)
        cloth = fabrics.light(cloth, self._lighting(piece, mask, (left, top)))
        sheer = fabrics.sheerness(fabric, size, self.placement.scale, self.rng)
        stamp = mask if sheer is None else ImageChops.multiply(mask, sheer)
        box = (left, top, right, bottom)
        self.colour.paste(cloth, box, stamp)
        self.opacity.paste(ImageChops.lighter(self.opacity.crop(box), stamp), box)
        self.solid.paste(255, box, mask)
        self.draw.line([*outline, outline[0]], fill=(0, 0, 0, 60), width=2)

    def _lighting(self, piece: Piece, mask: Image.Image, corner: tuple[int, int]) -> Image.Image:
        """Return light from the upper left on something round, with the cloth's folds, wrinkles and weave."""
        small = (max(2, mask.width // LIGHT_REDUCTION), max(2, mask.height // LIGHT_REDUCTION))
        scale = self.placement.scale / LIGHT_REDUCTION
        reach = max(1, round(scale * 0.07))
        padded = Image.new("L", (small[0] + 4 * reach, small[1] + 4 * reach))  # `offset` wraps round
        padded.paste(mask.resize(small, Image.Resampling.BOX), (2 * reach, 2 * reach))
        relief = padded.filter(ImageFilter.GaussianBlur(scale * 0.09))
        lower, upper = ImageChops.offset(relief, -reach, -reach), ImageChops.offset(relief, reach, reach)
        lighting = ImageChops.subtract(lower, upper, 3.0 / piece.fabric.gloss, 128)
        lighting = lighting.crop((2 * reach, 2 * reach, 2 * reach + small[0], 2 * reach + small[1]))
        if piece.folds:
            lighting = ImageChops.add(lighting, self._folds(piece, small, corner), 1, -128)
        wrinkles = (max(2, round(small[0] / scale * 1.5)), max(2, round(small[1] / scale * 1.2)))
        noise = fabrics.faint(fabrics.noise(self.rng, wrinkles).resize(small, Image.Resampling.BICUBIC), 1, 7)
        lighting = ImageChops.add(lighting, noise, 1, -128).resize(mask.size, Image.Resampling.BILINEAR)
        return ImageChops.add(lighting, fabrics.grain(piece.fabric.weave, mask.size, self.rng), 1, -128)

    def _folds(self, piece: Piece, size: tuple[int, int], corner: tuple[int, int]) -> Image.Image:
        image = Image.new("L", size, 128)
        draw = ImageDraw.Draw(image)
        for fold in piece.folds:
            (x0, y0), (x1, y1) = (
                ((x - corner[0]) / LIGHT_REDUCTION, (y - corner[1]) / LIGHT_REDUCTION)
                for x, y in self.placement((fold.start, fold.end))
            )
            half = fold.width * self.placement.scale / LIGHT_REDUCTION / 2
            length = math.sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)) or 1.0
            dx, dy = (y1 - y0) / length * half, (x0 - x1) / length * half
            wedge = [(x0 - dx / 4, y0 - dy / 4), (x0 + dx / 4, y0 + dy / 4), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy)]
            draw.polygon(_rounded(wedge), fill=max(0, min(255, 128 + round(fold.tone * piece.fabric.gloss))))
        return image.filter(ImageFilter.GaussianBlur(max(0.7, self.placement.scale / LIGHT_REDUCTION * 0.03)))

    def _stitch(self, line: Line) -> None:
        points = _rounded(self.placement(line.points))
        width = max(1, round(line.width * self.placement.scale))
        self.draw.line(points, fill=line.colour, width=width, joint="curve")

    def _button(self, dot: Dot) -> None:
        ((x, y),) = self.placement((dot.centre,))
        radius = max(1.5, dot.radius * self.placement.scale)
        box = tuple(round(value) for value in (x - radius, y - radius, x + radius, y + radius))
        self.draw.ellipse(box, fill=dot.colour, outline=(0, 0, 0, 110))


def _rounded(points: Iterable[Point]) -> list[tuple[int, int]]:
    return [(round(x), round(y)) for x, y in points]
