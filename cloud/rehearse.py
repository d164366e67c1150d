"""Rehearses a training job of several machines on this one: the same processes, on loopback, before they are paid for.

In:   a pipeline config, with the records and the label map that it names.
Out:  output_dir/train (checkpoints), /eval, /logs (a file for each process), /pipeline.config (as rehearsed), and a
      summary: who took how many steps, images a second, restarts; whether the last checkpoint can be read.

  python cloud/rehearse.py --pipeline_config_path configs/ssd_mobilenet_v1_sample.config --num_train_steps 200

Each process is cloud/task.py, the container's entry point, with the TF_CONFIG and CLUSTER_SPEC that Vertex AI would
set. Flags of scripts/train.py are passed on to it. Ctrl-C ends all processes; they also end when this one is killed.

--chaos does what preemption does: at random moments it takes a worker, then the chief away, by SIGTERM or without a
warning, and starts each again after some seconds (--chaos ps: a parameter server). --sync trains in step
(sync_replicas): the gradients of all replicas are averaged, each computes the config's batch_size, and the batch is as
many times larger. The processes share the cores of this machine: no rehearsal is faster than scripts/train.py; it
shows that the job works. TensorFlow's servers listen on all of the machine's networks, without a password: behind a
firewall only.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import _init_paths  # noqa: F401

from cloud import task
from scripts import train
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, override, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.training import cluster
from scripts.lib.training.hooks import replicas

ROLES = {"chief": "workerpool0", "worker": "workerpool1", "ps": "workerpool2", "evaluator": "workerpool3"}
AS_REPLICA = "--as_replica"  # the first argument of a process that this script starts: the rest is cloud/task.py's
PREEMPTIBLE = ("worker", "chief", "ps")
COLOURS = (36, 33, 35, 32, 34, 31)  # ANSI: cyan, yellow, magenta, green, blue, red
GRACE_SECS = 60.0  # for the workers to notice that the last step is done
WARNING_SECS = 30.0  # between SIGTERM and the end of a preempted machine, as on Google Cloud


def main(argv: Sequence[str] | None = None) -> int | None:
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == [AS_REPLICA]:
        return run_replica(argv[1:])
    args, train_argv = parse_arguments(argv)
    check_folder(args.output_dir)
    flags = task_flags(args, train_argv)
    train.parse_arguments(task.parse_arguments(flags)[1])  # what is wrong with them is said here, and once
    config = write_config(args)
    num_steps = config.train_config.num_steps
    command = [sys.executable, str(Path(__file__).resolve()), AS_REPLICA, *flags]
    rehearsal = Rehearsal(make_replicas(args), command, args.output_dir / "logs")
    chaos = Chaos(args.chaos, args.seed, num_steps) if args.chaos else None
    try:
        rehearsal.run(chaos)
    finally:
        rehearsal.stop()
    print(summary(rehearsal, images_per_step(config)))
    check_result(args.output_dir / "train", num_steps, chaos)
    return 0


def parse_arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags of this script, and those that are passed on to train.py."""
    parser = command_line.make_parser(__doc__)
    parser.add_argument(
        "--pipeline_config_path", type=local_path, required=True, help="pipeline config (TrainEvalPipelineConfig)"
    )
    parser.add_argument(
        "--output_dir", type=local_path, default=files.default_path("runs/rehearsal"), help="folder for all results"
    )
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="workers beside the chief")
    parser.add_argument(
        "--parameter_servers", type=command_line.positive_int, default=1, metavar="N", help="for the variables"
    )
    parser.add_argument("--evaluator", action="store_true", help="evaluate each checkpoint in a process of its own")
    parser.add_argument("--num_train_steps", type=command_line.positive_int, metavar="N", help="instead of num_steps")
    parser.add_argument("--sync", action="store_true", help="train in step: all gradients of a step are averaged")
    parser.add_argument(
        "--chaos",
        nargs="*",
        choices=PREEMPTIBLE,
        metavar="ROLE",
        help="take one of each role away, in this order, and start it again: worker, chief, ps; without a ROLE, the "
        "first two",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which --chaos kills")
    args, train_argv = parser.parse_known_args(argv)
    if args.chaos == []:
        args.chaos = ["worker", "chief"]
    if args.workers < 0:
        parser.error("--workers cannot be negative")
    if "worker" in (args.chaos or ()) and not args.workers:
        parser.error("--chaos needs a worker to take away")
    return args, train_argv


def check_folder(output_dir: Path) -> None:
    """A rehearsal begins at step 0, and nobody's training is removed for it."""
    train_dir = output_dir / "train"
    step = checkpoint_files.latest_step(train_dir)
    if step is not None:
        found = f"{files.shown_path(train_dir)} holds a checkpoint of step {step}"
        raise UsageError(f"{found}; remove the folder or give another --output_dir")


def write_config(args: argparse.Namespace) -> pipeline_config.Message:
    """Writes the config as it is rehearsed to output_dir/pipeline.config, and returns it."""
    config = pipeline_config.read(args.pipeline_config_path)
    findings = checks.check_training(config, args.pipeline_config_path)
    if args.evaluator:
        findings += checks.check_evaluation(config, args.pipeline_config_path)
    checks.raise_errors(findings, "nothing was started")
    if args.num_train_steps:
        override.set_num_steps(config, args.num_train_steps)
    if not config.train_config.num_steps:
        raise UsageError("the config's num_steps is 0, without an end; give --num_train_steps")
    if args.sync:
        replica_count = 1 + args.workers
        config.train_config.sync_replicas = True
        config.train_config.replicas_to_aggregate = replica_count
        config.train_config.startup_delay_steps = 0
        config.train_config.batch_size *= replica_count
    if problems := cluster.check_sync_replicas(config):
        raise DataError(problems, "nothing was started")
    with pipeline_config.written(config) as path, files.atomic_write(args.output_dir / "pipeline.config") as file:
        file.write(path.read_bytes())
    return config


def images_per_step(config: pipeline_config.Message) -> int:
    """How many images a replica takes in one step of its own: the trainer shares the batch out where it is in step."""
    train = config.train_config
    return train.batch_size // train.replicas_to_aggregate if train.sync_replicas else train.batch_size


def task_flags(args: argparse.Namespace, train_argv: Sequence[str]) -> list[str]:
    """The flags of cloud/task.py, the same for all replicas as in a job specification."""
    folder = args.output_dir
    flags = (f"--pipeline_config_path={folder / 'pipeline.config'}", f"--train_dir={folder / 'train'}")
    evaluation = (f"--eval_dir={folder / 'eval'}", "--eval_interval_secs=5") if args.evaluator else ()
    return [*flags, *evaluation, *train_argv]


# --------------------------------------------------------------------------------------------- a process of the cluster


@dataclasses.dataclass
class Replica:
    """A process of the cluster, through all its restarts.

    Attributes:
        name: "chief/0", "worker/1", ...
        environment: the variables that Vertex AI would set.
        steps: how many training steps its processes took, together.
        restarts: the global steps, as far as known, at which it was killed.
        rejoined: the global step of the first step that it took after each restart.
        status: exit status of the process that is last ended; None while it runs.
    """

    name: str
    environment: dict[str, str]
    process: subprocess.Popen | None = None
    steps: int = 0
    restarts: list[int] = dataclasses.field(default_factory=list)
    rejoined: list[int] = dataclasses.field(default_factory=list)
    status: int | None = None
    away_secs: float | None = None  # it is being preempted: for how long its machine will be away
    kill_at: float | None = None  # when it is killed, if it has not ended by then
    start_at: float | None = None  # when its machine is back

    @property
    def role(self) -> str:
        return self.name.partition("/")[0]

    def start(self, command: Sequence[str]) -> None:
        """Starts the process, out of reach of this terminal's Ctrl-C, with a pipe whose end says that we are gone."""
        own_group = {"start_new_session": True}
        if os.name == "nt":
            own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        self.status = self.start_at = None
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
            env={**base_environment(), **self.environment},
            **own_group,
        )

    def preempt(self, warned: bool, away_secs: float) -> None:
        """Takes its machine away: at once, or with SIGTERM some time before."""
        self.away_secs, self.kill_at = away_secs, time.monotonic()
        if warned:
            self.kill_at += WARNING_SECS
            os.killpg(self.process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Ends the process and what it may have started, without a warning, as the loss of a machine does."""
        if self.process and self.process.poll() is None:
            if os.name == "nt":
                self.process.kill()
            else:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def run_replica(argv: Sequence[str]) -> int | None:
    """What a started process does: the container's entry point, until that ends or the rehearsal is gone."""

    def end_with_rehearsal() -> None:
        os.read(sys.stdin.fileno(), 1)  # nobody writes: it returns when the other end is closed
        os._exit(command_line.EXIT_INTERRUPTED)

    threading.Thread(target=end_with_rehearsal, daemon=True).start()
    return task.main(argv)


def make_replicas(args: argparse.Namespace) -> list[Replica]:
    """The processes of the cluster, the variables of Vertex AI set for each."""
    counts = {"chief": 1, "worker": args.workers, "ps": args.parameter_servers, "evaluator": int(args.evaluator)}
    ports = free_ports(sum(counts.values()))
    hosts = {role: [f"127.0.0.1:{next(ports)}" for _ in range(count)] for role, count in counts.items() if count}
    in_cluster = {role: addresses for role, addresses in hosts.items() if role != "evaluator"}
    pools = {ROLES[role]: addresses for role, addresses in hosts.items()}

    def variable(cluster_hosts: dict, task_type: str, index: int) -> str:
        return json.dumps(
            {"cluster": cluster_hosts, "task": {"type": task_type, "index": index}, "environment": "cloud"}
        )

    return [
        Replica(
            f"{role}/{index}",
            {"TF_CONFIG": variable(in_cluster, role, index), "CLUSTER_SPEC": variable(pools, ROLES[role], index)},
        )
        for role, addresses in hosts.items()
        for index in range(len(addresses))
    ]


def free_ports(count: int) -> Iterator[int]:
    """Ports that nobody listens on: all are taken before any is given back, so that none comes twice."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return iter(ports)


def base_environment() -> dict[str, str]:
    """This process's environment, without a proxy between loopback and loopback, and with a line for every step."""
    inherited = {name: value for name, value in os.environ.items() if name not in cluster.VARIABLES}
    no_proxy = ",".join(filter(None, (os.environ.get("no_proxy"), "127.0.0.1")))
    return {
        **inherited,
        "no_proxy": no_proxy,
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        replicas.STEP_REPORT_ENVIRONMENT: "0",
    }


# ------------------------------------------------------------------------------------------------------- the rehearsal


class Preemption(NamedTuple):
    """At which step a replica of the role is taken away, and for how long; a warning is SIGTERM, as on a machine."""

    role: str
    step: int
    warned: bool
    away_secs: float


class Chaos:
    """When --chaos takes away whom: at random, in the order of the roles, from a fifth of the steps to four fifths.

    Attributes:
        events: those that are still to come.
    """

    def __init__(self, roles: Sequence[str], seed: int, num_steps: int):
        self._random = random.Random(seed)
        self.events = [
            Preemption(
                role,
                int(num_steps * (0.2 + 0.6 * (place + self._random.uniform(0, 0.7)) / len(roles))),
                self._random.random() < 0.5 and os.name != "nt",  # where a process cannot be asked to end
                self._random.uniform(1, 4),
            )
            for place, role in enumerate(roles)
        ]

    def due(self, replicas_now: Sequence[Replica], global_step: int) -> tuple[Replica, Preemption] | None:
        """What is to happen now, and to whom: one of the role that is at work."""
        if not self.events or global_step < self.events[0].step:
            return None
        role = self.events[0].role
        at_work = [each for each in replicas_now if each.status is None and (each.steps or role == "ps")]
        candidates = [each for each in at_work if each.role == role]
        return (self._random.choice(candidates), self.events.pop(0)) if candidates else None


class Rehearsal:
    """The cluster's processes, from their start to the end of the last.

    Attributes:
        replicas: all processes.
        global_step: how far the training is, by the replicas' reports.
        first_step_at, last_step_at: seconds on the monotonic clock.
    """

    def __init__(self, replicas_to_run: Sequence[Replica], command: Sequence[str], logs: Path):
        self.replicas = list(replicas_to_run)
        self.command = list(command)
        self.global_step = 0
        self.first_step_at = self.last_step_at = 0.0
        self._lines: queue.Queue[tuple[Replica, str | None]] = queue.Queue()
        logs.mkdir(parents=True, exist_ok=True)
        self._logs: dict[str, IO[str]] = {
            each.name: (logs / f"{each.name.replace('/', '_')}.log").open("w", encoding="utf-8", buffering=1)
            for each in self.replicas
        }
        self._colours = dict(zip(self._logs, itertools.cycle(COLOURS), strict=False)) if has_colours() else {}
        self._width = max(map(len, self._logs))

    def run(self, chaos: Chaos | None) -> None:
        """Runs the job until the chief has ended, as Vertex AI does, and the workers after it.

        Raises:
            DataError: a process has failed, on which Vertex AI would end the job.
        """
        for each in self.replicas:
            self._start(each)
        end = None
        while end is None or (time.monotonic() < end and any(map(running_worker, self.replicas))):
            self._handle_line()
            for each in self.replicas:
                if each.kill_at is not None and time.monotonic() >= each.kill_at:
                    each.kill()
                if each.start_at is not None and time.monotonic() >= each.start_at:
                    self._start(each)
            due = chaos.due(self.replicas, self.global_step) if chaos else None
            if due:
                self._preempt(*due)
            if end is None and any(each.role == "chief" and each.status == 0 for each in self.replicas):
                end = time.monotonic() + GRACE_SECS

    def stop(self) -> None:
        """Ends all processes that are left: of a job that is done the parameter servers, which never end themselves."""
        for each in self.replicas:
            each.kill()
        for log in self._logs.values():
            log.close()

    def _start(self, replica: Replica) -> None:
        replica.start(self.command)
        threading.Thread(target=self._read, args=(replica, replica.process), daemon=True).start()

    def _read(self, replica: Replica, process: subprocess.Popen) -> None:
        for line in process.stdout:
            self._lines.put((replica, line.rstrip("\n")))
        process.wait()
        self._lines.put((replica, None))

    def _preempt(self, replica: Replica, event: Preemption) -> None:
        replica.restarts.append(self.global_step)
        how = "with a warning" if event.warned else "without a warning"
        self._show(replica, f"*** preempted at step {self.global_step}, {how}; away for {event.away_secs:.1f} s")
        replica.preempt(event.warned, event.away_secs)

    def _handle_line(self) -> None:
        """Takes one line of a process, or the news that it has ended."""
        try:
            replica, line = self._lines.get(timeout=0.1)
        except queue.Empty:
            return
        if line is None:
            self._ended(replica)
        elif line.startswith('{"replica"'):
            self._count(replica, json.loads(line)["global_step"])
            self._logs[replica.name].write(f"{line}\n")
        else:
            self._show(replica, line)

    def _ended(self, replica: Replica) -> None:
        if replica.away_secs is not None:
            replica.start_at = time.monotonic() + replica.away_secs
            replica.away_secs = replica.kill_at = None
            return
        replica.status = replica.process.returncode
        if replica.status == replicas.EXIT_START_ANEW:
            replica.restarts.append(self.global_step)
            self._start(replica)
        elif replica.status:
            self._logs[replica.name].flush()
            problem = f"{replica.name} ended with status {replica.status}; see {self._logs[replica.name].name}"
            raise DataError([problem], "all processes were stopped, as Vertex AI does")

    def _count(self, replica: Replica, global_step: int) -> None:
        replica.steps += 1
        self.last_step_at = time.monotonic()
        self.first_step_at = self.first_step_at or self.last_step_at
        if replica.away_secs is None and len(replica.rejoined) < len(replica.restarts):  # not its last steps
            replica.rejoined.append(global_step)
        # The chief alone goes back, to a checkpoint; another's line may have been overtaken by a newer one.
        self.global_step = global_step if replica.role == "chief" else max(self.global_step, global_step)

    def _show(self, replica: Replica, line: str) -> None:
        self._logs[replica.name].write(f"{line}\n")
        head = f"{replica.name:{self._width}} |"
        colour = self._colours.get(replica.name)
        print(f"\x1b[{colour}m{head}\x1b[0m {line}" if colour else f"{head} {line}", flush=True)


def running_worker(replica: Replica) -> bool:
    return replica.role in ("worker", "evaluator") and replica.status is None


def has_colours() -> bool:
    """Whether the output is a terminal that knows ANSI colours; Windows' old console does not."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and (os.name != "nt" or "WT_SESSION" in os.environ)


# ---------------------------------------------------------------------------------------------------------- its result


def summary(rehearsal: Rehearsal, images: int) -> str:
    """Who took how many steps, the throughput, and the restarts, in lines."""
    seconds = rehearsal.last_step_at - rehearsal.first_step_at
    steps = sum(each.steps for each in rehearsal.replicas)
    lines = ["", f"{'replica':12}{'steps':>8}  preempted at step -> first step after its return"]
    for each in rehearsal.replicas:
        nothing_known = "" if each.role == "ps" else " -> not back before the end"
        returns = itertools.chain((f" -> {step}" for step in each.rejoined), itertools.repeat(nothing_known))
        pairs = zip(each.restarts, returns, strict=False)
        lines.append(f"{each.name:12}{each.steps:>8}  {', '.join(f'{at}{back}' for at, back in pairs)}".rstrip())
    rate = f", {steps * images / seconds:.1f} images a second in {seconds:.0f} s" if seconds else ""
    lines.append(f"{'all':12}{steps:>8}  of {images} images each{rate}; last global step seen: {rehearsal.global_step}")
    return "\n".join(lines)


def check_result(train_dir: Path, num_steps: int, chaos: Chaos | None) -> None:
    """Loads the last checkpoint.

    Raises:
        DataError: it is missing, of too early a step, or holds values that are not finite; or --chaos came too late.
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
        print(f"The checkpoint of step {step} was read: {len(names)} variables, all finite.")
    if chaos and chaos.events:
        late = " and ".join(event.role for event in chaos.events)
        problems.append(f"--chaos did not come to take the {late} away before the end; give more --num_train_steps")
    if problems:
        raise DataError(problems, "the rehearsal has failed")


if __name__ == "__main__":
    command_line.run(main)
