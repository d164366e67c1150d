"""Run programs, measure their time and memory, and show the results."""

from __future__ import annotations

import dataclasses
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.parallel import available_cores

MEGABYTE = 2**20
CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16")  # as /proc/cpuinfo names them
_SAMPLE_SECONDS = 0.05


@dataclasses.dataclass(frozen=True)
class Run:
    """Time and memory of one run of a program.

    Attributes:
        wall: seconds from its start to its end.
        cpu: seconds of processor time of all its processes; None on Windows.
        peak_bytes: memory at its highest, of its largest process (see `run`); None on Windows.
        output: what it printed.
    """

    wall: float
    cpu: float | None
    peak_bytes: int | None
    output: str = ""

    def __str__(self) -> str:
        return f"{self.wall:.2f} s" if self.cpu is None else f"{self.wall:.2f} s (CPU {self.cpu:.2f} s)"


@dataclasses.dataclass(frozen=True)
class Result:
    """One target and what was measured.

    Attributes:
        what: what is measured.
        target: the bound; None: not judged here.
        measured: by wall time, or memory.
        by_cpu: the same by CPU time, which other programs on the machine disturb less; None where it says nothing.
        unit: of all three.
        at_least: whether the target is a lower bound.
        detail: the figures behind it.
    """

    what: str
    target: float | None
    measured: float | None
    unit: str
    by_cpu: float | None = None
    at_least: bool = False
    detail: str = ""

    @property
    def met(self) -> bool | None:
        if self.measured is None or self.target is None:
            return None
        return self.measured >= self.target if self.at_least else self.measured < self.target

    def as_json(self) -> dict:
        return {**dataclasses.asdict(self), "met": self.met}

    def cells(self) -> tuple[str, ...]:
        bound = "" if self.target is None else f"{'>=' if self.at_least else '<'} {self._text(self.target)}"
        met = {None: "not measured here" if self.measured is None else "not judged", True: "yes", False: "NO"}[self.met]
        return self.what, bound, self._text(self.measured), self._text(self.by_cpu), met, self.detail

    def _text(self, value: float | None) -> str:
        if value is None:
            return ""
        return f"{value:.0f} {self.unit}" if self.unit == "MB" else f"{value:.2f} {self.unit}"


def best(runs: Sequence[Run]) -> Run:
    """Return the lowest wall and CPU times of several runs, and the highest memory."""
    return Run(
        min(run.wall for run in runs),
        None if runs[0].cpu is None else min(run.cpu for run in runs),
        None if runs[0].peak_bytes is None else max(run.peak_bytes for run in runs),
    )


def ratio(what: str, target: float | None, slow: Run, fast: Run, slow_name: str) -> Result:
    """Return how many times as fast as `slow` the run `fast` is."""
    by_cpu = slow.cpu / fast.cpu if fast.cpu else None  # Windows counts in steps of 16 ms: 0 for what is shorter
    detail = f"{fast}; {slow_name} {slow}"
    return Result(what, target, slow.wall / fast.wall, "x", by_cpu, at_least=True, detail=detail)


def memory(what: str, target_megabytes: float, run: Run) -> Result:
    measured = None if run.peak_bytes is None else run.peak_bytes / MEGABYTE
    return Result(what, target_megabytes, measured, "MB", detail=str(run))


def in_turns(commands: Sequence[Sequence[str | Path]], turns: int) -> list[list[Run]]:
    """Run Python programs in turns; return the runs of each."""
    return list(zip(*([run(command) for command in commands] for _ in range(turns)), strict=True))


def run(command: Sequence[str | Path], watch_children: bool = False) -> Run:
    """Run `python *command` in the repository root and measure it.

    Args:
        command: arguments of Python.
        watch_children: measure, on Linux, the memory of all its processes together; that slows it down a little.

    Raises:
        RuntimeError: it failed; has what it printed.
    """
    arguments = [sys.executable, *map(str, command)]
    start = time.perf_counter()
    process = subprocess.Popen(
        arguments,
        cwd=files.REPOSITORY_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    with _MemoryWatch(process.pid if watch_children else None) as watch:
        output = process.stdout.read()
        cpu, peak_bytes = _wait(process)
    wall = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with status {process.returncode}:\n{output}")
    return Run(wall, cpu, None if peak_bytes is None else max(peak_bytes, watch.peak_bytes), output)


def _wait(process: subprocess.Popen) -> tuple[float | None, int | None]:
    """Wait for the end; return CPU seconds including child processes, and the memory of the largest process."""
    if not hasattr(os, "wait4"):
        process.wait()
        return None, None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit


class _MemoryWatch:
    """Samples the memory of a process and its children on Linux, twenty times a second."""

    def __init__(self, pid: int | None):
        self.pid = pid
        self.peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _MemoryWatch:
        if self.pid and sys.platform == "linux":
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.ident:
            self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, sum(map(_resident_bytes, [self.pid, *_children(self.pid)])))


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for thread in Path(f"/proc/{pid}/task").iterdir()
            for child in (thread / "children").read_text().split()
        ]
    except OSError:  # it has just ended
        return []


def _resident_bytes(pid: int) -> int:
    """Return the memory of a process, shared memory in proportion (proc(5), Pss)."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def machine() -> dict[str, str | int | list[float] | list[str] | None]:
    """Return what identifies this machine."""
    return {
        "cores": available_cores(),
        "cpu": _cpu_info("model name") or platform.processor() or platform.machine(),
        "cpu_flags": [flag for flag in CPU_FLAGS if flag in _cpu_info("flags").split()],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def _cpu_info(name: str) -> str:
    """Return what Linux says of the first core, "" elsewhere."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.partition(":")[0].strip() == name:
                return line.partition(":")[2].strip()
    return ""


def report(machine: dict, results: Sequence[Result]) -> str:
    """Return the table of the results, and the machine."""
    rows = [("what", "target", "measured", "by CPU time", "met", "figures"), *(result.cells() for result in results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    load = f", load {machine['load'][0]:.1f} at the start" if machine["load"] else ""
    cpu = f"{machine['cpu']} ({', '.join(machine['cpu_flags']) or 'instructions not known'})"
    lines.append(f"\n{cpu}, {machine['cores']} cores{load}; {machine['system']}, Python {machine['python']}")
    return "\n".join(lines)
