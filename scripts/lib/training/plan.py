"""The steps before a training: `prepare` reads and checks the config, `plan` finds where to start."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from google.protobuf.message import Message

from scripts.lib import object_detection_api
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, override, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.errors import UsageError
from scripts.lib.training import cluster, resume
from scripts.lib.training.cluster import ClusterTask
from scripts.lib.training.evaluations import TrainingEvaluations


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """The flags of scripts/train.py, by name; its --help describes them. The first group is the API's own."""

    pipeline_config_path: str = ""
    train_dir: str = ""
    train_config_path: str = ""
    input_config_path: str = ""
    model_config_path: str = ""
    num_clones: int = 1
    clone_on_cpu: bool = False
    master: str = ""
    task: int = 0
    worker_replicas: int = 1
    ps_tasks: int = 0

    num_steps: int | None = None
    save_every_steps: int | None = None
    save_every_secs: int = 120
    log_every_steps: int = 10
    save_summaries_secs: int = 20
    full_summaries: bool = False
    eval_every: int | None = None
    eval_dir: str = ""
    patience: int | None = None
    overfit: int | None = None
    seed: int | None = None
    verbose: bool = False


@dataclasses.dataclass(frozen=True)
class TrainingPlan:
    """A training whose config is checked, and that knows where it starts."""

    options: TrainOptions
    config: Message  # the pipeline config, with the flags' overrides
    task: ClusterTask | None = None  # this process's part in a cluster; None: no cluster
    checkpoint: Path | None = None  # to go on from; None: from the beginning
    evaluations: TrainingEvaluations | None = None  # between the steps
    notes: tuple[str, ...] = ()  # lines for the user, before the training starts
    is_done: bool = False  # whether no step is left

    @property
    def is_master(self) -> bool:
        """Return whether this process saves checkpoints: the only one, or the cluster's master."""
        return self.task is None or self.task.type == cluster.MASTER


def prepare(options: TrainOptions) -> TrainingPlan:
    """Read and check the config, and enter the cluster that the environment describes; `plan` completes the rest.

    Raises:
        UsageError: a file is missing.
        DataError: the config, its records or the cluster would stop the training later. Findings that would stop only
            eval.py are printed.
    """
    config, path = read_config(options)
    if "[" in options.train_dir:
        raise UsageError(f"--train_dir {options.train_dir} {checkpoint_files.IS_PATTERN}; give another folder")
    if options.num_steps:
        override.set_num_steps(config, options.num_steps)
    findings = checks.check_training(config, path)
    if options.eval_every:
        findings += checks.check_evaluation(config, path)
    checks.raise_errors(findings, "the training was not started")
    is_evaluated_later = config.eval_input_reader and not (options.eval_every or options.overfit)
    if is_evaluated_later and (findings := checks.check_evaluation(config, path)):
        print("later, for eval.py:")
        command_line.print_findings(findings)
    return TrainingPlan(options, config, None if options.overfit else cluster.enter(config))


def read_config(options: TrainOptions) -> tuple[Message, str]:
    """Return the pipeline config and the path that messages name."""
    if options.pipeline_config_path:
        return pipeline_config.read(options.pipeline_config_path), options.pipeline_config_path
    config = pipeline_config.read_parts(
        model=options.model_config_path, train_config=options.train_config_path, train_input=options.input_config_path
    )
    return config, options.train_config_path


def plan(prepared: TrainingPlan, target: float | None = None) -> TrainingPlan:
    """Find the checkpoint to go on from, and whether any step is left.

    Args:
        prepared: see `prepare`.
        target: mAP@0.5 that ends the training; None: none does.

    Raises:
        UsageError: train_dir is on a bucket, where no evaluation can run between the steps.
        DataError: train_dir holds checkpoints, but none can be read.
    """
    options, num_steps = prepared.options, prepared.config.train_config.num_steps
    train_dir, evaluations = options.train_dir, None
    if options.eval_every and prepared.is_master:
        if files.is_url(train_dir):
            raise UsageError("--eval_every needs a train_dir on this machine; on a bucket, run eval.py beside it")
        eval_dir = Path(options.eval_dir or Path(train_dir) / "eval")
        evaluations = TrainingEvaluations(
            Path(train_dir), eval_dir, options.eval_every, options.patience, target, options.verbose
        )
    if checkpoint_files.prefixes(train_dir):  # TensorFlow finds out which of them are whole
        object_detection_api.prepare()
    checkpoint, note = resume.find_readable(train_dir, repair=prepared.is_master)
    if checkpoint and not files.is_url(checkpoint) and checkpoint_files.is_of_tensorflow_2(checkpoint):
        raise UsageError(f"{checkpoint} {checkpoint_files.OF_TENSORFLOW_2}, and give another --train_dir")
    step = checkpoint_files.step_of(checkpoint) if checkpoint else None
    if evaluations:
        evaluations.forget_after(step or 0)
    notes, is_done = [note] if note else [], True
    if num_steps and step is not None and step >= num_steps:
        notes.append(f"{train_dir} holds a checkpoint of step {step}; the {num_steps} steps of the config are done.")
    elif evaluations and evaluations.end_reached:
        notes.append(f"{train_dir}: the training has ended at step {step}: {evaluations.end_reached}.")
    else:
        is_done = False
        if step is not None:
            notes.append(f"Going on from step {step} in {train_dir}.")
    return dataclasses.replace(
        prepared, checkpoint=checkpoint, evaluations=evaluations, notes=tuple(notes), is_done=is_done
    )
