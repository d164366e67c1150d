"""Progress: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

QUIET_SECONDS = 2.0  # nothing is shown for work that is done sooner
LINE_SECONDS = 10.0  # between two lines where output is no terminal


def progress(items: Iterable[Item], description: str, total: int | None = None, unit: str = "image") -> Iterator[Item]:
    """Yields the items; shows on stderr how many are done, how many a second, and the time left.

    Args:
        items: what is worked through.
        description: what is being done, e.g. "decoding".
        total: how many items there are; taken from `len(items)` where it can be.
        unit: what one item is, in the singular.
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    if sys.stderr.isatty():
        from tqdm import tqdm  # here, since it takes as long to import as all else of a data script

        yield from tqdm(
            items, description, total, unit=f" {unit}s", delay=QUIET_SECONDS, leave=False, dynamic_ncols=True
        )
    else:
        yield from _with_lines(items, description, total, unit)


def _with_lines(items: Iterable[Item], description: str, total: int | None, unit: str) -> Iterator[Item]:
    start = last_line = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last_line >= LINE_SECONDS:
            last_line = now
            rate = done / (now - start)
            of_total = f"/{total}" if total else ""
            left = f", {(total - done) / rate:.0f} s left" if total else ""
            print(f"{description}: {done}{of_total} {unit}s, {rate:.1f} a second{left}", file=sys.stderr, flush=True)
