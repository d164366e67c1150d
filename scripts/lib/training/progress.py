"""How far a training is: step, loss, images a second, time left."""

from __future__ import annotations

import time
from collections import deque

from scripts.lib.core.progress import StatusLine, duration
from scripts.lib.training.hooks.loop import Step

_WINDOW_SECONDS = 60.0  # over which the speed is measured


class TrainingProgress:
    """Keeps the speed and shows the state.

    Args:
        num_steps: at which the training ends; 0: never by itself.
        images_a_step: batch size, of all replicas together where they are synchronous.
        name: of the replica, ahead of its lines; empty: the only one, or the master.
        every_step: a line a step, as tf-slim's.

    Attributes:
        line: shows the state; further lines go through it.
    """

    def __init__(self, num_steps: int, images_a_step: int, name: str = "", every_step: bool = False):
        self.line = StatusLine(rewritten=False if name or every_step else None)
        self._num_steps, self._images_a_step, self._name, self._every_step = num_steps, images_a_step, name, every_step
        self._points: deque[tuple[float, int]] = deque()  # (time, step), from the first step on: that one takes long

    @property
    def images_per_second(self) -> float | None:
        """Over the last minute; None before the second step."""
        steps_per_second = self._steps_per_second()
        return steps_per_second and steps_per_second * self._images_a_step

    def after_step(self, step: Step) -> None:
        now = time.monotonic()
        while len(self._points) > 2 and now - self._points[0][0] > _WINDOW_SECONDS:
            self._points.popleft()
        special = self._every_step or not self._points or step.number == self._num_steps
        self._points.append((now, step.number))
        self.line.update(lambda: self.text(step), now=special)

    def text(self, step: Step) -> str:
        """E.g. "step 120/1000: loss 2.345, 41.3 images/s, 5 min 10 s left"."""
        of_all = f"/{self._num_steps}" if self._num_steps else ""
        text = f"{self._name and f'{self._name}: '}step {step.number}{of_all}: loss {step.loss:.3f}"
        speed = self._steps_per_second()
        if speed:
            text += f", {speed * self._images_a_step:.1f} images/s"
            if self._num_steps > step.number:
                text += f", {duration((self._num_steps - step.number) / speed)} left"
        return text

    def _steps_per_second(self) -> float | None:
        if len(self._points) < 2:
            return None
        (start, first), (end, last) = self._points[0], self._points[-1]
        return (last - first) / (end - start) if end > start else None
