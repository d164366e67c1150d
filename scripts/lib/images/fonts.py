"""The font of the text on images and in plots.

DejaVu Sans, which matplotlib brings along, has Latin, Greek, Cyrillic, Arabic and more; --font gives another.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import ImageFont

from scripts.lib.core import command_line

_NAME = "DejaVu Sans"
_font_file: Path | None = None  # of `use`; None: _NAME


def add_flag(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument("--font", type=_existing_font, metavar="FILE", help=f"font of class names (default: {_NAME})")


def _existing_font(text: str) -> Path:
    path = command_line.existing_file(text)
    try:
        ImageFont.truetype(path)
    except OSError:
        raise argparse.ArgumentTypeError(f"{text} is not a font; give a .ttf, .otf or .ttc file") from None
    return path


def use(font_file: Path | None, class_names: Iterable[str]) -> None:
    """Draw all text of this process in this font, None for DejaVu Sans; warn of class names that it cannot draw."""
    global _font_file
    _font_file = font_file
    font = load(24)
    box = bytes(font.getmask("\U0010ffff"))  # what is drawn for a character that no font has
    if lacking := [name for name in class_names if any(bytes(font.getmask(character)) == box for character in name)]:
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # matplotlib's own, once a character
        print(
            f"warning: the font {font.getname()[0]} lacks characters of these classes: {', '.join(lacking)}; they are "
            "drawn as boxes: give a font that has them as --font FILE",
            file=sys.stderr,
        )


def load(size: int) -> ImageFont.FreeTypeFont:
    """Return the font for images; size in pixels."""
    return _load(_font_file or _default_file(), size)


@functools.cache
def _load(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@functools.cache
def _default_file() -> Path:
    """Return matplotlib's own file, without importing matplotlib, which takes a while."""
    package = Path(importlib.util.find_spec("matplotlib").origin).parent
    return package / "mpl-data/fonts/ttf/DejaVuSans.ttf"


def plot_settings() -> dict[str, Any]:
    """Return matplotlib's settings for text in the font; a `$` in a class name is drawn, and begins no formula."""
    families = [_NAME]
    if _font_file:
        from matplotlib import font_manager

        font_manager.fontManager.addfont(_font_file)
        families.insert(0, font_manager.FontProperties(fname=_font_file).get_name())
    return {"font.family": families, "text.parse_math": False}
