"""Evaluations between the steps of a training, which keep the best checkpoint and end a training without gain.

eval.py runs them beside the training, in a process of its own, so that the trainer's graph and memory stay as they are,
and on the CPU, since the trainer holds the GPU. Where one has not ended when the next is due, the training waits.
"""

from __future__ import annotations

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
from scripts.lib.core.wording import counted
from scripts.lib.evaluation import metrics_file
from scripts.lib.evaluation.metrics_file import Evaluation, headline
from scripts.lib.training import log as training_log
from scripts.lib.training import resume

BEST = "best"  # in train_dir: the best checkpoint, its config and metrics.json
EVALUATIONS = "evaluations.jsonl"  # in train_dir: a line an evaluation
_PREPARED = ".evaluating-"  # in train_dir: the checkpoint that is being evaluated
_SCRIPT = files.default_path("scripts/eval.py")

# Ctrl+C in a terminal reaches all processes of its group; the trainer ends the evaluation itself.
_OWN_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}


class RunningEvaluation(NamedTuple):
    step: int
    folder: Path
    process: subprocess.Popen
    start: float


class TrainingEvaluations:
    """The evaluations of one training folder, with those of earlier runs.

    Args:
        train_dir: the training's folder; its pipeline.config, which the trainer writes, names the evaluation's input.
        eval_dir: folder for event files and metrics.json, as eval.py writes them.
        every: steps between two evaluations.
        patience: evaluations without gain that end the training; None: they never do.
        target: value of the metric that ends the training; None: none does.
        verbose: as eval.py's.
    """

    def __init__(
        self,
        train_dir: Path,
        eval_dir: Path,
        every: int,
        patience: int | None = None,
        target: float | None = None,
        verbose: bool = False,
    ):
        self._train_dir, self._eval_dir = train_dir, eval_dir
        self._every, self._patience, self._target, self._verbose = every, patience, target, verbose
        self.say: Callable[[str], None] = functools.partial(print, flush=True)  # a progress display replaces it
        self._running: RunningEvaluation | None = None
        _clean_up(train_dir)
        self.best = _read_metrics(train_dir / BEST)  # so far; the first of equal ones
        self._steps = [line["step"] for line in training_log.read(train_dir / EVALUATIONS)]

    @property
    def without_gain(self) -> int:
        """Return the number of evaluations since the best one."""
        return sum(step > self.best.global_step for step in self._steps) if self.best else 0

    @property
    def end_reached(self) -> str | None:
        """Return the reason to end the training, or None."""
        if self._target is not None and self.best and headline(self.best).value >= self._target:
            return f"{headline(self.best).name} {headline(self.best).value:.3f} is reached"
        if self._patience and self.without_gain >= self._patience:
            return f"no gain in the last {counted(self.without_gain, 'evaluation')} (--patience {self._patience})"
        return None

    def is_due(self, step: int) -> bool:
        """Return whether to evaluate a checkpoint of this step; of several replicas, one does not see every step."""
        started = max([*self._steps, self._running.step if self._running else 0], default=0)
        return step // self._every > started // self._every

    def best_text(self) -> str:
        place = files.shown_path(self._train_dir / BEST)
        best = headline(self.best)
        return f"The best: {best.name} {best.value:.3f} at step {self.best.global_step}, its checkpoint in {place}."

    def forget_after(self, step: int) -> None:
        """Do not count evaluations of later steps: the training goes on from an earlier checkpoint."""
        self._steps = [evaluated for evaluated in self._steps if evaluated <= step]

    def start(self, prefix: Path | str) -> None:
        """Start the evaluation of a checkpoint, when the one before has ended."""
        self.finish()
        step = checkpoint_files.step_of(prefix)
        folder = self._train_dir / f"{_PREPARED}{step}-{os.getpid()}"
        _copy_checkpoint(Path(prefix), folder)
        config = folder / "pipeline.config"
        shutil.copyfile(self._train_dir / "pipeline.config", config)
        command = [sys.executable, _SCRIPT, "--run_once", *(["--verbose"] if self._verbose else [])]
        command += ["--pipeline_config_path", config, "--checkpoint_dir", folder, "--eval_dir", self._eval_dir]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "PYTHONUTF8": "1"}
        environment.pop("TF_CONFIG", None)  # the evaluation is not part of a cluster
        self._eval_dir.mkdir(parents=True, exist_ok=True)
        with (self._eval_dir / "evaluation.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment, **_OWN_GROUP
            )
        self._running = RunningEvaluation(step, folder, process, time.monotonic())

    def evaluate(self, prefix: Path | str) -> None:
        """Evaluate a checkpoint, unless that has been done, and wait for the result."""
        step = checkpoint_files.step_of(prefix)
        try:
            if step not in self._steps and not (self._running and self._running.step == step):
                self.start(prefix)
            self.finish()
        finally:
            self.abandon()

    def poll(self) -> None:
        """Take the result of an evaluation if it has ended."""
        if self._running and self._running.process.poll() is not None:
            try:
                self._take(self._running)
            finally:
                self.abandon()

    def finish(self) -> None:
        """Wait for the evaluation that is under way."""
        if self._running:
            self._running.process.wait()
            self.poll()

    def abandon(self) -> None:
        """End the evaluation that is under way, without its result."""
        running, self._running = self._running, None
        if running:
            running.process.kill()
            running.process.wait()
            shutil.rmtree(running.folder, ignore_errors=True)

    def _take(self, running: RunningEvaluation) -> None:
        result, status = _read_metrics(self._eval_dir), running.process.returncode
        if status or result is None or result.global_step != running.step:
            log = self._eval_dir / "evaluation.log"
            last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            place = files.shown_path(log)
            self.say(f"Evaluation at step {running.step} failed (exit status {status}): {last} ({place})")
            return
        found, best = headline(result), self.best and headline(self.best)
        is_best = not math.isnan(found.value) and (not best or found.name != best.name or found.value > best.value)
        if is_best:
            shutil.copyfile(self._eval_dir / "metrics.json", running.folder / "metrics.json")
            files.replace_folder(running.folder, self._train_dir / BEST)
            self.best = result
        self._steps.append(running.step)
        seconds = round(time.monotonic() - running.start, 1)
        line = {"step": running.step, found.name: found.value, found.class_name: found.by_class, "seconds": seconds}
        training_log.append(self._train_dir / EVALUATIONS, line)
        self.say(f"Evaluation at step {running.step}: {found.name} {found.value:.3f} ({self._comparison(is_best)})")

    def _comparison(self, is_best: bool) -> str:
        if is_best:
            return "the best so far"
        if self.best is None:
            return "no class has ground truth in the record"
        of_patience = f" of {self._patience}" if self._patience else ""
        best = f"best {headline(self.best).value:.3f} at step {self.best.global_step}"
        return f"{best}; {self.without_gain}{of_patience} without gain"


def _read_metrics(folder: Path) -> Evaluation | None:
    try:
        return metrics_file.read(folder / "metrics.json")
    except (OSError, ValueError):
        return None


def _copy_checkpoint(prefix: Path, folder: Path) -> None:
    """Make a folder with one checkpoint: links, or copies, which stay when the saver removes its own files."""
    folder.mkdir()
    for path in prefix.parent.glob(f"{prefix.name}.*"):
        try:
            os.link(path, folder / path.name)
        except OSError:
            shutil.copyfile(path, folder / path.name)
    resume.write_state(folder, [prefix])


def _clean_up(train_dir: Path) -> None:
    """Put back the best checkpoint that a killed run was replacing; remove what else it left."""
    files.put_back(train_dir / BEST)
    for path in train_dir.glob(f"{_PREPARED}*"):
        shutil.rmtree(path, ignore_errors=True)
