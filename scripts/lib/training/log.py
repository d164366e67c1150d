"""The training's log for programs: a line of JSON every few steps."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

from scripts.lib.core import files, json_text
from scripts.lib.evaluation import metrics_file
from scripts.lib.training.loop import TrainingStep

FILE_NAME = "training_log.jsonl"
_NUMBER = (float, type(None))
_SHAPE = {"step": int, "loss?": _NUMBER, "losses?": {str: _NUMBER}}


def append(path: Path | str, content: dict) -> None:
    """Append one line; after one that a killed process left unfinished, on a new line.

    A number that is not finite, which JSON does not have, becomes null.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(metrics_file.finite_or_null(content), ensure_ascii=False, allow_nan=False).encode()
    with files.naming(path), path.open("ab+") as file:
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line + b"\n")


def read(path: Path | str) -> list[dict]:
    """Return the lines of a log by step: of a step that was repeated the last one, of a missing file none.

    Unfinished lines are left out.
    """
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    by_step = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            content = json_text.parse(line, _SHAPE)
            by_step[content["step"]] = content
    return [content for _, content in sorted(by_step.items())]


class TrainingLog:
    """Writes loss and its parts, learning rate, speed and times `every` so many steps to the file in `train_dir`."""

    def __init__(self, train_dir: Path | str, every: int):
        self._path, self._every = Path(train_dir) / FILE_NAME, every
        self._start = time.monotonic()

    def after_step(self, step: TrainingStep, images_per_second: float | None) -> None:
        if step.number % self._every:
            return
        line = {"step": step.number, "loss": step.loss, "losses": step.losses, "learning_rate": step.learning_rate}
        line["images_per_second"] = images_per_second and round(images_per_second, 2)
        line["seconds"] = round(time.monotonic() - self._start, 2)  # since the start of this run
        line["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        append(self._path, line)
