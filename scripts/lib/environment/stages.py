"""The stages of a longer run: they are announced, and their durations are kept."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from scripts.lib.core.progress import duration


class Stages:
    """Announces the stages of a run and keeps their durations.

    Attributes:
        seconds: stage -> its duration, in the order in which they ended.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Print the title, and how long the block took when it has ended."""
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
        """Return the stages with their durations, and the total, a line each."""
        rows = [*self.seconds.items(), ("total", sum(self.seconds.values()))]
        width = max(len(title) for title, _ in rows)
        return "\n".join(f"  {title:<{width}}  {duration(seconds):>10}" for title, seconds in rows)
