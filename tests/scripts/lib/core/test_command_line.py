"""How a script's help shows its flags, and what a flag takes for a number."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path


@pytest.mark.parametrize(
    ("default", "shown"),
    [
        (files.default_path("data/train.record"), "(default: data/train.record)"),
        (Path("elsewhere/a b.csv"), "(default: elsewhere/a b.csv)"),
        (0.5, "(default: 0.5)"),
        (None, ""),
    ],
)
def test_default_paths_are_shown_as_in_the_repository(default, shown, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    parser = command_line.make_parser("Does it.\n\nIn: a, 100% of it.")
    parser.add_argument("--flag", default=default, help="what it is")
    text = " ".join(parser.format_help().split())
    assert text.endswith("In: a, 100% of it.") and f"what it is {shown}".strip() in text
    assert str(files.REPOSITORY_ROOT) not in text
    assert parser.parse_args([]).flag == default


def test_an_address_is_no_path_on_the_disk(capsys):
    parser = command_line.make_parser("Does it.")
    parser.add_argument_group("paths").add_argument("--output_dir", type=local_path)
    assert parser.parse_args(["--output_dir", "a/b"]).output_dir == Path("a/b")
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--output_dir", "gs://shop/a"])
    assert "--output_dir: gs://shop/a is an address; give a path on this machine's disk" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("2.5", 2.5), ("-1", None), ("nan", None), ("inf", None)])
def test_a_number_from_0_on(text, value):
    if value is None:
        with pytest.raises(argparse.ArgumentTypeError):
            command_line.not_negative(text)
    else:
        assert command_line.not_negative(text) == value
