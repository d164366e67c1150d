"""Watches the steps of a training: shows and logs them, and decides when to save, to evaluate and to end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.training.evaluations import TrainingEvaluations
from scripts.lib.training.log import TrainingLog
from scripts.lib.training.loop import NonFiniteLossError, TrainingStep
from scripts.lib.training.progress import TrainingProgress

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]  # Windows'


class Interruption:
    """The request to end the training by Ctrl+C or another signal, if there was one."""

    def __init__(self) -> None:
        self.signal: int | None = None  # its number

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
            with self._console_events() if files.ON_WINDOWS else contextlib.nullcontext():
                yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def _console_events(self) -> Iterator[None]:
        """Note in this block, on Windows, what its console tells and Python does not."""
        handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(self._on_console_event)
        ctypes.windll.kernel32.SetConsoleCtrlHandler(handler, True)
        try:
            yield
        finally:
            ctypes.windll.kernel32.SetConsoleCtrlHandler(handler, False)

    def _on_console_event(self, event: int) -> bool:
        """Note on Windows, in a thread of its own, that the window is closed or the user logs off."""
        if event < 2:  # Ctrl+C and Ctrl+Break, which Python's own handler takes
            return False
        self._note(signal.SIGTERM, None)
        time.sleep(60)  # after five seconds, or when this returns, Windows ends the process
        return True

    def _note(self, number: int, _frame) -> None:
        again = self.signal is not None
        self.signal = number
        ending = "\nEnding after this step, with a checkpoint (Ctrl+C again ends at once, without one)."
        text = "interrupted" if again else ending
        with contextlib.suppress(OSError):
            os.write(2, f"{text}\n".encode())  # Python's own stream may be in use when the signal comes
        if again:
            os._exit(128 + number)


class TrainingObserver:
    """The observer of a training's steps, which `loop` calls.

    Args:
        progress: shows the state.
        log: writes it to a file; None: no file.
        evaluations: between the steps; None: none.
        save_every_steps: steps between two checkpoints; None: only time counts.
        save_every_secs: seconds between two checkpoints.
    """

    def __init__(
        self,
        progress: TrainingProgress,
        log: TrainingLog | None,
        evaluations: TrainingEvaluations | None,
        save_every_steps: int | None,
        save_every_secs: float,
    ):
        self.interruption = Interruption()
        self.last_step: TrainingStep | None = None  # that was done
        self._progress, self._log, self._evaluations = progress, log, evaluations
        self._save_every_steps, self._save_every_secs = save_every_steps, save_every_secs
        self._save: Callable[[], str] | None = None  # of the only process, or the master
        self._last_save = time.monotonic()
        if evaluations:
            evaluations.say = progress.line.say

    @contextlib.contextmanager
    def observe(self, train_dir: str) -> Iterator[None]:
        """Run the trainer in this block; then its last checkpoint is evaluated. No evaluation outlives the block.

        Raises:
            DataError: the loss was not finite.
        """
        try:
            with contextlib.ExitStack() as self._signals:
                yield
            if self._evaluations and self._save and not self.interruption.signal and not self._evaluations.end_reached:
                self._evaluations.evaluate(checkpoint_files.latest(train_dir))
        except NonFiniteLossError as error:
            raise DataError([self._explain(error)], f"the checkpoints up to there are in {train_dir}") from error
        finally:
            self._progress.line.clear()
            if self._evaluations:
                self._evaluations.abandon()

    def begin(self, is_chief: bool, save: Callable[[], str]) -> None:
        self._signals.enter_context(self.interruption.awaited())
        if is_chief:
            self._save, self._last_save = save, time.monotonic()

    def after_step(self, step: TrainingStep) -> bool:
        former, self.last_step = self.last_step.number if self.last_step else step.number - 1, step
        self._progress.after_step(step)
        ends = self.interruption.signal is not None
        if not self._save:
            return ends
        if self._log:
            self._log.after_step(step, self._progress.images_per_second)
        evaluates = bool(self._evaluations and not ends and self._evaluations.is_due(step.number))
        every = self._save_every_steps
        is_save_due = every and step.number // every > former // every
        if evaluates or is_save_due or time.monotonic() - self._last_save >= self._save_every_secs:
            prefix = self._save()
            self._last_save = time.monotonic()
            if evaluates:
                self._evaluations.start(prefix)
        if self._evaluations:
            self._evaluations.poll()
            ends = ends or self._evaluations.end_reached is not None
        return ends

    def _explain(self, error: NonFiniteLossError) -> str:
        which, before = "this run's first step", ""
        if self.last_step:
            which, before = f"step {self.last_step.number + 1}", f", after {self.last_step.loss:.3f}"
        return (
            f"the loss of {which} is infinite or not a number{before}:\n{error}\n"
            "  likely causes: a learning rate that is too high (try a tenth of it, or gradient_clipping_by_norm: 10 in "
            "train_config), or boxes of a record that generate_tfrecord.py did not make and check"
        )
