"""The composition of an image: which garments, where, and the finished image with its boxes.

An image shows one to four garments. Their classes are drawn first, each on its own, with the frequencies that the
product photos of the original project have (boxes per class over its 911 annotated photos); then the garments are
arranged: a top and a bottom mostly as an outfit on one wearer, the rest side by side, overlapping at times. So the
frequencies hold whatever the arrangement.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageChops, ImageFilter, ImageStat

from scripts.lib.sample_photos import backdrops, fabrics, figure, garments
from scripts.lib.sample_photos.rendering import Layer, Placement, render, silhouette
from scripts.lib.sample_photos.shapes import Item, Piece, bounds

CLASS_WEIGHTS = {"Dresses": 454, "Pants_Leggings": 301, "Tops": 451, "Shorts": 151, "Lingerie": 120, "Skirts": 109}
COUNT_WEIGHTS = {1: 48, 2: 34, 3: 13, 4: 5}  # garments in an image: 1.75 on average, the original's 1,586 boxes / 911
SIDES = (300, 640)  # pixels, shortest and longest
LEAST_VISIBLE = 0.62  # of a garment's area; what is hidden further is arranged anew
ARRANGEMENTS = 12  # tries; each is more orderly than the one before, in the last each wearer stays in its cell
CHECK_REDUCTION = 4  # visibility is estimated on silhouettes of a quarter of the size


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


class Thing(NamedTuple):
    """One thing in the image: a garment of a class, or what wears it (`name` empty)."""

    name: str
    items: Sequence[Item]
    placement: Placement


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
    for attempt in range(ARRANGEMENTS):
        disorder = 1.0 - attempt / (ARRANGEMENTS - 1)
        things = _arrange(rng, wearers, size, lying, disorder)
        if all_visible(things, size):
            break
    return _develop(rng, things, size, lying)


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
    low, high = {1: (0.62, 1.0), 2: (0.95, 1.35), 3: (1.2, 1.6), 4: (0.8, 1.2)}[wearers]
    aspect = rng.uniform(low, high)
    width, height = (longest, longest / aspect) if aspect > 1 else (longest * aspect, longest)
    return max(SIDES[0], round(width)), max(SIDES[0], round(height))


def _arrange(
    rng: random.Random, wearers: Sequence[tuple[str, ...]], size: tuple[int, int], lying: bool, disorder: float
) -> list[Thing]:
    """Give every wearer a cell of the frame and fill it; `disorder` 1 for large shifts and sizes, 0 for none."""
    columns = 2 if len(wearers) == 4 else len(wearers)
    rows = -(-len(wearers) // columns)
    cell = (size[0] / columns, size[1] / rows)
    things: list[Thing] = []
    for position, names in enumerate(wearers):
        corner = (position % columns * cell[0], position // columns * cell[1])
        support = _support(rng, names, lying or rows > 1)
        pose = (figure.standing if support in figure.BODIES else figure.laid_out)(rng)
        cut = [garments.CUTS[name](rng, pose) for name in names[:1]]
        cut += [garments.top(rng, pose, garments.SHORT_TOP_LENGTHS) for _ in names[1:]]
        placement = _fit(rng, [item for items in cut for item in items], corner, cell, disorder)
        things += [Thing("", support(rng, pose), placement)] if support else []
        things += [Thing(name, items, placement) for name, items in zip(names, cut, strict=True)]
    return things


def _fit(
    rng: random.Random, items: Sequence[Item], corner: tuple[float, float], cell: tuple[float, float], disorder: float
) -> Placement:
    """Scale the garments to most of the cell and place them near its middle, slightly turned and slanted."""
    left, top, right, bottom = bounds(items)
    widen = 1 + rng.uniform(-0.08, 0.16)
    scale = min(cell[0] / ((right - left) * widen), cell[1] / (bottom - top))
    scale *= 0.92 + disorder * rng.uniform(-0.2, 0.1)
    turn = rng.uniform(-0.05, 0.05) * disorder  # tangent of half the angle
    cosine, sine = (1 - turn * turn) / (1 + turn * turn), 2 * turn / (1 + turn * turn)
    slant = rng.uniform(-0.05, 0.05)
    placement = Placement(0, 0, scale, cosine * widen, -sine + slant, sine * widen, cosine)
    ((x, y),) = placement([((left + right) / 2, (top + bottom) / 2)])
    room = (cell[0] - (right - left) * widen * scale, cell[1] - (bottom - top) * scale)
    shift = [
        disorder * rng.uniform(-0.5, 0.5) * max(space, 0.32 * extent) for space, extent in zip(room, cell, strict=True)
    ]
    return dataclasses.replace(
        placement, left=corner[0] + cell[0] / 2 - x + shift[0], top=corner[1] + cell[1] / 2 - y + shift[1]
    )


def _support(rng: random.Random, names: Sequence[str], no_body: bool) -> figure.Support | None:
    """Return the wearer or hanger of the garments, so that nobody is half dressed; None for neither."""
    if no_body or rng.random() < 0.25:
        if names == ("Lingerie",) or rng.random() < 0.6:
            return None
        return figure.clothes_hanger if names[-1] in ("Tops", "Dresses") else figure.trouser_hanger
    if len(names) > 1 or names == ("Dresses",):
        return rng.choice((figure.model, figure.model, figure.mannequin))
    if names[0] in garments.BOTTOMS:
        return figure.legs
    return rng.choice((figure.bust, figure.mannequin))


def all_visible(things: Sequence[Thing], size: tuple[int, int]) -> bool:
    """Return True if enough of each garment is in the frame and not hidden, estimated on small silhouettes."""
    margin = max(size) // CHECK_REDUCTION
    small = (size[0] // CHECK_REDUCTION, size[1] // CHECK_REDUCTION)
    window = (margin, margin, margin + small[0], margin + small[1])
    hidden = Image.new("L", small)
    for thing in reversed(things):
        placement = thing.placement.magnified(1 / CHECK_REDUCTION)
        placement = dataclasses.replace(placement, left=placement.left + margin, top=placement.top + margin)
        whole = silhouette(thing.items, placement, (small[0] + 2 * margin, small[1] + 2 * margin))
        inside = whole.crop(window)
        if thing.name and _area(ImageChops.subtract(inside, hidden)) < LEAST_VISIBLE * _area(whole):
            return False
        hidden = ImageChops.lighter(hidden, inside)
    return True


def _area(mask: Image.Image) -> float:
    """Return the area of a mask in pixels; soft edges count in part."""
    return ImageStat.Stat(mask).sum[0] / 255


def _develop(rng: random.Random, things: Sequence[Thing], size: tuple[int, int], lying: bool) -> SampleImage:
    image = _ground(rng, things, size, lying)
    visible: list[tuple[str, Image.Image]] = []
    for thing in things:
        layer = render(thing.items, thing.placement, size, rng)
        if layer is None:
            continue
        solid = Image.new("L", size)
        solid.paste(layer.solid, layer.corner)
        _cast_shadow(image, layer, thing.placement.scale, lying)
        image.paste(layer.image, layer.corner, layer.image)
        visible = [(name, ImageChops.subtract(mask, solid)) for name, mask in visible]
        if thing.name:
            visible.append((thing.name, solid))
    return SampleImage(_exposed(rng, image), [box_of(name, mask) for name, mask in visible])


def _ground(rng: random.Random, things: Sequence[Thing], size: tuple[int, int], lying: bool) -> Image.Image:
    """Draw a background that the garments stand out from."""
    colours = [
        next(item.fabric.ground for item in thing.items if isinstance(item, Piece)) for thing in things if thing.name
    ]
    for _ in range(4):
        image = (backdrops.lying if lying else backdrops.standing)(rng, size)
        mean = tuple(round(value) for value in ImageStat.Stat(image.reduce(16)).mean)
        if all(fabrics.distance(colour, mean) > 90 for colour in colours):
            break
    return image


def _cast_shadow(image: Image.Image, layer: Layer, scale: float, lying: bool) -> None:
    """Darken what is below and to the right of a layer, softly and in place."""
    reach = max(4, round(scale * (0.06 if lying else 0.12)))
    margin = 5 * reach  # where the shadow has faded
    size = tuple((side + 2 * margin) // 4 for side in layer.solid.size)
    small = Image.new("L", size)
    small.paste(layer.solid.reduce(4), ((margin + reach) // 4, (margin + reach) // 4))
    small = small.filter(ImageFilter.GaussianBlur(reach / 3))
    lighting = small.point([128 - value * 45 // 255 for value in range(256)])
    left, top = layer.corner[0] - margin, layer.corner[1] - margin
    width, height = small.width * 4, small.height * 4
    box = (max(0, left), max(0, top), min(image.width, left + width), min(image.height, top + height))
    lighting = lighting.resize((width, height), Image.Resampling.BILINEAR)
    lighting = lighting.crop((box[0] - left, box[1] - top, box[2] - left, box[3] - top))
    image.paste(fabrics.light(image.crop(box), lighting), box)


def _exposed(rng: random.Random, image: Image.Image) -> Image.Image:
    """Apply exposure, a colour cast, noise, and sometimes blur, as a camera does."""
    exposure = rng.uniform(0.88, 1.1)
    gains = [exposure * rng.uniform(0.97, 1.03) for _ in range(3)]
    image = image.point([min(255, int(value * gain)) for gain in gains for value in range(256)])
    if rng.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.0)))
    noise = fabrics.faint(fabrics.noise(rng, (128, 128)), 1, 24)
    return fabrics.light(image, fabrics.tiled(noise, image.size))


def box_of(name: str, mask: Image.Image) -> Box:
    extent = mask.point([255 if value > 127 else 0 for value in range(256)]).getbbox()
    assert extent, f"{name}: a garment is hidden"  # all_visible has seen most of it
    return Box(name, *extent)
