"""Backgrounds, RGB of the image's size: paper rolls, walls, floors, furnished rooms, shops."""

from __future__ import annotations

import random
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFilter

from scripts.lib.sample_photos.fabrics import RGB, any_colour, gradient, light, shade, unevenness

Size = tuple[int, int]

PALE = ("whitesmoke", "linen", "tan", "silver", "skyblue", "powderblue", "thistle", "pink", "peachpuff", "gray")
WOODS = ("#b08054", "#865c3c", "#ceac82", "#604432", "#bcb2a6")
BRICKS = ("#a45c48", "#d0ccc6", "#786e68")


def backdrop(rng: random.Random, size: Size, lying: bool) -> Image.Image:
    """Draw a background, unevenly lit: for something laid out, or for what stands or hangs."""
    upright, floors = (
        (paper, paper, paper, wall, bricks, room, room, room, shop),
        (paper, planks, planks, tiles, carpet),
    )
    return light(rng.choice(floors if lying else upright)(rng, size), unevenness(rng, (3, 3), size, 0.2))


def paper(rng: random.Random, size: Size) -> Image.Image:
    """Draw a seamless paper roll."""
    base = any_colour(rng, *PALE, "white", "white", "dimgray", "teal")
    return gradient(size, shade(base, 1.06), shade(base, rng.uniform(0.78, 0.96)))


def bricks(rng: random.Random, size: Size) -> Image.Image:
    height = size[1] // rng.randint(18, 28)
    wall = _courses(rng, size, any_colour(rng, *BRICKS), height * 2, height)
    return wall.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.5)))


def tiles(rng: random.Random, size: Size) -> Image.Image:
    side = rng.randint(50, 110)
    return _courses(rng, size, any_colour(rng, "whitesmoke", "gray", "tan", "silver"), side, side, (0,))


def planks(rng: random.Random, size: Size) -> Image.Image:
    """Draw a wooden floor, its planks across or upright, with their grain."""
    length, height = max(size) * 2 // 3, max(size) // rng.randint(6, 10)
    square = (max(size), max(size))
    floor = _courses(rng, square, any_colour(rng, *WOODS), length, height, (0.1, 0.8, 0.4, 0.6))
    floor = light(floor, unevenness(rng, (6, 90), square, 0.16))
    return (floor.transpose(Image.Transpose.TRANSPOSE) if rng.random() < 0.5 else floor).crop((0, 0, *size))


def carpet(rng: random.Random, size: Size) -> Image.Image:
    """Draw a deep-pile carpet with a border."""
    image = Image.new("RGB", size, any_colour(rng))
    inset = rng.randint(8, 20)
    border = (inset, inset, size[0] - inset, size[1] - inset)
    ImageDraw.Draw(image).rectangle(border, outline=any_colour(rng), width=inset)
    return light(image, unevenness(rng, size, size, 0.16))


def _courses(
    rng: random.Random, size: Size, base: RGB, length: int, height: int, offsets: Sequence[float] = (0, 0.5)
) -> Image.Image:
    """Draw courses of blocks with joints; each course is set off by its part of a block."""
    image = Image.new("RGB", size, shade(base, 0.72))
    draw = ImageDraw.Draw(image)
    for row, y in enumerate(range(0, size[1], height)):
        for x in range(-round(length * offsets[row % len(offsets)]), size[0], length):
            draw.rectangle((x + 1, y + 1, x + length - 1, y + height - 1), shade(base, rng.uniform(0.88, 1.1)))
    return image


def wall(rng: random.Random, size: Size) -> Image.Image:
    """Draw a painted wall above a floor with a skirting board."""
    image = Image.new("RGB", size, any_colour(rng, *PALE))
    y = int(size[1] * rng.uniform(0.78, 0.92))
    image.paste(_courses(rng, size, any_colour(rng, *WOODS), size[0] // 2, size[1] // 16, (0.1, 0.7)), (0, y))
    ImageDraw.Draw(image).rectangle((-1, y - size[1] // 40, size[0], y), (236, 234, 230), (160, 156, 150))
    return image


def shop(rng: random.Random, size: Size) -> Image.Image:
    """Draw shelves of a shop with folded goods, far out of focus."""
    image = gradient(size, any_colour(rng, "linen", "tan", "silver"), any_colour(rng, "saddlebrown", "peru", "gray"))
    rows = rng.randint(3, 4)
    for row in range(1, rows + 1):
        _shelf(
            rng, ImageDraw.Draw(image), -rng.randint(0, 20), size[0], size[1] * row // rows, size[1] // rows * 2 // 3
        )
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(4, 8)))


def room(rng: random.Random, size: Size) -> Image.Image:
    """Draw a furnished room, a little out of focus."""
    image = wall(rng, size)
    furniture = rng.sample((_window, _bookcase, _plant), k=2)
    for furnish, x in zip(furniture, (rng.uniform(0.0, 0.25), rng.uniform(0.75, 1.0)), strict=True):
        furnish(rng, ImageDraw.Draw(image), *size, int(x * size[0]))
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 2.5)))


def _shelf(rng: random.Random, draw: ImageDraw.ImageDraw, left: int, right: int, y: int, height: int) -> None:
    """Draw books or folded goods on a board whose upper edge is at `y`."""
    x = left
    while x < right:
        width = rng.randint(height // 5, height // 2)
        if rng.random() < 0.85:
            draw.rectangle((x, y - int(height * rng.uniform(0.5, 0.9)), min(right, x + width - 2), y), any_colour(rng))
        x += width
    draw.rectangle((left, y, right, y + height // 10), (120, 92, 66))


def _window(rng: random.Random, draw: ImageDraw.ImageDraw, w: int, h: int, x: int) -> None:
    left, top, right, bottom, frame = x - w // 7, h // 16, x + w // 7, h // 2, (244, 244, 242)
    draw.rectangle((left, top, right, bottom), (196, 222, 238), frame, 6)
    draw.line((x, top, x, bottom), frame, 6)
    curtain = any_colour(rng)
    for edge in (left, right):
        draw.rectangle((edge - w // 28, top - 12, edge + w // 28, bottom + h // 5), curtain)


def _bookcase(rng: random.Random, draw: ImageDraw.ImageDraw, w: int, h: int, x: int) -> None:
    left, right = x - w // 7, x + w // 7
    draw.rectangle((left, h // 8, right, h * 7 // 8), shade(any_colour(rng, *WOODS), 0.6))
    for row in range(1, 5):
        _shelf(rng, draw, left + 5, right - 5, h // 8 + row * h // 6, h // 6)


def _plant(rng: random.Random, draw: ImageDraw.ImageDraw, w: int, h: int, x: int) -> None:
    rim, foot = h * 4 // 5, h * 11 // 12
    for _ in range(14):
        tip_x, tip_y = x + rng.randint(-w // 8, w // 8), rim - rng.randint(h // 12, h // 3)
        green, middle_y = (rng.randint(36, 80), rng.randint(96, 140), rng.randint(50, 80)), (tip_y + rim) // 2
        draw.polygon([(x, rim), (tip_x - 8, middle_y), (tip_x, tip_y), (tip_x + 8, middle_y)], green)
    pot = [(x - w // 18, rim), (x + w // 18, rim), (x + w // 26, foot), (x - w // 26, foot)]
    draw.polygon(pot, any_colour(rng, "saddlebrown", "whitesmoke", "dimgray", "chocolate"))
