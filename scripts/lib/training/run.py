"""Run a planned training by the Object Detection API's own trainer."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from scripts.lib import object_detection_api
from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.command_line import shell_text
from scripts.lib.object_detection_api import flags, hooks
from scripts.lib.training import loop, replicas
from scripts.lib.training.cluster import PS
from scripts.lib.training.evaluations import BEST
from scripts.lib.training.log import TrainingLog
from scripts.lib.training.observer import TrainingObserver
from scripts.lib.training.plan import TrainingPlan
from scripts.lib.training.progress import TrainingProgress


def run(plan: TrainingPlan) -> int:
    """Train, print how it went, and return the exit status; see `train` for errors."""
    for note in plan.notes:
        print(note, flush=True)
    if plan.is_done:
        if plan.evaluations and not plan.evaluations.end_reached:
            plan.evaluations.evaluate(plan.checkpoint)  # unless it has been: a run may have been killed while at it
        return 0
    observer = train(plan)
    if plan.is_master:
        print(_conclusion(plan, observer), flush=True)
    if not plan.task and not observer.interruption.signal:
        print(_next_commands(plan), flush=True)
    return observer.interruption.exit_status


def train(plan: TrainingPlan) -> TrainingObserver:
    """Run the trainer to its end, or to the first reason to end it; return the observer of its steps.

    Raises:
        DataError: the loss is not finite, or a checkpoint cannot be written.
    """
    options, config = plan.options, plan.config.train_config
    name = "" if plan.is_master else plan.task.name
    progress = TrainingProgress(config.num_steps, config.batch_size, name, options.verbose)
    log = None if files.is_url(options.train_dir) else TrainingLog(options.train_dir, options.log_every_steps)
    observer = TrainingObserver(progress, log, plan.evaluations, options.save_every_steps, options.save_every_secs)
    keep_config = _keep_former_config(options.train_dir, observer) if plan.is_master else contextlib.nullcontext()
    with pipeline_config.written(plan.config) as path, keep_config, observer.observe(options.train_dir):
        values = {**dataclasses.asdict(options), "pipeline_config_path": path.as_posix()}
        if plan.task:
            values["task"] = plan.task.number
        api_flags = flags.to_argv(flags.TRAIN, values)
        object_detection_api.run("object_detection.legacy.train", api_flags, lambda: install_hooks(plan, observer))
    return observer


def install_hooks(plan: TrainingPlan, observer: TrainingObserver) -> None:
    """Install the hooks into the API's trainer."""
    if plan.task and plan.task.addresses.get(PS):
        synchronous = plan.config.train_config.sync_replicas
        replicas.install(plan.task, synchronous, lambda: observer.interruption.signal is not None)
    hooks.early_resizing(plan.config.model)
    if not plan.checkpoint:  # with one, fine_tune_checkpoint is not used any more
        hooks.restored_variables()
    loop.install(observer, plan.options.save_summaries_secs, plan.options.seed)
    if not plan.options.full_summaries:
        hooks.small_event_files()


@contextlib.contextmanager
def _keep_former_config(train_dir: str, observer: TrainingObserver) -> Iterator[None]:
    """Put back train_dir/pipeline.config, which the trainer replaces at once, if it then takes no step."""
    path = files.path_of(train_dir) / "pipeline.config"
    former = path.read_bytes() if path.is_file() else None
    try:
        yield
    finally:
        if former is not None and observer.last_step is None:
            with files.atomic_write(path) as file:
                file.write(former)


def _conclusion(plan: TrainingPlan, observer: TrainingObserver) -> str:
    step, train_dir = observer.last_step.number if observer.last_step else 0, plan.options.train_dir
    if observer.interruption.signal:
        return f"Interrupted: the checkpoint of step {step} is in {train_dir}; the same command goes on from there."
    if plan.evaluations and plan.evaluations.end_reached:
        text = f"Ended at step {step}: {plan.evaluations.end_reached}."
    else:
        text = f"Done: the checkpoint of step {step} is in {train_dir}."
    return f"{text}\n{plan.evaluations.best_text()}" if plan.evaluations and plan.evaluations.best else text


def _next_commands(plan: TrainingPlan) -> str:
    """Return the commands that evaluate and export what was trained, a line each."""
    train_dir = files.path_of(plan.options.train_dir)
    if plan.evaluations and plan.evaluations.best:
        return f"Next: {shell_text('python', 'scripts/export_model.py', '--checkpoint', train_dir / BEST)}"
    evaluation = ["--run_once", "--pipeline_config_path", train_dir / "pipeline.config"]
    evaluation += ["--checkpoint_dir", train_dir, "--eval_dir", train_dir.parent / "eval"]
    return (
        f"Next: {shell_text('python', 'scripts/eval.py', *evaluation)}\n"
        f"then: {shell_text('python', 'scripts/export_model.py', '--checkpoint', train_dir)}"
    )
