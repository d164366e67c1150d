"""Colours of the classes."""

from __future__ import annotations

import pytest

from scripts.lib.images import palette


def test_a_class_has_the_colour_of_its_position_and_they_repeat_after_the_last():
    names = [f"class {number}" for number in range(len(palette.PALETTE) + 1)]
    colors = palette.class_colors(names)
    assert [colors[name] for name in names] == [*palette.PALETTE, palette.PALETTE[0]]


@pytest.mark.parametrize(("background", "text"), [("#000000", "white"), ("#FFFFFF", "black"), ("#0072B2", "white")])
def test_text_is_legible_on_its_background(background, text):
    assert palette.text_color(background) == text
