"""The flags of the Object Detection API's entry points, read before TensorFlow is imported.

The scripts take the flags of `legacy/train.py`, `legacy/eval.py` and `export_inference_graph.py`, in every spelling
that absl, by which the API reads them, allows: `--flag=value`, `--flag value`, `-flag`, `--flag`, `--noflag`,
`--flag=false`. Names, defaults and meanings are those of the API's source.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class ApiFlag(NamedTuple):
    """One flag. The default's type is the flag's; None: a text that may be left out."""

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
    """Add the API's flags to a parser, and `--verbose`."""
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
    parser.add_argument("--verbose", action="store_true", help="show deprecation warnings and the like, too")


def double_dashed(argv: Sequence[str] | None) -> list[str]:
    """Return the arguments (None: the process's own) with `--flag` for `-flag`, which absl takes, too."""
    return [re.sub(r"^-(?=[a-z]\w)", "--", word) for word in (sys.argv[1:] if argv is None else argv)]


def require_one_of(parser: argparse.ArgumentParser, values: Mapping[str, object], *alternatives: Sequence[str]) -> None:
    """End with a usage error unless all flags of one of the alternatives have a value."""
    if not any(all(values[name] for name in names) for names in alternatives):
        parser.error("give " + ", or ".join(" and ".join(f"--{name}" for name in names) for names in alternatives))


def to_argv(flags: Sequence[ApiFlag], values: Mapping[str, object]) -> list[str]:
    """Return the flags whose values (name -> value) differ from the API's defaults, as the API reads them."""
    return [f"--{flag.name}={values[flag.name]}" for flag in flags if values[flag.name] != flag.default]


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "t", "1", "yes", "y"):
        return True
    if text.lower() in ("false", "f", "0", "no", "n"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
