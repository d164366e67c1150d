"""The flags of the Object Detection API's entry points, read before TensorFlow is imported.

The scripts take the very flags of `legacy/train.py`, `legacy/eval.py` and `export_inference_graph.py`, spelled in any
way that absl, which the API reads them with, allows: `--flag=value`, `--flag value`, `-flag`, `--flag`, `--noflag`,
`--flag=false`. Names, defaults and meanings are those of the API's source.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple


class ApiFlag(NamedTuple):
    """One flag: its name, its default (whose type is the flag's; None: text that may be left out), and its meaning."""

    name: str
    default: str | int | bool | None
    help: str


_PIPELINE = ApiFlag("pipeline_config_path", "", "pipeline config (TrainEvalPipelineConfig); others are then ignored")
_MODEL = ApiFlag("model_config_path", "", "model config (DetectionModel), without a pipeline config")
_INPUT = ApiFlag("input_config_path", "", "input config (InputReader), without a pipeline config")

TRAIN = (
    _PIPELINE,
    ApiFlag("train_dir", "", "folder for checkpoints and event files; training goes on from a checkpoint in it"),
    ApiFlag("train_config_path", "", "training config (TrainConfig), without a pipeline config"),
    _INPUT,
    _MODEL,
    ApiFlag("num_clones", 1, "clones of the model to deploy on this machine, one a GPU"),
    ApiFlag("clone_on_cpu", False, "force the clones onto the CPU"),
    ApiFlag("master", "", "name of the TensorFlow master"),
    ApiFlag("task", 0, "task id"),
    ApiFlag("worker_replicas", 1, "number of worker and trainer replicas"),
    ApiFlag("ps_tasks", 0, "number of parameter servers"),
)

EVAL = (
    _PIPELINE,
    ApiFlag("checkpoint_dir", "", "folder with the checkpoints to evaluate: the training's train_dir"),
    ApiFlag("eval_dir", "", "folder for the event files and metrics.json"),
    ApiFlag("run_once", False, "evaluate the latest checkpoint and end, instead of waiting for further ones"),
    ApiFlag("eval_training_data", False, "evaluate on the training data"),
    ApiFlag("eval_config_path", "", "evaluation config (EvalConfig), without a pipeline config"),
    _INPUT,
    _MODEL,
)

EXPORT = (
    _PIPELINE._replace(default=None),
    ApiFlag("trained_checkpoint_prefix", None, "checkpoint, e.g. train/model.ckpt-800, or a folder: its latest one"),
    ApiFlag("output_directory", None, "folder for the exported model"),
    ApiFlag("input_type", "image_tensor", "image_tensor, encoded_image_string_tensor or tf_example"),
    ApiFlag("input_shape", None, "fixed shape of an image_tensor, e.g. 1,300,300,3; -1 for an unknown side"),
    ApiFlag("config_override", "", "text proto that is merged into the pipeline config"),
    ApiFlag("write_inference_graph", False, "write the graph as text, too"),
    ApiFlag("additional_output_tensor_names", None, "further tensors to output, separated by commas"),
    ApiFlag("use_side_inputs", False, "use side inputs as well as images"),
    ApiFlag("side_input_shapes", None, "shapes of the side inputs, separated by /"),
    ApiFlag("side_input_types", None, "types of the side inputs: string, integer or float"),
    ApiFlag("side_input_names", None, "names of the side inputs, separated by commas"),
)


def add_to(parser: argparse.ArgumentParser, flags: Sequence[ApiFlag]) -> None:
    """Adds the API's flags to a parser."""
    group = parser.add_argument_group("flags of the Object Detection API")
    for name, default, meaning in flags:
        if isinstance(default, bool):
            group.add_argument(
                f"--{name}", nargs="?", const=True, default=default, type=_boolean, metavar="true|false", help=meaning
            )
            group.add_argument(
                f"--no{name}", dest=name, action="store_false", default=argparse.SUPPRESS, help=argparse.SUPPRESS
            )
        else:
            kind = int if isinstance(default, int) else str
            group.add_argument(f"--{name}", default=default, type=kind, metavar=kind.__name__.upper(), help=meaning)


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None, required: Sequence[str]) -> argparse.Namespace:
    """Parses the arguments.

    Args:
        parser: with the API's flags added.
        argv: as on the command line; None: the process's own.
        required: flags that must be given. "a|b+c" stands for `a`, or `b` and `c` together.
    """
    parser.add_argument("--verbose", action="store_true", help="show deprecation warnings and the like, too")
    words = sys.argv[1:] if argv is None else argv
    args = parser.parse_args([re.sub(r"^-(?=[a-z]\w)", "--", word) for word in words])  # absl takes -flag, too
    for choice in required:
        if not any(all(getattr(args, name) for name in names.split("+")) for names in choice.split("|")):
            first, _, others = choice.partition("|")
            parser.error(f"--{first} is missing" + (f", or else --{others.replace('+', ' and --')}" if others else ""))
    return args


def to_argv(flags: Sequence[ApiFlag], values: argparse.Namespace, **overrides: object) -> list[str]:
    """The flags that differ from the API's defaults, as the API reads them.

    Args:
        flags: the entry point's flags.
        values: the parsed arguments.
        **overrides: values by name that take the place of the parsed ones.
    """
    chosen = {flag.name: overrides.get(flag.name, getattr(values, flag.name)) for flag in flags}
    return [f"--{flag.name}={chosen[flag.name]}" for flag in flags if chosen[flag.name] != flag.default]


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "t", "1", "yes", "y"):
        return True
    if text.lower() in ("false", "f", "0", "no", "n"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
