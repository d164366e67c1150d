"""Colours, and cloth in the patterns that garments come in."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw

RGB = tuple[int, int, int]

COLOURS: dict[str, RGB] = {
    "black": (34, 33, 38),
    "charcoal": (72, 74, 80),
    "grey": (140, 142, 146),
    "silver": (190, 192, 196),
    "white": (238, 237, 234),
    "cream": (236, 225, 202),
    "beige": (212, 190, 160),
    "camel": (184, 136, 84),
    "brown": (106, 70, 48),
    "navy": (34, 44, 84),
    "blue": (44, 86, 170),
    "sky": (140, 184, 222),
    "teal": (24, 120, 124),
    "mint": (160, 214, 190),
    "green": (52, 122, 72),
    "olive": (104, 106, 62),
    "mustard": (212, 164, 44),
    "yellow": (240, 212, 96),
    "orange": (226, 120, 50),
    "coral": (236, 118, 104),
    "red": (190, 36, 44),
    "burgundy": (112, 28, 48),
    "pink": (236, 160, 180),
    "fuchsia": (206, 50, 124),
    "lavender": (178, 164, 216),
    "purple": (98, 56, 130),
    "nude": (224, 184, 160),
}
DENIMS: tuple[RGB, ...] = ((42, 62, 104), (62, 90, 138), (104, 136, 178), (150, 178, 208), (52, 56, 68), (28, 38, 66))


@dataclasses.dataclass(frozen=True)
class Fabric:
    """A fabric."""

    pattern: str  # a key of `PATTERNS`
    colours: tuple[RGB, ...]  # the ground first, then the pattern's
    pitch: float = 0.3  # the pattern's repeat in garment units
    weave: str = "cotton"  # a key of `WEAVES`, the texture of the surface
    gloss: float = 1.0  # how strongly light and shadow show, 1 for cotton

    @property
    def ground(self) -> RGB:
        return self.colours[0]

    def plain(self, factor: float = 1.0) -> Fabric:
        """Return the same cloth without its pattern, lighter or darker by `factor`: for collars, bands, linings."""
        return dataclasses.replace(self, pattern="plain", colours=(shade(self.ground, factor),))


def shade(colour: RGB, factor: float) -> RGB:
    """Return the colour, darker for factor < 1, lighter for factor > 1."""
    return tuple(max(0, min(255, int(channel * factor))) for channel in colour)


def blend(a: RGB, b: RGB, t: float) -> RGB:
    return tuple(int(x + (y - x) * t) for x, y in zip(a, b, strict=True))


def distance(a: RGB, b: RGB) -> int:
    return sum(abs(x - y) for x, y in zip(a, b, strict=True))


def any_colour(rng: random.Random, *names: str) -> RGB:
    """Return one of the named colours (of all, if none is named), slightly varied."""
    base = COLOURS[rng.choice(names or list(COLOURS))]
    return tuple(max(0, min(255, channel + rng.randint(-12, 12))) for channel in base)


def contrasting(rng: random.Random, colour: RGB, least: int = 200) -> RGB:
    """Return a colour that differs clearly from the given one."""
    candidates = [any_colour(rng) for _ in range(12)]
    return next((other for other in candidates if distance(other, colour) >= least), candidates[0])


def any_fabric(rng: random.Random, *patterns: str) -> Fabric:
    """Return a fabric in one of the patterns."""
    pattern = rng.choice(patterns)
    if pattern == "denim":
        return Fabric("plain", (rng.choice(DENIMS),), weave="twill", gloss=1.15)
    ground = any_colour(rng)
    if pattern == "leopard":
        ground = any_colour(rng, "camel", "beige", "silver")
    if pattern == "lace":
        ground = any_colour(rng, "black", "black", "white", "red", "burgundy", "pink", "nude", "navy", "lavender")
    colours = (ground, contrasting(rng, ground), contrasting(rng, ground, 120))
    weave = rng.choice(("cotton", "cotton", "knit", "satin")) if pattern == "plain" else "cotton"
    return Fabric(
        pattern,
        colours,
        rng.uniform(*PATTERNS[pattern].pitches),
        weave,
        1.5 if weave == "satin" else rng.uniform(0.8, 1.1),
    )


def swatch(fabric: Fabric, size: tuple[int, int], scale: float, rng: random.Random) -> Image.Image:
    """Draw the cloth, flat and unlit: RGB of `size`, `scale` pixels a garment unit."""
    if fabric.pattern == "ombre":
        return gradient(size, fabric.ground, fabric.colours[2])
    pattern, pitch = PATTERNS[fabric.pattern], max(4, round(fabric.pitch * scale))
    tile = Image.new("RGB", (pitch * pattern.pitches_a_side,) * 2, fabric.ground)
    if pattern.draw:
        pattern.draw(tile, fabric, pitch, rng)
    return tiled(tile, size)


def sheerness(fabric: Fabric, size: tuple[int, int], scale: float, rng: random.Random) -> Image.Image | None:
    """Return the opacity of sheer cloth (L, 255 is opaque), or None for opaque cloth."""
    if fabric.pattern != "lace":
        return None
    pitch = max(8, round(fabric.pitch * scale))
    tile = Image.new("L", (pitch * 4, pitch * 4), 130)
    draw = ImageDraw.Draw(tile)
    for offset in range(-4 * pitch, 4 * pitch, max(4, pitch // 3)):  # the net
        draw.line((offset, 0, offset + 4 * pitch, 4 * pitch), fill=190, width=1)
        draw.line((offset + 4 * pitch, 0, offset, 4 * pitch), fill=190, width=1)
    for x, y in _scattered(rng, 4 * pitch, pitch):
        _flower(draw, x, y, pitch * 0.55, 250, 200, rng)
    return tiled(tile, size)


def grain(weave: str, size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Draw the texture of the surface: L, 128 changes nothing."""
    strength, lines = WEAVES[weave]
    tile = faint(noise(rng, (64, 64)), strength, 100)
    draw = ImageDraw.Draw(tile)
    if lines == "diagonal":
        for offset in range(-64, 64, 4):
            draw.line((offset, 64, offset + 64, 0), fill=108, width=1)
    elif lines == "ribs":
        for x in range(0, 64, 8):
            draw.rectangle((x, 0, x + 2, 63), fill=104)
    return tiled(tile, size)


