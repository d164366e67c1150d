"""The container's entry point: what each machine of a training job on Google Cloud runs.

In:   the flags of scripts/train.py, the same on all machines, and TF_CONFIG or CLUSTER_SPEC, which Vertex AI sets.
Out:  train_dir, by the master; eval_dir, by the evaluator.

  python cloud/task.py --pipeline_config_path=gs://BUCKET/pipeline.config --train_dir=gs://BUCKET/train --eval_dir=gs://BUCKET/eval

The environment says which part this process takes:
  chief (master), worker  trains; the chief also saves checkpoints, goes on from the last one, and its end is the job's
  ps                      holds variables until it is stopped, which Vertex AI does when the chief has ended
  evaluator               runs scripts/eval.py on each new checkpoint, until the one of the last step; the chief waits
                          for it, since the job, evaluator included, ends with the chief
Without either variable it trains on this machine alone, as scripts/train.py does.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

import _init_paths  # noqa: F401

from scripts import eval as evaluation
from scripts import train
from scripts.lib import object_detection_api
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import command_line
from scripts.lib.core.errors import UsageError
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.training import cluster

LOOK_SECS = 5.0  # between two looks whether the evaluator has finished


def main(argv: Sequence[str] | None = None) -> int | None:
    args, train_argv = parse_arguments(argv)
    replica = cluster.from_environment()
    if replica and replica.task_type == cluster.EVALUATOR:
        return evaluate(args, train.parse_arguments(train_argv))
    status = train.main(train_argv)
    if not status and replica and replica.task_type == cluster.MASTER and replica.has_evaluator and args.eval_dir:
        wait_for_evaluation(args, train.parse_arguments(train_argv))
    return status


def parse_arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """The flags of this script, and those of train.py."""
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--eval_dir", default="", help="folder for the evaluator's event files and metrics.json")
    parser.add_argument(
        "--eval_interval_secs",
        type=float,
        metavar="SECONDS",
        help="time between the evaluator's looks for a new checkpoint, instead of the config's",
    )
    parser.add_argument(
        "--final_evaluation_secs",
        type=float,
        default=1800,
        metavar="SECONDS",
        help="how long the master waits, when all is trained, for the evaluator's last result",
    )
    return parser.parse_known_args(argv)


def evaluate(args: argparse.Namespace, train_args: argparse.Namespace) -> int | None:
    """Evaluates each new checkpoint of the training until the one of its last step."""
    from scripts.lib.training.hooks import replicas

    if not args.eval_dir:
        raise UsageError("--eval_dir is missing: the job has an evaluator, which needs a folder")
    num_steps = steps_of(train_args)
    object_detection_api.prepare(train_args.verbose)
    replicas.evaluate_until(num_steps, args.eval_interval_secs)
    eval_argv = ["--checkpoint_dir", train_args.train_dir, "--eval_dir", args.eval_dir]
    return evaluation.main(["--pipeline_config_path", train_args.pipeline_config_path, *eval_argv])


def steps_of(train_args: argparse.Namespace) -> int:
    """How many steps are trained; 0: without an end."""
    return train_args.num_train_steps or train.read_config(train_args)[0].train_config.num_steps


def wait_for_evaluation(args: argparse.Namespace, train_args: argparse.Namespace) -> None:
    """Waits until the evaluator has written its last metrics; both folders may be on a bucket.

    Those are of the last checkpoint, or of one just before it with all steps done already, with which it ends, too:
    workers may take a further step while the master saves.
    """
    latest = import_tensorflow().train.latest_checkpoint(train_args.train_dir)
    last_step = checkpoint_files.step_of(latest or "") or 0
    first_step = min(steps_of(train_args), last_step)
    end = time.monotonic() + args.final_evaluation_secs
    while not first_step <= evaluated_step(args.eval_dir) <= last_step:
        if time.monotonic() > end:
            print(f"The evaluator has no result of step {last_step} after {args.final_evaluation_secs:g} s; ending.")
            return
        time.sleep(LOOK_SECS)


def evaluated_step(eval_dir: str) -> int:
    """The step in the evaluator's metrics.json, or -1 where there is none yet."""
    tf = import_tensorflow()
    try:
        with tf.io.gfile.GFile(f"{eval_dir}/metrics.json") as file:
            return json.loads(file.read())["global_step"]
    except tf.errors.NotFoundError:
        return -1


if __name__ == "__main__":
    command_line.run(main)
