"""The processes of a training cluster on loopback: started, shown, and stopped as Vertex AI does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scripts.lib.core.errors import DataError

POOLS = {"chief": "workerpool0", "worker": "workerpool1", "ps": "workerpool2", "evaluator": "workerpool3"}
GRACE_SECS = 60.0  # for the workers to notice that the last step is done


def environments(workers: int, parameter_servers: int, evaluator: bool) -> dict[str, dict[str, str]]:
    """Return the variables that Vertex AI would set in each process: "chief/0", "worker/1", ... -> the variables."""
    counts = {"chief": 1, "worker": workers, "ps": parameter_servers, "evaluator": int(evaluator)}
    ports = iter(_free_ports(sum(counts.values())))
    hosts = {role: [f"127.0.0.1:{next(ports)}" for _ in range(count)] for role, count in counts.items() if count}
    pools = {POOLS[role]: addresses for role, addresses in hosts.items()}
    hosts.pop("evaluator", None)  # TF_CONFIG does not tell of it

    def variable(addresses: dict, task_type: str, index: int) -> str:
        return json.dumps({"cluster": addresses, "task": {"type": task_type, "index": index}, "environment": "cloud"})

    return {
        f"{role}/{index}": {
            "TF_CONFIG": variable(hosts, role, index),
            "CLUSTER_SPEC": variable(pools, POOLS[role], index),
        }
        for role, count in counts.items()
        for index in range(count)
    }


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:  # all open at once, so that no port comes twice
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def run(variables: Mapping[str, Mapping[str, str]], command: Sequence[str], logs: Path) -> None:
    """Run the command in each process until the chief, the workers and the evaluator have ended; stop all processes.

    Args:
        variables: as `environments` returns them.
        command: what each process runs.
        logs: folder for a file of output per process.

    Raises:
        DataError: a process has failed; Vertex AI would end the job.
    """
    logs.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        processes = {
            name: stack.enter_context(_running(name, command, own, _log(logs, name))) for name, own in variables.items()
        }
        end = None
        while end is None or time.monotonic() < end:
            statuses = {name: process.poll() for name, process in processes.items()}
            if failed := next((name for name, status in statuses.items() if status), None):
                problem = f"{failed} ended with status {statuses[failed]}; see {_log(logs, failed)}"
                raise DataError([problem], "all processes were stopped, as Vertex AI does")
            if all(status == 0 for name, status in statuses.items() if not name.startswith("ps/")):
                return
            if end is None and statuses["chief/0"] == 0:
                end = time.monotonic() + GRACE_SECS
            time.sleep(0.1)


def _log(logs: Path, name: str) -> Path:
    return logs / f"{name.replace('/', '_')}.log"


@contextlib.contextmanager
def _running(name: str, command: Sequence[str], own: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen]:
    """Run a process out of reach of this terminal's Ctrl-C, and end it and what it has started with the block."""
    environment = {**os.environ, **own, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    environment["no_proxy"] = ",".join(filter(None, (os.environ.get("no_proxy"), "127.0.0.1")))
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="backslashreplace",
        env=environment,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    reader = threading.Thread(target=_show, args=(name, process, log), daemon=True)
    reader.start()
    try:
        yield process
    finally:
        if os.name == "nt":
            process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join()


def _show(name: str, process: subprocess.Popen, log: Path) -> None:
    with log.open("w", encoding="utf-8", buffering=1) as file:
        for line in process.stdout:
            file.write(line)
            print(f"{name:<11} | {line}", end="", flush=True)
