"""The font of class names."""

from __future__ import annotations

import argparse
import io
import warnings
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

from scripts.lib.images import fonts

MONO = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSansMono.ttf")
LATIN_ONLY = Path(matplotlib.get_data_path(), "fonts/ttf/cmr10.ttf")


@pytest.fixture(autouse=True)
def default_afterwards():
    yield
    fonts.use(None, [])


def test_latin_greek_cyrillic_and_arabic_are_drawn_without_a_flag(capsys):
    fonts.use(None, ["Röcke", "Crêpe Œ", "Φορέματα", "Юбка", "Čižmy", "فستان", "T-Shirt & Co"])
    assert capsys.readouterr().err == ""


def test_names_that_the_font_lacks_are_said_once_with_the_remedy(capsys):
    fonts.use(None, ["Tops", "裙子", "T恤"])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: the font DejaVu Sans lacks characters of these classes: 裙子, T恤; they are")
    assert "--font FILE" in line
    with warnings.catch_warnings(record=True) as said:
        fonts.use(None, ["裙子"])
        with matplotlib.rc_context(fonts.plot_settings()):
            figure = Figure()
            figure.text(0.1, 0.5, "裙子")
            figure.savefig(io.BytesIO(), format="png")
    assert said == []


def test_another_font_draws_images_and_plots(capsys):
    normal = fonts.load(20).getlength("iiii")
    fonts.use(MONO, ["Röcke"])
    assert fonts.load(20).getlength("iiii") == fonts.load(20).getlength("MMMM") != normal
    assert fonts.plot_settings()["font.family"] == ["DejaVu Sans Mono", "DejaVu Sans"]
    fonts.use(LATIN_ONLY, ["Tops", "Юбка"])
    assert ": Юбка; " in capsys.readouterr().err


def test_a_dollar_in_a_plot_begins_no_formula():
    def drawn(text, **settings):
        with matplotlib.rc_context({**fonts.plot_settings(), **settings}):
            figure = Figure()
            figure.text(0.1, 0.5, text)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", metadata={"Software": None})
            return buffer.getvalue()

    assert drawn("$a$") == drawn(r"\$a\$", **{"text.parse_math": True}) != drawn("$a$", **{"text.parse_math": True})


def test_the_flag_takes_font_files_only(tmp_path):
    parser = argparse.ArgumentParser(exit_on_error=False)
    fonts.add_flag(parser)
    assert parser.parse_args(["--font", str(MONO)]).font == MONO
    (tmp_path / "a.ttf").write_bytes(b"no font")
    for wrong in ("a.ttf", "missing.ttf"):
        with pytest.raises(argparse.ArgumentError, match="is not a font; give a .ttf|no file"):
            parser.parse_args(["--font", str(tmp_path / wrong)])
