"""Rehearse a training job of several machines on this one: the same processes on loopback, before they are paid for.

In:   a pipeline config, with the records and the label map that it names.
Out:  output_dir/train (checkpoints), /eval, /logs (a file a process), /pipeline.config (as rehearsed), and a summary:
      steps of each process, images a second, restarts; whether the last checkpoint can be read.

  python cloud/rehearse.py --pipeline_config_path configs/ssd_mobilenet_v1_sample.config --num_train_steps 200

Each process is cloud/task.py, the container's entry point, with the TF_CONFIG and CLUSTER_SPEC that Vertex AI would
set. Flags of scripts/train.py are passed on to it. Ctrl-C ends all processes; they also end when this one is killed.

--chaos does what preemption does: at random moments it takes a worker and then the chief away, with SIGTERM or without
a warning, and starts each again after some seconds (--chaos ps: a parameter server). --sync trains in step: each
process computes the config's batch_size, and the gradients of all are averaged. A rehearsal shows that the job works;
it is not faster than scripts/train.py. TensorFlow's servers listen on all networks of the machine, without a password:
run it only behind a firewall.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from cloud import task
from cloud.lib.local_cluster import Chaos, LocalCluster, make_processes
from scripts import train
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, override, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.training import cluster

AS_REPLICA = "--as_replica"  # the first argument of a process that this script starts; the others are cloud/task.py's


def main(argv: Sequence[str] | None = None) -> int | None:
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == [AS_REPLICA]:
        return run_replica(argv[1:])
    args, train_flags = parse_arguments(argv)
    check_folder(args.output_dir)
    flags = task_flags(args.output_dir, args.evaluator, train_flags)
    train.parse_arguments(task.parse_arguments(flags)[1])  # report wrong flags here, and once
    replica_count = 1 + args.workers if args.sync else None
    config = read_config(args.pipeline_config_path, args.num_train_steps, replica_count, args.evaluator)
    with pipeline_config.written(config) as path, files.atomic_write(args.output_dir / "pipeline.config") as file:
        file.write(path.read_bytes())
    num_steps = config.train_config.num_steps
    processes = make_processes(args.workers, args.parameter_servers, args.evaluator)
    command = [sys.executable, str(Path(__file__).resolve()), AS_REPLICA, *flags]
    local_cluster = LocalCluster(processes, command, args.output_dir / "logs")
    chaos = Chaos(args.chaos, args.seed, num_steps) if args.chaos else None
    try:
        local_cluster.run(chaos)
    finally:
        local_cluster.stop()
    print(summary(local_cluster, images_per_step(config)))
    check_result(args.output_dir / "train", num_steps, chaos)
    return 0


def parse_arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the flags of this script, and those for train.py."""
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--pipeline_config_path", type=command_line.local_path, required=True, help="pipeline config")
    output = files.default_path("runs/rehearsal")
    parser.add_argument("--output_dir", type=command_line.local_path, default=output, help="folder for all results")
    positive = command_line.positive_int
    parser.add_argument("--workers", type=command_line.not_negative_int, default=2, help="workers beside the chief")
    parser.add_argument("--parameter_servers", type=positive, default=1, help="processes that hold the variables")
    parser.add_argument("--evaluator", action="store_true", help="evaluate each checkpoint in a process of its own")
    parser.add_argument(
        "--num_train_steps", type=positive, metavar="N", help="steps, instead of the config's num_steps"
    )
    parser.add_argument("--sync", action="store_true", help="train in step: average the gradients of each step")
    roles = "preempt one process of each role, in this order: worker, chief, ps (without a ROLE: worker, chief)"
    parser.add_argument("--chaos", nargs="*", choices=("worker", "chief", "ps"), metavar="ROLE", help=roles)
    parser.add_argument("--seed", type=int, default=1, help="random seed of --chaos")
    args, train_flags = parser.parse_known_args(argv)
    if args.chaos == []:
        args.chaos = ["worker", "chief"]
    if "worker" in (args.chaos or ()) and not args.workers:
        parser.error("--chaos needs a worker to take away")
    return args, train_flags


def run_replica(argv: Sequence[str]) -> int | None:
    """Run the container's entry point in a process of the cluster, until it ends or the rehearsal is gone."""

    def end_with_rehearsal() -> None:
        os.read(sys.stdin.fileno(), 1)  # returns when the other end is closed
        os._exit(command_line.EXIT_INTERRUPTED)

    threading.Thread(target=end_with_rehearsal, daemon=True).start()
    return task.main(argv)


