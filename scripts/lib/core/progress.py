"""Progress: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

QUIET_SECONDS = 2.0  # nothing is shown for work that is done sooner
LINE_SECONDS = 10.0  # between two lines where output is not a terminal
REWRITE_SECONDS = 0.2  # between two states of a line in a terminal


def progress(items: Iterable[Item], description: str, total: int | None = None, unit: str = "image") -> Iterator[Item]:
    """Yield the items; show on stderr how many are done, how many a second, and the time left.

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
        return
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


class StatusLine:
    """Says on stderr how far a run is: one line that is rewritten in a terminal, a new line now and then in a log.

    Args:
        rewritten: None: where stderr is a terminal.
    """

    def __init__(self, rewritten: bool | None = None):
        self._rewritten = sys.stderr.isatty() if rewritten is None else rewritten
        self._seconds = REWRITE_SECONDS if self._rewritten else LINE_SECONDS
        self._last = float("-inf")
        self._length = 0

    def update(self, text: Callable[[], str], now: bool = False) -> None:
        """Show what `text` returns, unless the last update was a moment ago; `now` shows it in any case."""
        if now or time.monotonic() - self._last >= self._seconds:
            self._last = time.monotonic()
            if self._rewritten:
                self._rewrite(text()[: shutil.get_terminal_size().columns - 1])
            else:
                print(text(), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Print a line that stays, on stdout."""
        self.clear()
        print(text, flush=True)

    def clear(self) -> None:
        """Clear the terminal's line."""
        if self._length:
            self._rewrite("")
            print("\r", end="", file=sys.stderr, flush=True)

    def _rewrite(self, text: str) -> None:
        print(f"\r{text:<{self._length}}", end="", file=sys.stderr, flush=True)
        self._length = len(text)


@contextlib.contextmanager
def stage(title: str) -> Iterator[None]:
    """Print the title of a stage of a longer run, and how long the block took when it has ended."""
    print(f"\n=== {title}", flush=True)
    start = time.monotonic()
    end = "stopped after "
    try:
        yield
        end = ""
    finally:
        print(f"=== {title}: {end}{duration(time.monotonic() - start)}", flush=True)


def duration(seconds: float) -> str:
    """Return the duration as text, e.g. "4.2 s", "3 min 05 s", "166 h 40 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min"
