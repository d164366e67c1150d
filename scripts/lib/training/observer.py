"""What a training does besides its steps: it tells how far it is, saves, evaluates, and ends when it is asked to."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core.errors import DataError
from scripts.lib.training.evaluations import TrainingEvaluations
from scripts.lib.training.hooks.loop import NonFiniteLossError, Step
from scripts.lib.training.interruption import Interruption
from scripts.lib.training.log import TrainingLog
from scripts.lib.training.progress import TrainingProgress

_LIKELY_CAUSES = (
    "a learning rate that is too high (try a tenth of it, or gradient_clipping_by_norm: 10 in train_config), "
    "or boxes of a record that generate_tfrecord.py did not make and check"
)


class TrainingRun:
    """The observer of the training's loop (`training_loop.Observer`).

    Args:
        progress: shows the state.
        log: writes it to a file; None: nowhere.
        evaluations: None: none between the steps.
        save_every_steps: steps between two checkpoints; None: only time counts.
        save_every_secs: seconds between two checkpoints.

    Attributes:
        interruption: who asked the run to end, if anyone.
        step: the last one that was done, or None.
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
        self.step: Step | None = None
        self._progress, self._log, self._evaluations = progress, log, evaluations
        self._save_every_steps, self._save_every_secs = save_every_steps, save_every_secs
        self._save: Callable[[], str] | None = None
        self._last_save = time.monotonic()
        if evaluations:
            evaluations.say = progress.line.say

    def observe(self, train: Callable[[], None], train_dir: Path | str) -> None:
        """Runs the trainer, then evaluates its last checkpoint if the run evaluates; no evaluation outlives this.

        Raises:
            DataError: the loss was not finite, or a checkpoint could not be written.
        """
        try:
            with contextlib.ExitStack() as self._signals:
                train()
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

    def after_step(self, step: Step) -> bool:
        former, self.step = self.step.number if self.step else step.number - 1, step
        self._progress.after_step(step)
        ends = self.interruption.signal is not None
        if self._save:  # the only replica, or the master
            if self._log:
                self._log.after_step(step, self._progress.images_per_second)
            evaluates = bool(self._evaluations and not ends and self._evaluations.is_due(step.number))
            if evaluates or self._is_save_due(former, step.number):
                prefix = self._save()
                self._last_save = time.monotonic()
                if evaluates:
                    self._evaluations.start(prefix)
            if self._evaluations:
                self._evaluations.poll()
                ends = ends or self._evaluations.end_reached is not None
        return ends

    def _is_save_due(self, former: int, step: int) -> bool:
        every = self._save_every_steps
        in_steps = every is not None and step // every > former // every
        return in_steps or time.monotonic() - self._last_save >= self._save_every_secs

    def _explain(self, error: NonFiniteLossError) -> str:
        parts = ", ".join(f"{name} {value}" for name, value in error.losses.items())
        rate = f"; learning rate {error.learning_rate}" if error.learning_rate else ""
        which, before = "this run's first step", ""
        if self.step:
            which, before = f"step {self.step.number + 1}", f", after {self.step.loss:.3f}"
        return (
            f"the loss of {which} is infinite or not a number{before}:\n"
            f"  {parts}{rate}\n"
            f"  images of the batch: {', '.join(error.filenames)}\n"
            f"  likely causes: {_LIKELY_CAUSES}"
        )
