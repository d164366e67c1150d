"""Evaluations between the steps of a training: the best checkpoint is kept, and no gain for long ends the training.

eval.py does them, in a process of its own, so that the trainer's graph and memory stay as they are, and on the CPU,
since the trainer holds the GPU. It runs beside the training; where it has not ended when the next one is due, the
training waits.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import files
from scripts.lib.evaluation import metrics_file
from scripts.lib.evaluation.metrics_file import Evaluation
from scripts.lib.training import log as training_log

BEST = "best"  # in train_dir: the best checkpoint, its config and metrics.json
EVALUATIONS = "evaluations.jsonl"  # in train_dir: a line an evaluation
_PREPARED = ".evaluating-"  # in train_dir: the checkpoint that is being evaluated
_FORMER = ".former"  # of files.replace_folder
_METRICS = "metrics.json"
_LOG = "evaluation.log"
_SCRIPT = files.default_path("scripts/eval.py")


class Running(NamedTuple):
    """An evaluation that is under way."""

    step: int
    folder: Path
    process: subprocess.Popen
    start: float


class TrainingEvaluations:
    """The evaluations of one training folder, those of earlier runs included.

    Args:
        train_dir: the training's folder.
        config_path: pipeline config with the evaluation's input.
        eval_dir: folder for event files and metrics.json, as eval.py writes them.
        every: steps between two evaluations.
        patience: evaluations without gain that end the training; None: it never ends so.
        target: mAP@0.5 that ends the training; None: none does.
        verbose: as eval.py's.

    Attributes:
        say: prints a line; whoever shows something else in the terminal sets it.
        best: the best evaluation so far, or None. Of equal ones the first.
    """

    def __init__(
        self,
        train_dir: Path,
        config_path: Path,
        eval_dir: Path,
        every: int,
        patience: int | None = None,
        target: float | None = None,
        verbose: bool = False,
    ):
        self._train_dir, self._config_path, self._eval_dir = Path(train_dir), Path(config_path), Path(eval_dir)
        self._every, self._patience, self._target, self._verbose = every, patience, target, verbose
        self.say: Callable[[str], None] = functools.partial(print, flush=True)
        self._running: Running | None = None
        _tidy(self._train_dir)
        self.best = read_best(self._train_dir)
        self._steps = [line["step"] for line in training_log.read(self._train_dir / EVALUATIONS)]

    @property
    def without_gain(self) -> int:
        """Evaluations since the best one."""
        return sum(step > self.best.global_step for step in self._steps) if self.best else 0

    @property
    def end_reached(self) -> str | None:
        """Why the training is to end, or None."""
        if self._target is not None and self.best and mean_ap(self.best) >= self._target:
            return f"mAP@0.5 {mean_ap(self.best):.3f} is reached"
        if self._patience and self.without_gain >= self._patience:
            return f"no gain in the last {self.without_gain} evaluations (--patience {self._patience})"
        return None

    def is_due(self, step: int) -> bool:
        """Whether a checkpoint of this step is to be saved and evaluated; steps may be left out (several replicas)."""
        started = max([*self._steps, self._running.step if self._running else 0], default=0)
        return step // self._every > started // self._every

    def best_text(self) -> str:
        """A sentence about the best checkpoint."""
        place = files.shown_path(self._train_dir / BEST)
        return f"The best: mAP@0.5 {mean_ap(self.best):.3f} at step {self.best.global_step}, its checkpoint in {place}."

    def forget_after(self, step: int) -> None:
        """Of a training that goes on from an earlier checkpoint than it had reached: what came after does not count."""
        self._steps = [evaluated for evaluated in self._steps if evaluated <= step]

    def start(self, prefix: Path | str) -> None:
        """Starts the evaluation of a checkpoint, when the one before has ended."""
        self.finish()
        step = checkpoint_files.step_of(prefix)
        folder = self._train_dir / f"{_PREPARED}{step}-{os.getpid()}"
        copy_checkpoint(Path(prefix), folder)
        shutil.copyfile(self._config_path, folder / "pipeline.config")
        command = [
            sys.executable,
            str(_SCRIPT),
            "--run_once",
            *(["--verbose"] if self._verbose else []),
            "--pipeline_config_path",
            str(folder / "pipeline.config"),
            "--checkpoint_dir",
            str(folder),
            "--eval_dir",
            str(self._eval_dir),
        ]
        self._eval_dir.mkdir(parents=True, exist_ok=True)
        with (self._eval_dir / _LOG).open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=_environment(), **_APART
            )
        self._running = Running(step, folder, process, time.monotonic())

    def evaluate(self, prefix: Path | str) -> None:
        """Evaluates a checkpoint, unless that has been done, and waits for the result."""
        try:
            if not self.has(checkpoint_files.step_of(prefix)):
                self.start(prefix)
            self.finish()
        finally:
            self.abandon()

    def poll(self) -> None:
        """Takes the result of an evaluation that has ended."""
        if self._running and self._running.process.poll() is not None:
            running, self._running = self._running, None
            try:
                self._take(running)
            finally:
                shutil.rmtree(running.folder, ignore_errors=True)

    def finish(self) -> None:
        """Waits for the evaluation that is under way."""
        if self._running:
            self._running.process.wait()
            self.poll()

    def abandon(self) -> None:
        """Ends the evaluation that is under way, without its result."""
        if self._running:
            running, self._running = self._running, None
            running.process.kill()
            running.process.wait()
            shutil.rmtree(running.folder, ignore_errors=True)

    def has(self, step: int) -> bool:
        """Whether the checkpoint of a step has been evaluated, or is being."""
        return step in self._steps or bool(self._running and self._running.step == step)

    def _take(self, running: Running) -> None:
        log = self._eval_dir / _LOG
        result = None
        with contextlib.suppress(OSError, ValueError, KeyError):
            result = metrics_file.read(self._eval_dir / _METRICS)
        status = running.process.returncode
        if status or result is None or result.global_step != running.step:
            last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no output"])[-1]
            self.say(
                f"Evaluation at step {running.step} failed (exit status {status}): {last} ({files.shown_path(log)})"
            )
            return
        ap = mean_ap(result)
        gains = not math.isnan(ap) and (self.best is None or ap > mean_ap(self.best))
        if gains:
            shutil.copyfile(self._eval_dir / _METRICS, running.folder / _METRICS)
            files.replace_folder(running.folder, self._train_dir / BEST)
            self.best = result
        self._steps.append(running.step)
        seconds = round(time.monotonic() - running.start, 1)
        line = {"step": running.step, "mAP@0.5": ap, "AP@0.5": metrics_file.class_aps(result), "seconds": seconds}
        training_log.append(self._train_dir / EVALUATIONS, line)
        self.say(f"Evaluation at step {running.step}: mAP@0.5 {ap:.3f} ({self._comparison(gains)})")

    def _comparison(self, gains: bool) -> str:
        if gains:
            where = "" if self._target else f", kept in {files.shown_path(self._train_dir / BEST)}"
            return f"the best so far{where}"
        if self.best is None:
            return "no class has ground truth in the record"
        of_patience = f" of {self._patience}" if self._patience else ""
        best = f"best {mean_ap(self.best):.3f} at step {self.best.global_step}"
        return f"{best}; {self.without_gain}{of_patience} without gain"


def mean_ap(evaluation: Evaluation) -> float:
    """mAP@0.5, or NaN where no class has ground truth."""
    return evaluation.metrics.get(metrics_file.MEAN_AP, math.nan)


def read_best(train_dir: Path) -> Evaluation | None:
    """The evaluation of the best checkpoint that is kept, or None."""
    try:
        return metrics_file.read(train_dir / BEST / _METRICS)
    except (OSError, ValueError, KeyError):
        return None


def copy_checkpoint(prefix: Path, folder: Path) -> None:
    """A folder with one checkpoint; its files are linked where that works, since the saver removes its own in time."""
    folder.mkdir()
    for path in prefix.parent.glob(f"{prefix.name}.*"):
        try:
            os.link(path, folder / path.name)
        except OSError:
            shutil.copyfile(path, folder / path.name)
    with files.atomic_write(folder / "checkpoint", "w") as file:
        file.write(f'model_checkpoint_path: "{prefix.name}"\nall_model_checkpoint_paths: "{prefix.name}"\n')


def _tidy(train_dir: Path) -> None:
    """What a killed run left: a best checkpoint that was about to be replaced is put back, copies are removed."""
    for path in sorted(train_dir.glob(f"{_PREPARED}*"), reverse=True):
        if path.name.endswith(_FORMER) and not (train_dir / BEST).exists():
            path.rename(train_dir / BEST)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _environment() -> dict[str, str]:
    """Of the evaluation's process: no replica of a cluster, and no GPU, whose memory the trainer holds."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    return {**environment, "CUDA_VISIBLE_DEVICES": "-1", "PYTHONUTF8": "1"}


# Ctrl+C in a terminal reaches all processes of its group; the trainer ends the evaluation itself.
_APART = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}
