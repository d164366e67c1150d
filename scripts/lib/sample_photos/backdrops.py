"""Backgrounds, RGB of the image's size: studio, walls, floors, furnished rooms."""

from __future__ import annotations

import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from scripts.lib.sample_photos.fabrics import any_colour, blend, faint, gradient, light, noise, shade

Size = tuple[int, int]

PALE = ("white", "cream", "beige", "silver", "sky", "mint", "lavender", "pink", "nude", "grey")
WOODS = ((176, 128, 84), (134, 92, 60), (206, 172, 130), (96, 68, 50), (188, 178, 166))


def standing(rng: random.Random, size: Size) -> Image.Image:
    """Draw a background for a person, or for something that hangs."""
    return rng.choice((studio, studio, studio, wall, brick_wall, room, room, room, shop))(rng, size)


def lying(rng: random.Random, size: Size) -> Image.Image:
    """Draw a background for something laid out."""
    return rng.choice((studio, wooden_floor, wooden_floor, bed_sheet, tiles, carpet))(rng, size)


def studio(rng: random.Random, size: Size) -> Image.Image:
    """Draw a seamless paper roll: a soft gradient with a glow behind the garment."""
    base = any_colour(rng, *PALE, "white", "white", "charcoal", "teal")
    return _lit(rng, gradient(size, shade(base, 1.06), shade(base, rng.uniform(0.78, 0.96))), 14)


def wall(rng: random.Random, size: Size) -> Image.Image:
    """Draw a painted wall above a floor with a skirting board."""
    image = Image.new("RGB", size, any_colour(rng, *PALE))
    floor_y = int(size[1] * rng.uniform(0.78, 0.92))
    image.paste(wooden_floor(rng, (size[0], size[1] - floor_y), planks=3), (0, floor_y))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, floor_y - size[1] // 40, size[0], floor_y), fill=(236, 234, 230), outline=(160, 156, 150))
    return _lit(rng, image, 30)


def brick_wall(rng: random.Random, size: Size) -> Image.Image:
    base = rng.choice(((164, 92, 72), (208, 204, 198), (120, 110, 104)))
    height = max(8, size[1] // rng.randint(18, 28))
    image = Image.new("RGB", size, blend(base, (200, 196, 190), 0.6))
    draw = ImageDraw.Draw(image)
    for row in range(size[1] // height + 1):
        for column in range(-1, size[0] // (height * 2) + 2):
            x, y = column * height * 2 + (row % 2) * height, row * height
            draw.rectangle((x + 1, y + 1, x + height * 2 - 2, y + height - 2), fill=shade(base, rng.uniform(0.86, 1.1)))
    return _lit(rng, image.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 2))), 30)


def room(rng: random.Random, size: Size) -> Image.Image:
    """Draw a furnished room, a little out of focus."""
    image = wall(rng, size)
    draw = ImageDraw.Draw(image)
    furnishings = (_window, _picture, _shelf, _plant, _lamp, _door, _armchair, _mirror)
    for furniture in rng.sample(furnishings, k=rng.randint(2, 4)):
        furniture(rng, draw, *size, rng.choice((rng.uniform(0.0, 0.25), rng.uniform(0.7, 0.95))))
    return _lit(rng, image.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 2.6))), 30)


