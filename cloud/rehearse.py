"""Rehearse a training job of several machines on this one: the same processes on loopback, before they are paid for.

In:   a pipeline config, with the records and the label map that it names.
Out:  output_dir/train (checkpoints), /eval, /logs (a file per process) and /pipeline.config (as rehearsed); and the
      answer whether the cluster trained to its last step, with a checkpoint that can be read.

  python cloud/rehearse.py --pipeline_config_path configs/ssd_mobilenet_v1_sample.config --num_steps 200

Each process is cloud/task.py, the container's entry point, with the TF_CONFIG and CLUSTER_SPEC that Vertex AI would
set. They train in step: each computes the config's batch_size, and the gradients of all are averaged. Flags of
scripts/train.py are passed on. Ctrl+C ends all processes; they also end when this one is killed. The same command again
goes on from the last checkpoint.

A rehearsal shows that the job works; it is not faster than scripts/train.py. TensorFlow's servers listen on all
networks of the machine, without a password: run it only behind a firewall.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401
import psutil

from cloud import task
from cloud.lib import local_cluster
from scripts import train
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, override, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.errors import DataError, UsageError

AS_REPLICA = "--as_replica_of"  # begins the arguments of a process that this script starts; those of task.py follow
CONFIG, HEAD = "pipeline.config", b"# Made by cloud/rehearse.py\n"


def main(argv: Sequence[str] | None = None) -> int | None:
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == [AS_REPLICA]:
        return run_replica(int(argv[1]), argv[2:])
    args, train_flags = parse_arguments(argv)
    config_path, train_dir = args.output_dir / CONFIG, args.output_dir / "train"
    flags = [f"--pipeline_config_path={config_path}", f"--train_dir={train_dir}", *train_flags]
    if args.evaluator:
        flags = [f"--eval_dir={args.output_dir / 'eval'}", "--eval_interval_secs=5", *flags]
    train.parse_arguments(task.parse_arguments(flags)[1])  # report wrong flags here, and once
    command_line.check_output_dir("output_dir", args.output_dir, {CONFIG: HEAD}, ["train"])
    if args.pipeline_config_path.resolve() == config_path.resolve():
        raise UsageError(f"{files.shown_path(config_path)} is a rehearsal's own; give the config that it was made from")
    config = read_config(args.pipeline_config_path, args.num_steps, 1 + args.workers, args.evaluator)
    num_steps = config.train_config.num_steps
    check_folder(train_dir, num_steps)
    with pipeline_config.written(config) as path, files.atomic_write(config_path) as file:
        file.write(HEAD + path.read_bytes())
    variables = local_cluster.environments(args.workers, args.parameter_servers, args.evaluator)
    command = [sys.executable, str(Path(__file__).resolve()), AS_REPLICA, str(os.getpid()), *flags]
    local_cluster.run(variables, command, args.output_dir / "logs")
    check_result(train_dir, num_steps)
    return 0


def parse_arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the flags of this script, and those for train.py."""
    parser = command_line.make_parser(__doc__, passes_on=True)
    parser.add_argument("--pipeline_config_path", type=command_line.local_path, required=True, help="pipeline config")
    output = files.default_path("runs/rehearsal")
    parser.add_argument("--output_dir", type=command_line.local_path, default=output, help="folder for all results")
    positive = command_line.positive_int
    parser.add_argument("--workers", type=positive, default=2, help="workers beside the chief")
    parser.add_argument("--parameter_servers", type=positive, default=1, help="processes that hold the variables")
    parser.add_argument("--evaluator", action="store_true", help="evaluate each checkpoint in a process of its own")
    num_steps = "--num_steps", "--num_train_steps", "--steps"
    parser.add_argument(*num_steps, type=positive, help="training steps (default: the config's)")
    return parser.parse_known_args(argv)


def run_replica(rehearsal: int, argv: Sequence[str]) -> int | None:
    """Run the container's entry point in a process of the cluster, until it or the rehearsal (a process id) ends."""

    def end_with_rehearsal() -> None:
        # Not by a pipe as standard input: while a thread reads it, Windows loads no numpy (numpy issue 24290).
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(rehearsal)
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(1)
        os._exit(command_line.EXIT_INTERRUPTED)

    threading.Thread(target=end_with_rehearsal, daemon=True).start()
    return task.main(argv)


def read_config(path: Path, num_steps: int | None, replicas: int, evaluator: bool) -> pipeline_config.Message:
    """Return the config with so many replicas in step, and other steps if they are given.

    Raises:
        UsageError, DataError: it cannot be trained, or evaluated if there is an evaluator.
    """
    config = pipeline_config.read(path)
    findings = checks.check_training(config, path)
    if evaluator:
        findings += checks.check_evaluation(config, path)
    checks.raise_errors(findings, "nothing was started")
    if num_steps:
        override.set_num_steps(config, num_steps)
    if not config.train_config.num_steps:
        raise UsageError("the config's num_steps is 0, which means without end; give --num_steps")
    config.train_config.sync_replicas = True
    config.train_config.replicas_to_aggregate = replicas
    config.train_config.startup_delay_steps = 0
    config.train_config.batch_size *= replicas  # the trainer divides it among them
    return config


def check_folder(train_dir: Path, num_steps: int) -> None:
    """Raise UsageError if the folder holds a training that is done."""
    step = checkpoint_files.latest_step(train_dir)
    if step is not None and step >= num_steps:
        found = f"{files.shown_path(train_dir)} holds a checkpoint of step {step}"
        raise UsageError(f"{found}; give more --num_steps, or another --output_dir")


def check_result(train_dir: Path, num_steps: int) -> None:
    """Raise DataError if the last checkpoint, which holds finite values only, is too early or cannot be read."""
    prefix, step = checkpoint_files.latest(train_dir), checkpoint_files.latest_step(train_dir)
    problem = f"the last checkpoint of {files.shown_path(train_dir)} is of step {step}, not of {num_steps}"
    if step is not None and step >= num_steps:
        problem = checkpoint_files.fault(prefix)
    if problem:
        raise DataError([problem], "the rehearsal has failed")
    print(f"The cluster works: the checkpoint of step {step} was read.")


if __name__ == "__main__":
    command_line.run(main)
