"""Colours, and cloth in the patterns that garments come in."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
from PIL import Image, ImageChops, ImageColor, ImageDraw

RGB = tuple[int, int, int]

# names of CSS, as Pillow knows them
COLOURS = (
    *("black", "dimgray", "gray", "silver", "whitesmoke", "linen", "tan", "peru", "saddlebrown", "midnightblue"),
    *("royalblue", "skyblue", "teal", "mediumaquamarine", "seagreen", "darkolivegreen", "goldenrod", "khaki"),
    *("chocolate", "coral", "firebrick", "maroon", "pink", "mediumvioletred", "thistle", "rebeccapurple", "peachpuff"),
)
GROUNDS = {  # of patterns that come in some colours only
    "denim": ("#2a3e68", "#3e5a8a", "#6888b2", "#96b2d0", "#343844", "#1c2642"),
    "gingham": ("whitesmoke", "linen"),
    "lace": ("black", "black", "whitesmoke", "firebrick", "maroon", "pink", "midnightblue", "thistle"),
}
CAMOUFLAGE: tuple[RGB, ...] = ((88, 92, 58), (122, 116, 78), (58, 60, 44), (156, 146, 108))

# Patterns of bars: directions (x: upright bars), then for each bar its start and end as fractions of the repeat, the
# index of its colour (-1: black), and its opacity.
BARS = {
    "stripes": ("y", ((0.0, 0.45, 1, 255),)),
    "pinstripes": ("x", ((0.0, 0.16, 1, 255),)),
    "gingham": ("xy", ((0.0, 0.5, 1, 150),)),
    "tartan": ("xy", ((0.05, 0.4, -1, 110), (0.5, 0.56, 1, 140), (0.7, 0.9, 2, 120))),
    "knit": ("x", ((0.0, 0.35, -1, 36),)),
    "denim": ("x", ((0.0, 0.3, -1, 30),)),
}
PITCHES = {  # range of a pattern's repeat in garment units
    "stripes": (0.14, 0.4),
    "pinstripes": (0.12, 0.25),
    "gingham": (0.15, 0.4),
    "tartan": (0.5, 1.0),
    "knit": (0.1, 0.16),
    "denim": (0.05, 0.06),
    "dots": (0.2, 0.4),
    "floral": (0.3, 0.6),
    "camouflage": (0.4, 0.6),
    "lace": (0.14, 0.24),
}
SCATTERED = 5  # motifs along a side of a tile


@dataclasses.dataclass(frozen=True)
class Fabric:
    """A fabric; `pattern` is a key of `PITCHES`, or "plain" or "ombre"."""

    pattern: str
    colours: tuple[RGB, ...]  # the ground first, then the pattern's
    pitch: float = 0.3  # the pattern's repeat in garment units
    gloss: float = 1.0  # how strongly light and shadow show, 1 for cotton

    @property
    def ground(self) -> RGB:
        return self.colours[0]

    def plain(self, factor: float = 1.0) -> Fabric:
        """Return the same cloth without its pattern, lighter or darker by `factor`: for collars, bands, linings."""
        return Fabric("plain", (shade(self.ground, factor),), gloss=self.gloss)


def shade(colour: RGB, factor: float) -> RGB:
    """Return the colour, darker for factor < 1, lighter for factor > 1."""
    return tuple(min(255, int(channel * factor)) for channel in colour)


def any_colour(rng: random.Random, *names: str) -> RGB:
    """Return one of the colours that Pillow knows by these names (of `COLOURS`, if none is given), slightly varied."""
    base = ImageColor.getrgb(rng.choice(names or COLOURS))
    return tuple(max(0, min(255, channel + rng.randint(-12, 12))) for channel in base)


def contrasting(rng: random.Random, colour: RGB) -> RGB:
    """Return a colour that differs clearly from the given one."""
    others = [any_colour(rng) for _ in range(5)]
    return max(others, key=lambda other: sum(abs(x - y) for x, y in zip(colour, other, strict=True)))


def any_fabric(rng: random.Random, *patterns: str) -> Fabric:
    """Return a fabric in one of the patterns."""
    pattern = rng.choice(patterns)
    ground = any_colour(rng, *GROUNDS.get(pattern, ()))
    colours = (ground, contrasting(rng, ground), any_colour(rng))
    return Fabric(pattern, colours, rng.uniform(*PITCHES.get(pattern, (1, 1))), rng.choice((0.8, 1.0, 1.0, 1.4)))


def swatch(fabric: Fabric, size: tuple[int, int], scale: float, rng: random.Random) -> Image.Image:
    """Draw the cloth, flat and unlit: RGB of `size`, `scale` pixels a garment unit."""
    pattern, pitch = fabric.pattern, max(4, round(fabric.pitch * scale))
    if pattern in ("plain", "lace"):
        return Image.new("RGB", size, fabric.ground)
    if pattern == "ombre":
        return gradient(size, *fabric.colours[:2])
    side = pitch if pattern in BARS else pitch * SCATTERED
    tile = Image.new("RGB", (side, side), fabric.ground)
    draw = ImageDraw.Draw(tile, "RGBA")
    if pattern in BARS:
        directions, bars = BARS[pattern]
        for start, end, index, opacity in bars:
            low, high = int(pitch * start), max(int(pitch * start), int(pitch * end) - 1)
            colour = (*((0, 0, 0) if index < 0 else fabric.colours[index]), opacity)
            for direction in directions:
                draw.rectangle((low, 0, high, side) if direction == "x" else (0, low, side, high), fill=colour)
    elif pattern == "camouflage":
        patches = np.asarray(unevenness(rng, (8, 8), tile.size, 1)) // 64
        tile = Image.fromarray(np.array(CAMOUFLAGE, np.uint8)[patches])
    elif pattern == "dots":
        for centre in _scattered(rng, pitch, 0):
            draw.circle(centre, pitch * 0.24, fabric.colours[1])
    elif pattern == "floral":
        for centre in _scattered(rng, pitch, 0.15):
            _flower(draw, *centre, pitch * 0.4, rng.choice(fabric.colours[1:]))
    return tiled(tile, size)


def _flower(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, petals: RGB) -> None:
    draw.ellipse((x + radius / 2, y, x + radius * 1.4, y + radius * 0.6), (70, 120, 70))
    for dx, dy in ((0, -0.55), (0.52, -0.17), (0.32, 0.45), (-0.32, 0.45), (-0.52, -0.17)):
        draw.circle((x + dx * radius, y + dy * radius), radius * 0.42, petals)
    draw.circle((x, y), radius * 0.28, (246, 216, 110))


def lace(fabric: Fabric, size: tuple[int, int], scale: float, rng: random.Random) -> Image.Image:
    """Return the opacity of lace: L, a net with denser flowers."""
    pitch = max(8, round(fabric.pitch * scale))
    side = pitch * SCATTERED
    tile = Image.new("L", (side, side), 150)
    draw = ImageDraw.Draw(tile)
    for offset in range(0, side, max(4, pitch // 3)):
        draw.line((offset, 0, offset, side), 200)
        draw.line((0, offset, side, offset), 200)
    for centre in _scattered(rng, pitch, 0.15):
        draw.circle(centre, pitch * 0.36, 250)
        draw.circle(centre, pitch * 0.16, 190)
    return tiled(tile, size)


def _scattered(rng: random.Random, pitch: int, disorder: float) -> list[tuple[float, float]]:
    """Return a point per cell of a tile, off its middle by the fraction `disorder` of a cell."""
    cells = [(x + 0.5, y + 0.5) for y in range(SCATTERED) for x in range(SCATTERED)]
    return [tuple(pitch * (middle + disorder * rng.uniform(-1, 1)) for middle in cell) for cell in cells]


def tiled(tile: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Repeat the tile over an image of `size`."""
    array = np.asarray(tile)
    repeats = (-(-size[1] // tile.height), -(-size[0] // tile.width)) + (1,) * (array.ndim - 2)
    return Image.fromarray(np.tile(array, repeats)[: size[1], : size[0]])


def unevenness(rng: random.Random, cells: tuple[int, int], size: tuple[int, int], strength: float) -> Image.Image:
    """Return a lighting (L) of `size` that varies softly by up to 128 * `strength` between so many cells."""
    noise = np.frombuffer(rng.randbytes(cells[0] * cells[1]), np.uint8).reshape(cells[::-1])
    pixels = Image.fromarray((128 + (noise - 128.0) * strength).astype(np.uint8))
    return pixels if cells == size else pixels.resize(size, Image.Resampling.BICUBIC)


def gradient(size: tuple[int, int], upper: RGB, lower: RGB) -> Image.Image:
    return Image.fromarray(np.array([[upper], [lower]], np.uint8)).resize(size, Image.Resampling.BILINEAR)


def light(cloth: Image.Image, lighting: Image.Image) -> Image.Image:
    """Light the cloth (RGB) by a lighting (L): darker below 128, lighter above."""
    return ImageChops.hard_light(cloth, Image.merge("RGB", (lighting,) * 3))
