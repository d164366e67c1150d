"""The processes of a training cluster on loopback: started, shown, preempted and stopped as Vertex AI does."""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from scripts.lib.core.errors import DataError
from scripts.lib.training import cluster
from scripts.lib.training.hooks import replicas

POOLS = {"chief": "workerpool0", "worker": "workerpool1", "ps": "workerpool2", "evaluator": "workerpool3"}
GRACE_SECS = 60.0  # for the workers to notice that the last step is done
WARNING_SECS = 30.0  # between SIGTERM and the end of a preempted machine, as on Google Cloud


@dataclasses.dataclass
class ClusterProcess:
    """A process of the cluster, through all its restarts.

    Attributes:
        name: "chief/0", "worker/1", ...
        environment: the variables that Vertex AI would set.
        steps: how many training steps its processes took together.
        restarts: the global steps, as far as known, at which it was preempted.
        rejoined: the global step of its first step after each restart.
        status: exit status of the last process; None while it runs.
    """

    name: str
    environment: dict[str, str]
    process: subprocess.Popen | None = None
    steps: int = 0
    restarts: list[int] = dataclasses.field(default_factory=list)
    rejoined: list[int] = dataclasses.field(default_factory=list)
    status: int | None = None
    away_secs: float | None = None  # while it is being preempted: how long its machine will be away
    kill_at: float | None = None  # when it is killed if it has not ended by then
    start_at: float | None = None  # when its machine is back

    @property
    def role(self) -> str:
        return self.name.partition("/")[0]

    def start(self, command: Sequence[str]) -> None:
        """Start the process out of reach of this terminal's Ctrl-C, with a pipe that closes when we are gone."""
        inherited = {name: value for name, value in os.environ.items() if name not in cluster.VARIABLES}
        own = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", replicas.STEP_REPORT_ENVIRONMENT: "0"}
        own["no_proxy"] = ",".join(filter(None, (os.environ.get("no_proxy"), "127.0.0.1")))
        self.status = self.start_at = None
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="backslashreplace",
            env={**inherited, **own, **self.environment},
            start_new_session=os.name != "nt",
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP if os.name == "nt" else 0,
        )

    def preempt(self, warned: bool, away_secs: float) -> None:
        """Take its machine away: at once, or with SIGTERM some time before."""
        self.away_secs, self.kill_at = away_secs, time.monotonic()
        if warned:
            self.kill_at += WARNING_SECS
            os.killpg(self.process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the process and what it has started, without a warning, as the loss of a machine does."""
        if self.process and self.process.poll() is None:
            if os.name == "nt":
                self.process.kill()
            else:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def make_processes(workers: int, parameter_servers: int, evaluator: bool) -> list[ClusterProcess]:
    """Return the processes of a cluster with one chief, with TF_CONFIG and CLUSTER_SPEC set for each."""
    counts = {"chief": 1, "worker": workers, "ps": parameter_servers, "evaluator": int(evaluator)}
    ports = iter(_free_ports(sum(counts.values())))
    hosts = {role: [f"127.0.0.1:{next(ports)}" for _ in range(count)] for role, count in counts.items() if count}
    in_cluster = {role: addresses for role, addresses in hosts.items() if role != "evaluator"}
    pools = {POOLS[role]: addresses for role, addresses in hosts.items()}

    def variable(addresses: dict, task_type: str, index: int) -> str:
        return json.dumps({"cluster": addresses, "task": {"type": task_type, "index": index}, "environment": "cloud"})

    return [
        ClusterProcess(
            f"{role}/{index}",
            {"TF_CONFIG": variable(in_cluster, role, index), "CLUSTER_SPEC": variable(pools, POOLS[role], index)},
        )
        for role, addresses in hosts.items()
        for index in range(len(addresses))
    ]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]  # all at once, so that no port comes twice
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Preemption(NamedTuple):
    """At a step one process of the role is taken away, with or without SIGTERM before, and later comes back."""

    role: str
    step: int
    warned: bool
    away_secs: float


class Chaos:
    """Random preemptions, in the order of the roles, between a fifth and four fifths of the steps.

    Attributes:
        events: those that are still to come.
    """

    def __init__(self, roles: Sequence[str], seed: int, num_steps: int):
        self._random = random.Random(seed)
        self.events = [
            Preemption(
                role,
                int(num_steps * (0.2 + 0.6 * (place + self._random.uniform(0, 0.7)) / len(roles))),
                self._random.random() < 0.5 and os.name != "nt",  # Windows cannot ask a process to end
                self._random.uniform(1, 4),
            )
            for place, role in enumerate(roles)
        ]

    def due(self, processes: Sequence[ClusterProcess], global_step: int) -> tuple[ClusterProcess, Preemption] | None:
        """Return the next preemption, if it is time, and a process of its role that is at work."""
        if not self.events or global_step < self.events[0].step:
            return None
        role = self.events[0].role
        candidates = [each for each in processes if each.role == role and each.status is None]
        candidates = [each for each in candidates if each.steps or role == "ps"]
        return (self._random.choice(candidates), self.events.pop(0)) if candidates else None


class LocalCluster:
    """The cluster's processes, from their start to the end of the last.

    Attributes:
        processes: all of them, the chief first.
        global_step: how far the training is, as the processes report.
        first_step_at, last_step_at: seconds on the monotonic clock.
    """

    def __init__(self, processes: Sequence[ClusterProcess], command: Sequence[str], logs: Path):
        self.processes = list(processes)
        self.global_step = 0
        self.first_step_at = self.last_step_at = 0.0
        self._command = list(command)
        self._lines: queue.Queue[tuple[ClusterProcess, str | None]] = queue.Queue()
        logs.mkdir(parents=True, exist_ok=True)
        self._logs: dict[str, IO[str]] = {
            each.name: (logs / f"{each.name.replace('/', '_')}.log").open("w", encoding="utf-8", buffering=1)
            for each in self.processes
        }
        self._width = max(map(len, self._logs))

    def run(self, chaos: Chaos | None) -> None:
        """Run the job until the chief has ended, as Vertex AI does, and the workers after it.

        Raises:
            DataError: a process has failed; Vertex AI would end the job.
        """
        for each in self.processes:
            self._start(each)
        chief = self.processes[0]
        others = [each for each in self.processes if each.role in ("worker", "evaluator")]
        end = None
        while end is None or (time.monotonic() < end and any(each.status is None for each in others)):
            self._handle_line()
            for each in self.processes:
                if each.kill_at is not None and time.monotonic() >= each.kill_at:
                    each.kill()
                if each.start_at is not None and time.monotonic() >= each.start_at:
                    self._start(each)
            if chaos and (due := chaos.due(self.processes, self.global_step)):
                self._preempt(*due)
            if end is None and chief.status == 0:
                end = time.monotonic() + GRACE_SECS

    def stop(self) -> None:
        """End all processes that are left, such as parameter servers, which never end by themselves."""
        for each in self.processes:
            each.kill()
        for log in self._logs.values():
            log.close()

    def _start(self, process: ClusterProcess) -> None:
        process.start(self._command)
        threading.Thread(target=self._read, args=(process, process.process), daemon=True).start()

    def _read(self, owner: ClusterProcess, process: subprocess.Popen) -> None:
        for line in process.stdout:
            self._lines.put((owner, line.rstrip("\n")))
        process.wait()
        self._lines.put((owner, None))

    def _preempt(self, process: ClusterProcess, event: Preemption) -> None:
        process.restarts.append(self.global_step)
        how = "with a warning" if event.warned else "without a warning"
        self._show(process, f"*** preempted at step {self.global_step}, {how}; away for {event.away_secs:.1f} s")
        process.preempt(event.warned, event.away_secs)

    def _handle_line(self) -> None:
        """Handle one line of a process, or the news that it has ended."""
        try:
            process, line = self._lines.get(timeout=0.1)
        except queue.Empty:
            return
        if line is None:
            self._handle_end(process)
        elif line.startswith('{"replica"'):
            self._count_step(process, json.loads(line)["global_step"])
            self._logs[process.name].write(f"{line}\n")
        else:
            self._show(process, line)

    def _handle_end(self, process: ClusterProcess) -> None:
        if process.away_secs is not None:
            process.start_at = time.monotonic() + process.away_secs
            process.away_secs = process.kill_at = None
            return
        process.status = process.process.returncode
        if process.status == replicas.EXIT_RESTART:
            process.restarts.append(self.global_step)
            self._start(process)
        elif process.status:
            problem = f"{process.name} ended with status {process.status}; see {self._logs[process.name].name}"
            raise DataError([problem], "all processes were stopped, as Vertex AI does")

    def _count_step(self, process: ClusterProcess, global_step: int) -> None:
        process.steps += 1
        self.last_step_at = time.monotonic()
        self.first_step_at = self.first_step_at or self.last_step_at
        if process.away_secs is None and len(process.rejoined) < len(process.restarts):  # not its last steps
            process.rejoined.append(global_step)
        # Only the chief goes back, to a checkpoint; a line of another process may be older than the newest.
        self.global_step = global_step if process.role == "chief" else max(self.global_step, global_step)

    def _show(self, process: ClusterProcess, line: str) -> None:
        self._logs[process.name].write(f"{line}\n")
        print(f"{process.name:{self._width}} | {line}", flush=True)
