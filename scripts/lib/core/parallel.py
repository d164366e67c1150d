"""Work on all cores, results in the order of the input."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from scripts.lib.core.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 3  # items in work or waiting, for each worker: enough to keep it busy, few enough for the memory


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def process_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `function(item)` of each item in order, for work that is Python's own: a process a core does it.

    Raises:
        DataError: the system has ended a process.
    """
    from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor  # which few scripts need

    num_processes = min(available_cores(), 61)  # as many as Windows can wait for
    try:
        with ProcessPoolExecutor(num_processes, multiprocessing.get_context("spawn"), _end_with_parent) as pool:
            yield from pool.map(function, items, chunksize=8)
    except BrokenProcessPool:
        remedy = "it ran out of memory, or was killed; close other programs, and run the command again"
        raise DataError([f"one of the {num_processes} processes at work has ended: {remedy}."]) from None


def _end_with_parent() -> None:
    """Let this process, one of `process_map`, end when its parent has, and leave Ctrl+C to that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item], num_workers: int) -> Iterator[Result]:
    """Yield `function(item)` of each item in order; at most a few items are processed ahead.

    The workers are threads: decoding, hashing and reading files release Python's interpreter lock, and threads start
    at once, share memory and behave the same on every platform. With one worker no thread is started: work that is
    mostly Python's own is faster without passing the lock around.
    """
    if num_workers == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(num_workers)
    pending = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= AHEAD * num_workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:  # the reader may have stopped early
        pool.shutdown(cancel_futures=True)
