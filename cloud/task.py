"""The container's entry point: each machine of a training job on Google Cloud runs it.

In:   the flags of scripts/train.py, the same on all machines, and TF_CONFIG or CLUSTER_SPEC, which Vertex AI sets.
Out:  train_dir, by the master; eval_dir, by the evaluator.

  python cloud/task.py --pipeline_config_path=gs://BUCKET/pipeline.config --train_dir=gs://BUCKET/train --eval_dir=gs://BUCKET/eval

The environment names this process's part; without it, the process trains on this machine only.
  chief (master), worker  trains; the chief also saves checkpoints and goes on from the last one; its end is the job's
  ps                      holds variables until Vertex AI stops it, when the chief has ended
  evaluator               runs scripts/eval.py on each new checkpoint, until that of the last step; the chief waits
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Sequence

import _init_paths  # noqa: F401

from scripts import eval as evaluation
from scripts import train
from scripts.lib import object_detection_api
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import command_line
from scripts.lib.core.tensorflow import set_verbose
from scripts.lib.evaluation import metrics_file
from scripts.lib.object_detection_api import hooks
from scripts.lib.training import cluster
from scripts.lib.training.plan import TrainOptions, read_config

LOOK_SECS = 5.0  # between two looks whether the evaluator has finished


def main(argv: Sequence[str] | None = None) -> int | None:
    args, train_argv = parse_arguments(argv)
    task = cluster.from_environment()
    if task and task.type == cluster.EVALUATOR:
        return evaluate(*training(train_argv), args.eval_dir, args.eval_interval_secs)
    status = train.main(train_argv)
    if not status and task and task.type == cluster.MASTER and task.has_evaluator and args.eval_dir:
        options, num_steps = training(train_argv)
        wait_for_evaluation(options.train_dir, num_steps, args.eval_dir, args.final_evaluation_secs)
    return status


def parse_arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Return the flags of this script, and the arguments of train.py."""
    parser = command_line.make_parser(__doc__, passes_on=True)
    parser.add_argument("--eval_dir", default="", help="folder for the evaluator's event files and metrics.json")
    interval = "seconds between the evaluator's looks for a new checkpoint (default: the config's)"
    parser.add_argument("--eval_interval_secs", type=command_line.positive, metavar="SECONDS", help=interval)
    wait = "longest time that the master waits for the evaluator's last result"
    not_negative = command_line.not_negative
    parser.add_argument("--final_evaluation_secs", type=not_negative, default=1800, metavar="SECONDS", help=wait)
    return parser.parse_known_args(argv)


def training(train_argv: Sequence[str]) -> tuple[TrainOptions, int]:
    """Return the options of train.py, and the training's last step; 0 for one without an end."""
    options = TrainOptions(**vars(train.parse_arguments(train_argv)))
    return options, options.num_steps or read_config(options)[0].train_config.num_steps


def evaluate(options: TrainOptions, num_steps: int, eval_dir: str, eval_interval_secs: float | None) -> int | None:
    """Evaluate each new checkpoint of the training until the one of its last step."""
    set_verbose(options.verbose)
    object_detection_api.prepare()
    hooks.evaluate_until(num_steps, eval_interval_secs)
    flags = ["--pipeline_config_path", options.pipeline_config_path, "--checkpoint_dir", options.train_dir]
    return evaluation.main([*flags, "--eval_dir", eval_dir, *["--verbose"] * options.verbose])


def wait_for_evaluation(train_dir: str, num_steps: int, eval_dir: str, seconds: float) -> None:
    """Wait until the evaluator has written metrics of the last checkpoint, or of one before it that has all steps."""
    last_step = checkpoint_files.latest_step(train_dir) or 0
    end = time.monotonic() + seconds
    while not min(num_steps, last_step) <= evaluated_step(eval_dir) <= last_step:
        if time.monotonic() > end:
            print(f"The evaluator has no result of step {last_step} after {seconds:g} s; ending.")
            return
        time.sleep(LOOK_SECS)


def evaluated_step(eval_dir: str) -> int:
    """Return the step in the evaluator's metrics.json, or -1 while there is none."""
    with contextlib.suppress(FileNotFoundError, ValueError):  # missing, or being written
        return metrics_file.read(f"{eval_dir}/metrics.json").global_step
    return -1


if __name__ == "__main__":
    command_line.run(main)
