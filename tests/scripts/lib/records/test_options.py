"""Flags of what goes into a record."""

from __future__ import annotations

import argparse

import pytest

from scripts.lib.records import options


def parse(*flags):
    parser = argparse.ArgumentParser()
    options.add_flags(parser)
    return parser.parse_args(flags)


def test_without_flags_nothing_is_left_out_shrunk_or_repeated():
    args = parse()
    assert not args.skip_invalid and not args.trust_images
    assert args.max_image_side is args.oversample is None


def test_oversample_takes_a_share_or_chooses_one():
    assert parse("--oversample").oversample == options.AUTOMATIC
    assert parse("--oversample=1").oversample == 1


@pytest.mark.parametrize(
    "flag",
    ["--oversample=0", "--oversample=1.1", "--oversample=nan", "--max_image_side=0"],
)
def test_a_number_that_makes_no_sense_is_refused_by_its_flag(flag, capsys):
    with pytest.raises(SystemExit) as caught:
        parse(flag)
    name, _, value = flag.partition("=")
    assert caught.value.code == 2
    assert f"argument {name}: " in (message := capsys.readouterr().err) and f"{value} is " in message