def check_folder(output_dir: Path) -> None:
    """Raise UsageError if the folder holds a training: a rehearsal begins at step 0 and removes nothing."""
    step = checkpoint_files.latest_step(output_dir / "train")
    if step is not None:
        found = f"{files.shown_path(output_dir / 'train')} holds a checkpoint of step {step}"
        raise UsageError(f"{found}; remove the folder or give another --output_dir")


def read_config(
    path: Path, num_steps: int | None, sync_replicas: int | None, evaluator: bool
) -> pipeline_config.Message:
    """Return the config to rehearse, with other steps, and with so many replicas in step, if they are given.

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
        raise UsageError("the config's num_steps is 0, which means without end; give --num_train_steps")
    if sync_replicas:
        config.train_config.sync_replicas = True
        config.train_config.replicas_to_aggregate = sync_replicas
        config.train_config.startup_delay_steps = 0
        config.train_config.batch_size *= sync_replicas
    if problems := cluster.check_sync_replicas(config):
        raise DataError(problems, "nothing was started")
    return config


def images_per_step(config: pipeline_config.Message) -> int:
    """Return how many images a process takes in one step; in step, the trainer divides the batch among them."""
    train_config = config.train_config
    return train_config.batch_size // (train_config.replicas_to_aggregate if train_config.sync_replicas else 1)


def task_flags(output_dir: Path, evaluator: bool, train_flags: Sequence[str]) -> list[str]:
    """Return the flags of cloud/task.py, the same for all processes, as in a job specification."""
    flags = [f"--pipeline_config_path={output_dir / 'pipeline.config'}", f"--train_dir={output_dir / 'train'}"]
    evaluation = [f"--eval_dir={output_dir / 'eval'}", "--eval_interval_secs=5"] if evaluator else []
    return [*flags, *evaluation, *train_flags]


def summary(local_cluster: LocalCluster, images: int) -> str:
    """Return the steps of each process, its restarts, and the throughput, a process a line."""
    seconds = local_cluster.last_step_at - local_cluster.first_step_at
    steps = sum(each.steps for each in local_cluster.processes)
    lines = ["", f"{'replica':12}{'steps':>8}  preempted at step -> first step after its return"]
    for each in local_cluster.processes:
        not_back = "" if each.role == "ps" else " -> not back before the end"
        returns = itertools.chain((f" -> {step}" for step in each.rejoined), itertools.repeat(not_back))
        pairs = zip(each.restarts, returns, strict=False)
        lines.append(f"{each.name:12}{each.steps:>8}  {', '.join(f'{at}{back}' for at, back in pairs)}".rstrip())
    rate = f", {steps * images / seconds:.1f} images a second in {seconds:.0f} s" if seconds else ""
    last = f"last global step seen: {local_cluster.global_step}"
    return "\n".join([*lines, f"{'all':12}{steps:>8}  of {images} images each{rate}; {last}"])


def check_result(train_dir: Path, num_steps: int, chaos: Chaos | None) -> None:
    """Load the last checkpoint.

    Raises:
        DataError: it is missing, too early, or holds values that are not finite; or a preemption did not take place.
    """
    import numpy as np

    problems = []
    prefix, step = checkpoint_files.latest(train_dir), checkpoint_files.latest_step(train_dir)
    if prefix is None or step is None or step < num_steps:
        problems.append(f"the last checkpoint of {files.shown_path(train_dir)} is of step {step}, not of {num_steps}")
    else:
        reader = import_tensorflow().train.load_checkpoint(str(prefix))
        names = sorted(reader.get_variable_to_shape_map())
        bad = [name for name in names if not np.all(np.isfinite(reader.get_tensor(name)))]
        problems += [f"the checkpoint's {name} holds values that are not finite" for name in bad]
        print(
            f"The checkpoint of step {step} was read: {len(names)} variables, {len(names) - len(bad)} of them finite."
        )
    if chaos and chaos.events:
        late = " and ".join(event.role for event in chaos.events)
        problems.append(f"the training ended before --chaos preempted the {late}; give more --num_train_steps")
    if problems:
        raise DataError(problems, "the rehearsal has failed")


if __name__ == "__main__":
    command_line.run(main)
