"""From garment units to pixels."""

from __future__ import annotations

import random

from PIL import Image

from scripts.lib.sample_photos.fabrics import Fabric
from scripts.lib.sample_photos.rendering import Placement, cast_shadow, paint, silhouette
from scripts.lib.sample_photos.shapes import Line, Piece

RED = Fabric("plain", ((200, 0, 0),))
SQUARE = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]
WHITE = (255, 255, 255)


def upright(x: float, y: float, scale: float) -> Placement:
    return Placement((x, y), ((scale, 0), (0, scale)), scale)


def painted(items: list[Piece | Line], placement: Placement) -> Image.Image:
    canvas = Image.new("RGB", (100, 100), WHITE)
    paint(canvas, items, placement, random.Random(1))
    return canvas


def test_a_placement_moves_scales_and_slants():
    assert Placement((10, 20), ((2, 0), (1, 2)), 2)([(0, 0), (3, 4)]) == [(10, 20), (20, 28)]


def test_a_silhouette_holds_cloth_and_no_lines():
    items = [Piece(SQUARE, RED), Line([(0, 0), (9, 9)])]
    assert silhouette(items, upright(10, 10, 10), (100, 100)).getbbox() == (10, 10, 31, 31)


def test_cloth_is_painted_in_its_colour_inside_its_silhouette_and_a_button_on_top():
    canvas = painted([Piece(SQUARE, RED), Line([(1, 1)], 0.6, (0, 0, 255, 255))], upright(20, 20, 20))
    red, green, blue = canvas.getpixel((28, 28))
    assert red - max(green, blue) > 80
    assert canvas.getpixel((40, 40))[2] > 200
    assert canvas.getpixel((15, 40)) == canvas.getpixel((65, 40)) == WHITE


def test_what_lies_behind_lace_shows_through():
    behind = painted([Piece(SQUARE, RED)], upright(20, 20, 20))
    black = ((0, 0, 0),)
    opaque, sheer = (
        painted([Piece(SQUARE, RED), Piece(SQUARE, Fabric(pattern, black))], upright(20, 20, 20))
        for pattern in ("plain", "lace")
    )
    box = (25, 25, 55, 55)
    reds = [sum(image.crop(box).getchannel("R").get_flattened_data()) for image in (opaque, sheer, behind)]
    assert reds[0] < reds[1] < reds[2]


def test_nothing_is_painted_outside_the_canvas():
    for placement in (upright(-900, 0, 20), upright(0, 900, 20)):
        assert painted([Piece(SQUARE, RED)], placement).getcolors() == [(100 * 100, WHITE)]


def test_pleats_are_light_and_shadow_from_side_to_side():
    def turns(folds: int) -> int:
        """Count where a row changes between brighter and darker."""
        canvas = painted([Piece(SQUARE, RED, folds, pleated=folds > 0)], upright(10, 10, 40))
        row = [canvas.getpixel((x, 75))[0] for x in range(20, 80, 3)]
        steps = [b - a for a, b in zip(row, row[1:], strict=False) if abs(b - a) > 2]
        return sum(a * b < 0 for a, b in zip(steps, steps[1:], strict=False))

    assert turns(3) >= 3 > 1 >= turns(0)


def test_a_shadow_falls_below_and_to_the_right():
    canvas = Image.new("RGB", (160, 160), WHITE)
    mask = silhouette([Piece(SQUARE, RED)], upright(40, 40, 40), canvas.size)
    cast_shadow(canvas, mask, 16)
    left, right, far = (canvas.getpixel((x, 80))[0] for x in (34, 126, 158))
    assert right < left <= 255 and right < 235 and far > 250


def test_what_is_outside_the_canvas_casts_no_shadow():
    canvas = Image.new("RGB", (160, 160), WHITE)
    cast_shadow(canvas, Image.new("L", canvas.size), 16)
    assert canvas.getcolors() == [(160 * 160, WHITE)]
