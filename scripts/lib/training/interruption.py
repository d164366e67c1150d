"""Ctrl+C, and what else asks a process to end, while a training is in its steps."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]  # Windows'


class Interruption:
    """Whether the run has been asked to end.

    Attributes:
        signal: the signal's number, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def exit_status(self) -> int:
        """As shells report a signal: 130 for Ctrl+C, 143 for SIGTERM."""
        return 128 + self.signal if self.signal else 0

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """While the block runs, the first signal is noted here instead of ending the process; a second one ends it.

        A step that is being computed cannot be left, so that the first is heeded when the step is done.
        """
        former = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame) -> None:
        if self.signal is None:
            self.signal = number
            _say("\nEnding after this step, with a checkpoint (again: at once, without one).\n")
        else:
            _say("interrupted\n")
            os._exit(128 + number)


def _say(text: str) -> None:
    """Straight to stderr: the signal may have come while Python's own stream was being written."""
    with contextlib.suppress(OSError):
        os.write(2, text.encode())
