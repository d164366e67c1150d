"""Colours of the classes."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest

from scripts.lib.core import files
from scripts.lib.images import palette

# How people see linear RGB who lack one kind of cone: Machado, Oliveira and Fernandes, "A Physiologically-based Model
# for Simulation of Color Vision Deficiency" (2009), severity 1.
MACHADO = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def oklab(red, green, blue):
    """Linear RGB in OKLab (Ottosson 2020), where colours that look alike are close."""
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def colors(count):
    return list(palette.class_colors(f"class {number}" for number in range(count)).values())


def least_difference(some_colors, vision="normal"):
    linear = np.array([palette.linear_rgb(color) for color in some_colors]) @ np.transpose(MACHADO[vision])
    return min(math.dist(*pair) for pair in itertools.combinations([oklab(*c) for c in linear.clip(0, 1)], 2))


def test_a_class_has_the_colour_of_its_position():
    assert palette.class_colors(["Tops", "Skirts", "Tops"]) == {
        "Tops": palette.PALETTE[0],
        "Skirts": palette.PALETTE[1],
    }
    assert tuple(colors(8)) == palette.PALETTE
    assert colors(30)[:20] == colors(20), "more classes change no colour"


@pytest.mark.parametrize(("vision", "difference"), [("normal", 0.19), *((name, 0.08) for name in list(MACHADO)[1:])])
def test_the_first_eight_differ_for_all_eyes(vision, difference):
    assert least_difference(colors(8), vision) > difference


@pytest.mark.parametrize(("count", "difference"), [(20, 0.1), (40, 0.06), (48, 0.05)])
def test_more_than_eight_differ(count, difference):
    assert least_difference(colors(count)) > difference


def test_more_classes_than_colours_begin_again():
    assert len(set(colors(48))) == 48
    assert colors(100)[48:56] == colors(8)


def test_lines_and_texts_are_legible_on_light_and_dark_pages():
    for color in colors(100):
        assert min(palette.contrast(color, ground) for ground in palette.GROUNDS) >= 3
        text = {"black": "#000000", "white": "#ffffff"}[palette.text_color(color)]
        assert palette.contrast(color, text) >= 4.5


def test_the_grounds_are_those_of_the_pages():
    page = files.default_path("scripts/lib/pages/templates/base.html").read_text(encoding="utf-8")
    assert set(re.findall(r"--(?:ground|card): (#\w+)", page)) == set(palette.GROUNDS)


def test_contrast_and_oklab_are_right():
    assert palette.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert palette.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WCAG's well-known near miss
    assert oklab(*palette.linear_rgb("#FF0000")) == pytest.approx((0.628, 0.225, 0.126), abs=5e-4)  # CSS Color 4
    assert oklab(1, 1, 1) == pytest.approx((1, 0, 0), abs=1e-4)


@pytest.mark.parametrize(("background", "text"), [("#000000", "white"), ("#FFFFFF", "black"), ("#0072B2", "white")])
def test_text_is_legible_on_its_background(background, text):
    assert palette.text_color(background) == text