def shop(rng: random.Random, size: Size) -> Image.Image:
    """Draw shelves of a shop with folded goods, far out of focus."""
    image = gradient(size, any_colour(rng, "cream", "beige", "silver"), any_colour(rng, "brown", "camel", "grey"))
    draw = ImageDraw.Draw(image)
    rows, width, height = rng.randint(3, 5), *size
    for row in range(rows):
        y = height * (row + 1) // (rows + 1)
        x = rng.randint(-20, 10)
        while x < width:
            step, tall = rng.randint(width // 16, width // 7), rng.randint(height // 24, height // 9)
            if rng.random() < 0.75:
                draw.rectangle((x, y - tall, x + step - 4, y), fill=any_colour(rng))
            x += step
        draw.rectangle((0, y, width, y + height // 60), fill=(120, 92, 66))
    return _lit(rng, image.filter(ImageFilter.GaussianBlur(rng.uniform(3, 6))), 30)


def wooden_floor(rng: random.Random, size: Size, planks: int | None = None) -> Image.Image:
    base, count = rng.choice(WOODS), planks or rng.randint(5, 9)
    image = Image.new("RGB", size, base)
    draw = ImageDraw.Draw(image)
    upright = planks is None and rng.random() < 0.5
    across, length = (size[0], size[1]) if upright else (size[1], size[0])
    for plank in range(count):
        low, high = across * plank // count, across * (plank + 1) // count
        cut = rng.randint(0, length)
        for start, end in ((0, cut), (cut, length)):
            box = (low, start, high, end) if upright else (start, low, end, high)
            draw.rectangle(box, fill=shade(base, rng.uniform(0.86, 1.12)), outline=shade(base, 0.55))
    long = (size[0], size[1] * 8) if upright else (size[0] * 8, size[1])
    grain = noise(rng, (32, 32)).resize(long, Image.Resampling.BILINEAR).resize(size)
    fine = noise(rng, (64, 8) if upright else (8, 64)).resize(size, Image.Resampling.BILINEAR)
    return light(image, faint(ImageChops.add(grain, fine, 2), 1, 4))


def bed_sheet(rng: random.Random, size: Size) -> Image.Image:
    """Draw a crumpled sheet."""
    image = Image.new("RGB", size, any_colour(rng, "white", "cream", "silver", "pink", "sky"))
    creases = Image.new("L", (size[0] // 4, size[1] // 4), 128)
    draw = ImageDraw.Draw(creases)
    for _ in range(rng.randint(10, 22)):
        ends = [(rng.randint(0, creases.width), rng.randint(0, creases.height)) for _ in range(2)]
        draw.line(ends, fill=rng.choice((96, 104, 150)), width=rng.randint(2, 6))
    creases = creases.filter(ImageFilter.GaussianBlur(3)).resize(size, Image.Resampling.BILINEAR)
    return _lit(rng, light(image, creases), 24)


def tiles(rng: random.Random, size: Size) -> Image.Image:
    base, side = any_colour(rng, "white", "grey", "beige", "silver"), rng.randint(50, 110)
    image = Image.new("RGB", size, shade(base, 0.75))
    draw = ImageDraw.Draw(image)
    for x in range(-rng.randint(0, side), size[0], side):
        for y in range(-10, size[1], side):
            draw.rectangle((x + 1, y + 1, x + side - 2, y + side - 2), fill=shade(base, rng.uniform(0.94, 1.06)))
    return _lit(rng, image, 24)


def carpet(rng: random.Random, size: Size) -> Image.Image:
    """Draw a deep-pile carpet with a border."""
    base = any_colour(rng)
    image = Image.new("RGB", size, base)
    draw = ImageDraw.Draw(image)
    for inset, colour in ((14, any_colour(rng)), (24, base)):
        draw.rectangle((inset, inset, size[0] - inset, size[1] - inset), fill=colour)
    pile = faint(noise(rng, (size[0] // 2, size[1] // 2)), 1, 4)
    return _lit(rng, light(image, pile.resize(size)), 24)


def _window(rng: random.Random, draw: ImageDraw.ImageDraw, w: int, h: int, x: float) -> None:
    left, top, right, bottom = int(x * w - 0.14 * w), int(0.06 * h), int(x * w + 0.14 * w), int(0.5 * h)
    draw.rectangle((left - 6, top - 6, right + 6, bottom + 6), fill=(244, 244, 242))
    draw.rectangle((left, top, right, bottom), fill=(196, 222, 238))
    draw.line(((left + right) // 2, top, (left + right) // 2, bottom), fill=(244, 244, 242), width=6)
    curtain = any_colour(rng)
    draw.rectangle((left - w // 14, top - 12, left + 4, bottom + h // 5), fill=curtain)
    draw.rectangle((right - 4, top - 12, right + w // 14, bottom + h // 5), fill=curtain)


def _picture(rng: random.Random, draw: ImageDraw.ImageDraw, w: int, h: int, x: float) -> None:
    left, top, side = int(x * w - 0.08 * w), int(rng.uniform(0.06, 0.3) * h), int(rng.uniform(0.12, 0.22) * w)
    draw.rectangle((left, top, left + side, top + side * 5 // 4), fill=(250, 250, 248), outline=(60, 50, 44), width=4)
    draw.ellipse((left + side // 4, top + side // 3, left + side * 3 // 4, top + side * 5 // 6), fill=any_colour(rng))


def _shelf(rng: random.Random, draw: ImageDraw.ImageDraw, w: int, h: int, x: float) -> None:
    left, right, top = int((x - 0.14) * w), int((x + 0.14) * w), int(0.15 * h)
    wood = rng.choice(WOODS)
    draw.rectangle((left, top, right, int(0.88 * h)), fill=shade(wood, 0.7))
    for row in range(4):
        y = top + (row + 1) * int(0.18 * h)
        position = left + 4
        while position < right - 14:
            book = rng.randint(6, 16)
            book_top = y - rng.randint(int(0.07 * h), int(0.15 * h))
            draw.rectangle((position, book_top, position + book, y), fill=any_colour(rng))
            position += book + rng.choice((1, 1, 2, 14))
        draw.rectangle((left, y, right, y + 6), fill=wood)


def _plant(rng: random.Random, draw: ImageDraw.ImageDraw, w: int, h: int, x: float) -> None:
    foot, middle = int(0.92 * h), int(x * w)
    rim, wide, narrow = foot - h // 8, w // 18, w // 26
    pot = any_colour(rng, "brown", "white", "charcoal", "orange")
    outline = [(middle - wide, rim), (middle + wide, rim), (middle + narrow, foot), (middle - narrow, foot)]
    draw.polygon(outline, fill=pot)
    for _ in range(14):
        x, y = middle + rng.randint(-w // 8, w // 8), rim - rng.randint(h // 12, h // 3)
        green = (rng.randint(36, 80), rng.randint(96, 140), rng.randint(50, 80))
        draw.polygon([(middle, rim), (x - 8, (y + rim) // 2), (x, y), (x + 8, (y + rim) // 2)], fill=green)


def _lamp(rng: random.Random, draw: ImageDraw.ImageDraw, w: int, h: int, x: float) -> None:
    middle, top = int(x * w), int(0.22 * h)
    draw.line((middle, top, middle, int(0.92 * h)), fill=(60, 58, 56), width=4)
    narrow, wide, end = w // 22, w // 11, top + h // 8
    lampshade = [(middle - narrow, top), (middle + narrow, top), (middle + wide, end), (middle - wide, end)]
    draw.polygon(lampshade, fill=(250, 232, 180))


def _door(rng: random.Random, draw: ImageDraw.ImageDraw, w: int, h: int, x: float) -> None:
    left, right, colour = int((x - 0.13) * w), int((x + 0.13) * w), rng.choice(((238, 236, 230), *WOODS))
    draw.rectangle((left, int(0.1 * h), right, int(0.9 * h)), fill=colour, outline=shade(colour, 0.7), width=4)
    for low, high in ((0.15, 0.45), (0.52, 0.84)):
        draw.rectangle((left + 14, int(low * h), right - 14, int(high * h)), outline=shade(colour, 0.8), width=3)
    draw.ellipse((right - 14, int(0.5 * h), right - 6, int(0.5 * h) + 8), fill=(190, 170, 110))


def _armchair(rng: random.Random, draw: ImageDraw.ImageDraw, w: int, h: int, x: float) -> None:
    left, right, colour = int((x - 0.2) * w), int((x + 0.2) * w), any_colour(rng)
    draw.rounded_rectangle((left, int(0.56 * h), right, int(0.86 * h)), 22, fill=shade(colour, 0.85))
    draw.rounded_rectangle((left + w // 20, int(0.72 * h), right - w // 20, int(0.82 * h)), 10, fill=colour)
    for leg in (left + 12, right - 16):
        draw.rectangle((leg, int(0.86 * h), leg + 6, int(0.93 * h)), fill=(70, 50, 36))


def _mirror(rng: random.Random, draw: ImageDraw.ImageDraw, w: int, h: int, x: float) -> None:
    box = (int((x - 0.1) * w), int(0.15 * h), int((x + 0.1) * w), int(0.6 * h))
    draw.ellipse(box, fill=(214, 224, 228), outline=rng.choice(WOODS), width=8)


def _lit(rng: random.Random, image: Image.Image, strength: int) -> Image.Image:
    """Light the image unevenly, brighter in some places and darker in others."""
    return light(image, faint(noise(rng, (3, 3)).resize(image.size, Image.Resampling.BICUBIC), strength, 128))
