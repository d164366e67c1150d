"""Words of messages."""

from __future__ import annotations

import pytest

from scripts.lib.core import wording


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "image", "1 image"),
        (0, "image", "0 images"),
        (2, "box", "2 boxes"),
        (3, "class", "3 classes"),
        (2, "category", "2 categories"),
        (1, "box", "1 box"),
    ],
)
def test_one_thing_is_in_the_singular(number, noun, text):
    assert wording.counted(number, noun) == text


def test_a_long_list_is_cut_short_and_says_where_the_rest_is():
    names = [str(number) for number in range(11)]
    assert wording.listed(names[:10], "a.json") == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert wording.listed(names, "a.json") == "0, 1, 2 and 8 more, see a.json"


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066", "\r"])
def test_what_steers_a_terminal_is_escaped(character):
    for text in (wording.printable(f"a{character}b"), wording.one_line(f"a{character}b")):
        assert text.isprintable() and text[1] == "\\" and f"'{text}'" == repr(f"a{character}b")


def test_lines_and_letters_of_any_script_stay():
    text = "Röcke\t赤 ‏עברית 👗\r\nb\n"
    assert wording.printable(text) == text
    assert wording.one_line("a\tb\r\nc") == "a\\tb\\r\\nc"
