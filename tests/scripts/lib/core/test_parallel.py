"""Work on all cores, results in order."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.lib.core import command_line, parallel
from scripts.lib.core.errors import DataError


def test_results_come_in_the_order_of_the_items():
    def slow_at_first(item):
        time.sleep(0.01 if item == 0 else 0)
        return item * item

    assert list(parallel.ordered_map(slow_at_first, range(50), 4)) == [item * item for item in range(50)]


def test_several_items_are_in_work_at_once():
    meeting = threading.Barrier(3, timeout=5)  # passes only if three are there together
    assert list(parallel.ordered_map(lambda item: meeting.wait() >= 0, range(6), 3)) == [True] * 6


def test_an_endless_input_is_taken_a_few_items_ahead():
    taken = []
    results = parallel.ordered_map(lambda item: item, (taken.append(item) or item for item in itertools.count()), 2)
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(taken) < 20
    results.close()


def end_without_a_word(item: int) -> int:
    if item == 20:
        os._exit(9)  # as the system ends a process when memory is short
    return item * item


def test_case_23_a_process_that_is_killed_ends_the_map_with_a_sentence():
    assert list(parallel.process_map(end_without_a_word, range(20))) == [item * item for item in range(20)]
    with pytest.raises(DataError, match="processes at work has ended: it ran out of memory, or was killed"):
        list(parallel.process_map(end_without_a_word, range(50)))


def test_an_exception_ends_the_map():
    with pytest.raises(ZeroDivisionError):
        list(parallel.ordered_map(lambda item: 1 // item, [1, 0, 1], 2))


def test_at_least_one_core_is_available():
    assert parallel.available_cores() >= 1


AT_WORK = """
import functools, sys, time
from pathlib import Path
from scripts.lib.core import command_line, parallel

def work(path, seconds):
    for _ in range(int(10 * seconds)):
        with Path(path).open("a") as file:
            file.write("x")
        time.sleep(0.1)

if __name__ == "__main__":
    function = functools.partial(work, seconds=float(sys.argv[2]))
    results = parallel.process_map(function, sys.argv[1:2] * 20)
    command_line.run(lambda argv: [time.sleep(60) for _ in results])
"""


@pytest.fixture
def start(tmp_path, repository_root):
    """Return a function that starts a process, the processes of which write to a file, each item for some seconds."""
    program, beats = tmp_path / "program.py", tmp_path / "beats"
    program.write_text(AT_WORK, encoding="utf-8")
    own_group = {} if os.name == "nt" else {"start_new_session": True}
    with contextlib.ExitStack() as stack:

        def started(seconds: float) -> tuple[subprocess.Popen, Path]:
            process = subprocess.Popen(
                [sys.executable, program, beats, str(seconds)],
                **{"env": {**os.environ, "PYTHONPATH": str(repository_root)}, "stderr": subprocess.PIPE, **own_group},
            )
            stack.callback(process.kill)
            wait_for(beats.exists)
            return process, beats

        yield started


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def has_stopped(beats: Path) -> bool:
    size = beats.stat().st_size
    time.sleep(0.5)
    return beats.stat().st_size == size


def test_the_processes_end_with_one_that_is_killed(start):
    process, beats = start(60)
    assert not has_stopped(beats)
    process.kill()
    process.wait()
    wait_for(lambda: has_stopped(beats))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal to a group of processes")
def test_ctrl_c_ends_the_map_without_tracebacks_of_the_processes(start):
    process, beats = start(0.1)
    wait_for(lambda: beats.stat().st_size == 20)  # all is done: the processes wait for more
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.communicate(timeout=30)[1] == b"interrupted\n"
    assert process.returncode == command_line.EXIT_INTERRUPTED
