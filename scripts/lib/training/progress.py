"""Shows how far a training is: step, loss, images per second, time left."""

from __future__ import annotations

import time
from collections import deque

from scripts.lib.core.progress import StatusLine, duration
from scripts.lib.training.loop import TrainingStep

_WINDOW_SECONDS = 60.0  # over which the speed is measured


class TrainingProgress:
    """Measures the speed and shows the state.

    Args:
        num_steps: at which the training ends; 0: never by itself.
        batch_size: images per step, of all replicas together where they are synchronous.
        name: of a worker, which precedes its lines; empty: the only process, or the master.
        every_step: print a line for each step.
    """

    def __init__(self, num_steps: int, batch_size: int, name: str = "", every_step: bool = False):
        self.line = StatusLine(rewritten=False if name or every_step else None)
        self._num_steps, self._batch_size, self._name, self._every_step = num_steps, batch_size, name, every_step
        self._points: deque[tuple[float, int]] = deque()  # (time, step) at the end of each step

    @property
    def images_per_second(self) -> float | None:
        """Return the speed in the last minute, or None before the second step."""
        if len(self._points) < 2:
            return None
        (start, first), (end, last) = self._points[0], self._points[-1]
        return (last - first) * self._batch_size / (end - start) if end > start else None

    def after_step(self, step: TrainingStep) -> None:
        now = time.monotonic()
        while len(self._points) > 2 and now - self._points[0][0] > _WINDOW_SECONDS:
            self._points.popleft()
        special = self._every_step or not self._points or step.number == self._num_steps
        self._points.append((now, step.number))
        self.line.update(lambda: self.text(step), now=special)

    def text(self, step: TrainingStep) -> str:
        """Return e.g. "step 120/1000: loss 2.345, 41.3 images/s, 5 min 10 s left"."""
        name = f"{self._name}: " if self._name else ""
        of_all = f"/{self._num_steps}" if self._num_steps else ""
        text = f"{name}step {step.number}{of_all}: loss {step.loss:.3f}"
        if speed := self.images_per_second:
            text += f", {speed:.1f} images/s"
            if self._num_steps > step.number:
                text += f", {duration((self._num_steps - step.number) * self._batch_size / speed)} left"
        return text
