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

from scripts.lib.core.command_line import boolean

# flag -> (default, help). The default's type is the flag's; None: a text that may be left out.
ApiFlags = Mapping[str, tuple[str | int | bool | None, str]]

_CONFIGS: ApiFlags = {
    "--pipeline_config_path": ("", "pipeline config (TrainEvalPipelineConfig); others are then ignored"),
    "--model_config_path": ("", "model config (DetectionModel), without a pipeline config"),
    "--input_config_path": ("", "input config (InputReader), without a pipeline config"),
}

TRAIN: ApiFlags = {
    **_CONFIGS,
    "--train_config_path": ("", "training config (TrainConfig), without a pipeline config"),
    "--train_dir": ("", "folder for checkpoints and event files; training goes on from a checkpoint in it"),
    "--num_clones": (1, "clones of the model to deploy on this machine, one a GPU"),
    "--clone_on_cpu": (False, "force the clones onto the CPU"),
    "--master": ("", "name of the TensorFlow master"),
    "--task": (0, "task id"),
    "--worker_replicas": (1, "number of worker and trainer replicas"),
    "--ps_tasks": (0, "number of parameter servers"),
}

EVAL: ApiFlags = {
    **_CONFIGS,
    "--eval_config_path": ("", "evaluation config (EvalConfig), without a pipeline config"),
    "--checkpoint_dir": ("", "folder with the checkpoints to evaluate: the training's train_dir"),
    "--eval_dir": ("", "folder for the event files and metrics.json"),
    "--run_once": (False, "evaluate the latest checkpoint and end, instead of waiting for further ones"),
    "--eval_training_data": (False, "evaluate on the training data"),
}

EXPORT: ApiFlags = {
    "--pipeline_config_path": (None, "pipeline config (TrainEvalPipelineConfig)"),
    "--trained_checkpoint_prefix": (None, "checkpoint, e.g. train/model.ckpt-800, or a folder: its latest one"),
    "--output_directory": (None, "folder for the exported model"),
    "--input_type": ("image_tensor", "image_tensor, encoded_image_string_tensor or tf_example"),
    "--input_shape": (None, "fixed shape of an image_tensor, e.g. 1,300,300,3; -1 for an unknown side"),
    "--config_override": ("", "text proto that is merged into the pipeline config"),
    "--write_inference_graph": (False, "write the graph as text, too"),
    "--additional_output_tensor_names": (None, "further tensors to output, separated by commas"),
    "--use_side_inputs": (False, "use side inputs as well as images"),
    "--side_input_shapes": (None, "shapes of the side inputs, separated by /"),
    "--side_input_types": (None, "types of the side inputs: string, integer or float"),
    "--side_input_names": (None, "names of the side inputs, separated by commas"),
}

# Flags of model_main.py, model_main_tf2.py and exporter_main_v2.py -> what to do here.
_EVALUATION_SAMPLE = dict.fromkeys(
    ("--num_eval_steps", "--sample_1_of_n_eval_examples", "--sample_1_of_n_eval_on_train_examples"),
    "leave it out: each image of the test record is evaluated once",
)
TRAIN_ELSEWHERE = {
    **_EVALUATION_SAMPLE,
    **dict.fromkeys(("--use_tpu", "--tpu_name"), "leave it out: TPUs are not supported"),
    **dict.fromkeys(
        ("--batch_size", "--learning_rate", "--fine_tune_checkpoint", "--hparams_overrides"),
        "it is in the pipeline config; scripts/make_config.py makes one",
    ),
    **dict.fromkeys(
        ("--run_once", "--eval_training_data", "--eval_on_train_data", "--checkpoint_dir"),
        "scripts/eval.py evaluates; --eval_every N does so during the training",
    ),
    "--model_dir": "--train_dir is the folder for the checkpoints",
    "--checkpoint_every_n": "--save_every_steps N saves a checkpoint every N steps",
    "--num_workers": "--num_clones N trains on N GPUs of this machine; cloud/README.md is about several machines",
}
EVAL_ELSEWHERE = {
    **_EVALUATION_SAMPLE,
    "--model_dir": "--checkpoint_dir is the folder with the checkpoints, --eval_dir that for the results",
    "--eval_on_train_data": "--eval_training_data evaluates on the training data",
    "--eval_timeout": "--run_once ends after the latest checkpoint",
}
EXPORT_ELSEWHERE = {
    "--trained_checkpoint_dir": "--trained_checkpoint_prefix takes a checkpoint, or the folder with them"
}


def add_to(parser: argparse.ArgumentParser, flags: ApiFlags) -> None:
    """Add the API's flags to a parser, and `--verbose`."""
    group = parser.add_argument_group("flags of the Object Detection API")
    for flag, (default, meaning) in flags.items():
        if isinstance(default, bool):
            settings = {"nargs": "?", "const": True, "type": boolean, "metavar": "true|false"}
            hidden = {"default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
            group.add_argument(flag.replace("--", "--no"), dest=flag[2:], action="store_false", **hidden)
        else:
            settings = {"type": int} if isinstance(default, int) else {}
        group.add_argument(flag, default=default, help=meaning, **settings)
    add_logging(parser)


def add_logging(parser: argparse.ArgumentParser) -> None:
    """Add `--verbose`, and the flags of absl that the tutorials give, which change nothing here."""
    parser.add_argument("--verbose", action="store_true", help="show all that TensorFlow and the converters log")
    hidden = {"action": _Ignored, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    for name in ("logtostderr", "alsologtostderr"):
        parser.add_argument(f"--{name}", nargs="?", type=boolean, **hidden)
        parser.add_argument(f"--no{name}", nargs=0, **hidden)
    parser.add_argument("--stderrthreshold", **hidden)


class _Ignored(argparse.Action):
    def __call__(self, *_):
        """Leave the namespace as it is."""


def double_dashed(argv: Sequence[str] | None) -> list[str]:
    """Return the arguments (None: the process's own) with `--flag` for `-flag`, which absl takes, too."""
    return [re.sub(r"^-(?=[a-z]\w)", "--", word) for word in (sys.argv[1:] if argv is None else argv)]


def require_one_of(parser: argparse.ArgumentParser, values: Mapping[str, object], *alternatives: Sequence[str]) -> None:
    """End with a usage error unless all flags of one of the alternatives have a value."""
    if not any(all(values[name] for name in names) for names in alternatives):
        parser.error("give " + ", or ".join(" and ".join(f"--{name}" for name in names) for names in alternatives))


def to_argv(flags: ApiFlags, values: Mapping[str, object]) -> list[str]:
    """Return the flags whose values (name -> value) differ from the API's defaults, as the API reads them."""
    given = {flag: values[flag.removeprefix("--")] for flag in flags}
    return [f"{flag}={value}" for flag, value in given.items() if value != flags[flag][0]]
