"""The stages of a longer run: what is being done, and how long each took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Stages:
    """Announces the stages of a run and keeps their durations.

    Attributes:
        seconds: stage -> how long it took, in the order in which they ended.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Prints the title, and when the block has ended how long it took."""
        print(f"\n=== {title}", flush=True)
        start = time.monotonic()
        try:
            yield
        except BaseException:
            print(f"=== {title}: stopped after {duration(time.monotonic() - start)}", flush=True)
            raise
        self.seconds[title] = time.monotonic() - start
        print(f"=== {title}: {duration(self.seconds[title])}", flush=True)

    def table(self) -> str:
        """All stages with their durations and the sum, a line each."""
        rows = [*self.seconds.items(), ("total", sum(self.seconds.values()))]
        width = max(len(title) for title, _ in rows)
        return "\n".join(f"  {title:<{width}}  {duration(seconds):>10}" for title, seconds in rows)


def duration(seconds: float) -> str:
    """E.g. "4.2 s", "3 min 05 s", "166 h 40 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min"
