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


@pytest.fixture
def parser():
    parser = command_line.make_parser("Does it.", {"--model_dir": "--train_dir is it"})
    group = parser.add_argument_group("training")
    group.add_argument(
        "--num_steps", "--num_train_steps", "-n", type=command_line.positive_int, required=True, help="steps"
    )
    group.add_argument("--train_dir", type=local_path, help="folder")
    parser.add_argument("--tags", action="store_true", help="write tags")
    parser.add_argument("--kept", help=argparse.SUPPRESS)
    return parser


@pytest.mark.parametrize(
    ("argv", "num_steps"),
    [
        (["--num_train_steps", "3"], 3),
        (["--num_train_steps=3"], 3),
        (["-n", "3"], 3),
        (["--num_steps", "3", "--num_train_steps", "4"], 4),
        (["--num_train_steps=4", "--num_steps=3"], 3),
    ],
)
def test_a_flag_has_several_names_and_shows_the_first(parser, argv, num_steps):
    assert parser.parse_args(argv).num_steps == num_steps
    shown = parser.format_help()
    assert "--num_steps N" in shown and "--train_dir DIR" in shown and "-h, --help" in shown
    assert "num_train_steps" not in shown and "-n" not in shown.split() and "--kept" not in shown


@pytest.mark.parametrize(
    ("argv", "lines"),
    [
        (["--num_step", "3"], ["unknown flag --num_step; did you mean --num_steps?"]),
        (["--num_train_step=3"], ["unknown flag --num_train_step; did you mean --num_steps?"]),
        (["--train-dir", "a"], ["unknown flag --train-dir; did you mean --train_dir?"]),
        (["-train_dir=a b"], ["unknown flag -train_dir; did you mean --train_dir?"]),
        (["--Tags"], ["unknown flag --Tags; did you mean --tags?"]),
        (["--kep"], ["unknown flag --kep; --help lists all flags"]),
        (["-n3"], ["unknown flag -n3; did you mean --num_steps?"]),
        (
            ["--model_dir=a", "--xyz", "1", "--tags=yes"],
            [
                "unknown flag --model_dir: --train_dir is it",
                "unknown flag --xyz; --help lists all flags",
                "--tags takes no value: leave out =yes",
            ],
        ),
        ([], ["the following arguments are required: --num_steps"]),
        (["--num_train_steps"], ["--num_steps: expected one argument"]),
        (["-n", "a"], ["--num_steps: invalid integer value: 'a'"]),
        (["-n", "-1"], ["--num_steps: -1 is not at least 1"]),
        (
            ["-n", "1", "--train_dir", "my", "photos"],
            ["unexpected 'photos' after my: write --flag value, and a value with spaces in quotes"],
        ),
        (["photos", "-n", "1"], ["unexpected 'photos': write --flag value, and a value with spaces in quotes"]),
    ],
)
def test_a_wrong_command_ends_with_one_line_a_mistake(parser, argv, lines, capsys):
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(argv)
    assert capsys.readouterr().err.splitlines() == [f"error: {line}" for line in lines]


def test_flags_of_another_program_are_passed_on():
    parser = command_line.make_parser("Does it.", passes_on=True)
    parser.add_argument("--seed", type=int)
    args, rest = parser.parse_known_args(["--seed=1", "--sed", "2"])
    assert (args.seed, rest) == (1, ["--sed", "2"])


def test_names_are_separated_by_commas():
    assert command_line.names_of(["onnx", "tflite"])("onnx, tflite,") == ["onnx", "tflite"]
    with pytest.raises(argparse.ArgumentTypeError, match="caffe, a is not one of onnx, tflite"):
        command_line.names_of(["onnx", "tflite"])("caffe,onnx,a")


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("2.5", 2.5), ("-1", None), ("nan", None), ("inf", None)])
def test_a_number_from_0_on(text, value):
    if value is None:
        with pytest.raises(argparse.ArgumentTypeError):
            command_line.not_negative(text)
    else:
        assert command_line.not_negative(text) == value
