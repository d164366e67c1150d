"""Watches the steps of a training: shows and logs them, and decides when to save, to evaluate and to end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core.errors import DataError
from scripts.lib.training.evaluations import TrainingEvaluations
from scripts.lib.training.hooks.loop import TrainingStep
from scripts.lib.training.hooks.step_tensors import NonFiniteLossError
from scripts.lib.training.interruption import Interruption
from scripts.lib.training.log import TrainingLog
from scripts.lib.training.progress import TrainingProgress

_LIKELY_CAUSES = (
    "a learning rate that is too high (try a tenth of it, or gradient_clipping_by_norm: 10 in train_config), "
    "or boxes of a record that generate_tfrecord.py did not make and check"
)


class TrainingObserver:
    """The observer of a training's steps, which `hooks.loop` calls.

    Args:
        progress: shows the state.
        log: writes it to a file; None: no file.
        evaluations: between the steps; None: none.
        save_every_steps: steps between two checkpoints; None: only time counts.
        save_every_secs: seconds between two checkpoints.

    Attributes:
        interruption: the signal that asked the training to end, if any.
        last_step: the last step that was done, or None.
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
        self.last_step: TrainingStep | None = None
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
        if every and step // every > former // every:
            return True
        return time.monotonic() - self._last_save >= self._save_every_secs

    def _explain(self, error: NonFiniteLossError) -> str:
        parts = ", ".join(f"{name} {value}" for name, value in error.losses.items())
        rate = f"; learning rate {error.learning_rate}" if error.learning_rate else ""
        which, before = "this run's first step", ""
        if self.last_step:
            which, before = f"step {self.last_step.number + 1}", f", after {self.last_step.loss:.3f}"
        return (
            f"the loss of {which} is infinite or not a number{before}:\n"
            f"  {parts}{rate}\n"
            f"  images of the batch: {', '.join(error.filenames)}\n"
            f"  likely causes: {_LIKELY_CAUSES}"
        )
