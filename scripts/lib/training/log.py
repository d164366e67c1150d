"""The training's log for programs: one line of JSON every so many steps."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

from scripts.lib.training.hooks.loop import Step

FILE_NAME = "training_log.jsonl"


def append(path: Path | str, content: dict) -> None:
    """Appends one line, whole or, where the process is killed meanwhile, cut off: the next one starts anew then.

    A number that is infinite or none, which JSON has not, becomes null.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(_finite(content), ensure_ascii=False, allow_nan=False).encode()
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line + b"\n")


def read(path: Path | str) -> list[dict]:
    """The lines of a log in order of their steps; a step that was done again counts as it came last.

    Lines that are cut off are left out; where there is no file, there are no lines.
    """
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    by_step = {}
    for line in text.splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            continue
        by_step[content["step"]] = content
    return [content for _, content in sorted(by_step.items())]


class TrainingLog:
    """Writes a line with step, loss and its parts, learning rate, images a second, and times.

    Args:
        train_dir: folder of the file; a run that goes on appends to it.
        every: steps between two lines.
    """

    def __init__(self, train_dir: Path | str, every: int):
        self._path, self._every = Path(train_dir) / FILE_NAME, every
        self._start = time.monotonic()

    def after_step(self, step: Step, images_per_second: float | None) -> None:
        if step.number % self._every == 0:
            append(
                self._path,
                {
                    "step": step.number,
                    "loss": step.loss,
                    "losses": step.losses,
                    "learning_rate": step.learning_rate,
                    "images_per_second": images_per_second and round(images_per_second, 2),
                    "seconds": round(time.monotonic() - self._start, 2),  # since the start of this run
                    "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                },
            )


def _finite(value):
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
