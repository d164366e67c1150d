"""Ctrl+C, and other signals that ask the process to end, during the steps of a training."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]  # Windows'


class Interruption:
    """The request to end the training, if there was one.

    Attributes:
        signal: the signal's number, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def exit_status(self) -> int:
        """Return 0, or what shells report for a signal: 130 for Ctrl+C, 143 for SIGTERM."""
        return 128 + self.signal if self.signal else 0

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Note the first signal in this block instead of ending the process; a second one ends it.

        A step that is being computed cannot be left: the training ends when it is done.
        """
        former = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame) -> None:
        if self.signal is not None:
            _write_to_stderr("interrupted\n")
            os._exit(128 + number)
        self.signal = number
        _write_to_stderr("\nEnding after this step, with a checkpoint (again: at once, without one).\n")


def _write_to_stderr(text: str) -> None:
    """Write without Python's own stream, which may be in use when the signal comes."""
    with contextlib.suppress(OSError):
        os.write(2, text.encode())