def tiled(tile: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Repeat the tile over an image of `size`."""
    image = Image.new(tile.mode, size)
    for x in range(0, size[0], tile.width):
        image.paste(tile, (x, 0))
    row = image.crop((0, 0, size[0], tile.height))
    for y in range(tile.height, size[1], tile.height):
        image.paste(row, (0, y))
    return image


def noise(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """Return random pixels, L."""
    return Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))


def faint(lighting: Image.Image, part: int, whole: int) -> Image.Image:
    """Return a lighting (L) with only `part` / `whole` of its effect; 128, which changes nothing, stays."""
    return lighting.point([128 + (value - 128) * part // whole for value in range(256)])


def gradient(size: tuple[int, int], upper: RGB, lower: RGB) -> Image.Image:
    image = Image.new("RGB", (1, 2), upper)
    image.putpixel((0, 1), lower)
    return image.resize(size, Image.Resampling.BILINEAR)


def _stripes(tile: Image.Image, fabric: Fabric, pitch: int, rng: random.Random) -> None:
    """Draw stripes across, as on a sailor's shirt."""
    ImageDraw.Draw(tile).rectangle((0, 0, pitch, pitch * 45 // 100), fill=fabric.colours[1])


def _pinstripes(tile: Image.Image, fabric: Fabric, pitch: int, rng: random.Random) -> None:
    """Draw thin stripes lengthwise."""
    ImageDraw.Draw(tile).rectangle((0, 0, max(1, pitch // 6), pitch), fill=fabric.colours[1])


def _dots(tile: Image.Image, fabric: Fabric, pitch: int, rng: random.Random) -> None:
    draw = ImageDraw.Draw(tile)
    for x, y in ((0, 0), (pitch, 0), (0, pitch), (pitch, pitch), (pitch / 2, pitch / 2)):
        _ellipse(draw, x, y, pitch * 0.2, pitch * 0.2, fabric.colours[1])


def _gingham(tile: Image.Image, fabric: Fabric, pitch: int, rng: random.Random) -> None:
    draw, half, middle = ImageDraw.Draw(tile), pitch // 2, blend(COLOURS["white"], fabric.ground, 0.55)
    draw.rectangle((0, 0, pitch, pitch), fill=COLOURS["white"])
    draw.rectangle((0, 0, half, pitch), fill=middle)
    draw.rectangle((0, 0, pitch, half), fill=middle)
    draw.rectangle((0, 0, half, half), fill=fabric.ground)


def _tartan(tile: Image.Image, fabric: Fabric, pitch: int, rng: random.Random) -> None:
    draw = ImageDraw.Draw(tile, "RGBA")
    for start, stop, colour in ((5, 40, (10, 10, 20)), (50, 56, fabric.colours[1]), (70, 90, fabric.colours[2])):
        low, high = pitch * start // 100, pitch * stop // 100
        draw.rectangle((low, 0, high, pitch), fill=(*colour, 120))
        draw.rectangle((0, low, pitch, high), fill=(*colour, 120))


def _floral(tile: Image.Image, fabric: Fabric, pitch: int, rng: random.Random) -> None:
    draw, leaf = ImageDraw.Draw(tile), pitch * 0.3
    for x, y in _scattered(rng, tile.width, pitch):
        draw.ellipse((x + leaf, y + leaf / 2, x + leaf * 3, y + leaf * 1.4), fill=(70, 120, 70))
        _flower(draw, x, y, pitch * rng.uniform(0.3, 0.5), rng.choice(fabric.colours[1:]), (246, 216, 110), rng)


def _leopard(tile: Image.Image, fabric: Fabric, pitch: int, rng: random.Random) -> None:
    draw = ImageDraw.Draw(tile)
    for x, y in _scattered(rng, tile.width, pitch):
        rx, ry = pitch * rng.uniform(0.25, 0.42), pitch * rng.uniform(0.2, 0.35)
        _ellipse(draw, x, y, rx, ry, (46, 32, 26))
        _ellipse(draw, x + rx * 0.2, y - ry * 0.2, rx * 0.55, ry * 0.55, shade(fabric.ground, 0.8))


def _camouflage(tile: Image.Image, fabric: Fabric, pitch: int, rng: random.Random) -> None:
    patches = noise(rng, (8, 8)).resize(tile.size, Image.Resampling.BICUBIC)
    browns = ((88, 92, 58), (122, 116, 78), (58, 60, 44), (156, 146, 108))
    bands = [browns[0]] * 96 + [browns[1]] * 40 + [browns[2]] * 48 + [browns[3]] * 72
    tile.paste(Image.merge("RGB", [patches.point([band[channel] for band in bands]) for channel in range(3)]))


def _scattered(rng: random.Random, side: int, pitch: int) -> list[tuple[float, float]]:
    """Return a point per cell, off its middle and clear of the tile's edge, so that nothing is cut at a seam."""
    cells = [
        (x, y) for y in range(pitch // 2, side - pitch // 4, pitch) for x in range(pitch // 2, side - pitch // 4, pitch)
    ]
    return [(x + rng.uniform(-0.15, 0.15) * pitch, y + rng.uniform(-0.15, 0.15) * pitch) for x, y in cells]


def _flower(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, petal, heart, rng: random.Random) -> None:
    tilt = rng.choice((1, -1))
    for dx, dy in ((0, -0.55), (0.52, -0.17), (0.32, 0.45), (-0.32, 0.45), (-0.52, -0.17)):
        _ellipse(draw, x + dx * radius, y + dy * radius * tilt, radius * 0.42, radius * 0.42, petal)
    _ellipse(draw, x, y, radius * 0.25, radius * 0.25, heart)


def _ellipse(draw: ImageDraw.ImageDraw, x: float, y: float, rx: float, ry: float, colour: RGB | int) -> None:
    draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=colour)


class Pattern(NamedTuple):
    """How a pattern is drawn on a square tile that has the colour of the fabric's ground."""

    draw: Callable[[Image.Image, Fabric, int, random.Random], None] | None = None
    pitches: tuple[float, float] = (0.3, 0.3)  # range of the repeat in garment units
    pitches_a_side: int = 1  # of the tile


PATTERNS = {
    "plain": Pattern(),
    "stripes": Pattern(_stripes, (0.14, 0.4)),
    "pinstripes": Pattern(_pinstripes, (0.12, 0.25)),
    "dots": Pattern(_dots, (0.2, 0.5)),
    "gingham": Pattern(_gingham, (0.15, 0.4)),
    "tartan": Pattern(_tartan, (0.5, 1.0)),
    "floral": Pattern(_floral, (0.25, 0.6), 5),
    "leopard": Pattern(_leopard, (0.2, 0.4), 5),
    "camouflage": Pattern(_camouflage, (0.35, 0.6), 4),
    "ombre": Pattern(),  # see `swatch`
    "lace": Pattern(pitches=(0.14, 0.24)),  # see `sheerness`
}
WEAVES = {"cotton": (10, ""), "twill": (22, "diagonal"), "knit": (10, "ribs"), "satin": (3, "")}


def light(cloth: Image.Image, lighting: Image.Image) -> Image.Image:
    """Light the cloth (RGB) by a lighting (L): darker below 128, lighter above."""
    return ImageChops.hard_light(cloth, Image.merge("RGB", (lighting,) * 3))
