"""The API's flags, spelled in every way that absl allows, and what is passed on to it."""

from __future__ import annotations

import pytest

from scripts.lib.core import command_line
from scripts.lib.object_detection_api import flags


def parse(argv, *alternatives):
    parser = command_line.make_parser("Test.")
    flags.add_to(parser, flags.EVAL)
    args = parser.parse_args(flags.double_dashed(argv))
    if alternatives:
        flags.require_one_of(parser, vars(args), *alternatives)
    return args


@pytest.mark.parametrize(
    ("argv", "run_once"),
    [
        (["--run_once"], True),
        (["-run_once"], True),
        (["--run_once=true"], True),
        (["--run_once=True"], True),
        (["--run_once=1"], True),
        (["--norun_once"], False),
        (["--run_once=false"], False),
        (["--run_once", "--norun_once"], False),
        ([], False),
    ],
)
def test_booleans(argv, run_once):
    assert parse(argv).run_once is run_once


@pytest.mark.parametrize("argv", [["--eval_dir=a b"], ["--eval_dir", "a b"], ["-eval_dir=a b"], ["-eval_dir", "a b"]])
def test_texts(argv):
    assert parse(argv).eval_dir == "a b"


def test_only_what_differs_from_the_default_is_passed_on():
    args = parse(["--eval_dir=out", "--run_once", "--noeval_training_data"])
    argv = flags.to_argv(flags.EVAL, {**vars(args), "pipeline_config_path": "C:/x/pipeline.config"})
    assert argv == ["--pipeline_config_path=C:/x/pipeline.config", "--eval_dir=out", "--run_once=True"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--eval_dir=x"], "give --checkpoint_dir"),
        (["--run_once=maybe"], "'maybe' is neither true nor false"),
        (["--evaldir=x"], "unknown flag --evaldir; did you mean --eval_dir?"),
    ],
)
def test_wrong_usage_ends_with_status_2(argv, message, capsys):
    with pytest.raises(SystemExit) as end:
        parse(argv, ["checkpoint_dir"])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_alternatives_of_a_required_flag(capsys):
    alternatives = (["pipeline_config_path"], ["model_config_path", "input_config_path"])
    assert parse(["--pipeline_config_path=a"], *alternatives)
    assert parse(["--model_config_path=a", "--input_config_path=b"], *alternatives)
    with pytest.raises(SystemExit):
        parse(["--model_config_path=a"], *alternatives)
    expected = "give --pipeline_config_path, or --model_config_path and --input_config_path"
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "ours"),
    [
        ("object_detection.legacy.train", flags.TRAIN),
        ("object_detection.legacy.eval", flags.EVAL),
        ("object_detection.export_inference_graph", flags.EXPORT),
    ],
)
def test_names_and_defaults_are_those_of_the_api(module, ours, tf):
    """Read from the API's source, since its modules cannot be imported together (they define the same flags)."""
    import ast
    import importlib.util
    from pathlib import Path

    calls = [
        node
        for node in ast.walk(ast.parse(Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("flags.DEFINE_")
    ]
    theirs = {ast.literal_eval(call.args[0]): ast.literal_eval(call.args[1]) for call in calls}
    assert {flag.removeprefix("--"): default for flag, (default, _) in ours.items()} == theirs
