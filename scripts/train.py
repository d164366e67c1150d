"""Trains a detector: the Object Detection API's own legacy/train.py, with its flags, on today's TensorFlow.

In:   a pipeline config, with the records and the label map that it names.
Out:  checkpoints, event files for TensorBoard, training_log.jsonl (a line every --log_every_steps) and the config as it
      was used, in train_dir; with --eval_every, the best checkpoint in train_dir/best, and evaluations.jsonl.

The config is checked before TensorFlow is imported. Paths in it are read from the current folder or from the
repository root, with / or \\. Run again with the same command, it goes on from the last checkpoint, whatever ended it:
Ctrl+C, which saves one first, a crash or a power cut. Any of these files and folders may be on a bucket (gs://...);
TensorFlow reads them for the checks, too, and training_log.jsonl is written on a disk alone.

  python scripts/train.py --pipeline_config_path configs/ssd_mobilenet_v1_multi.config --train_dir runs/multi/train
  python scripts/train.py --pipeline_config_path configs/ssd_mobilenet_v1_multi.config --train_dir runs/multi/train \\
      --eval_every 500 --patience 5
  python scripts/train.py --pipeline_config_path configs/ssd_mobilenet_v1_multi.config --overfit 10
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib import object_detection_api
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, override, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.errors import UsageError
from scripts.lib.object_detection_api import flags, watch
from scripts.lib.training import cluster, overfit, resume
from scripts.lib.training.evaluations import TrainingEvaluations
from scripts.lib.training.hooks import early_resizing, loop, replicas
from scripts.lib.training.log import TrainingLog
from scripts.lib.training.observer import TrainingRun
from scripts.lib.training.progress import TrainingProgress

REQUIRED = (
    "train_dir|overfit",
    "pipeline_config_path|model_config_path+train_config_path+input_config_path",
)


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    config, config_path = read_config(args)
    if args.num_train_steps:
        override.set_num_steps(config, args.num_train_steps)
    check(config, config_path, args)
    if args.overfit:
        return check_that_it_learns(args, config)
    replica = cluster.enter(config)
    evaluations = evaluations_of(args) if args.eval_every and is_master(replica) else None
    object_detection_api.prepare(args.verbose)  # before checkpoints are read: TensorFlow finds out which are whole
    if nothing_left(args, config, evaluations, is_master(replica)):
        return 0
    run = train(args, config, replica, evaluations)
    if is_master(replica):
        print(conclusion(run, args.train_dir, evaluations), flush=True)
    return run.interruption.exit_status


def check(config: pipeline_config.Message, config_path: str, args: argparse.Namespace) -> None:
    """Raises DataError for what would stop the training later; what would stop eval.py alone is printed."""
    findings = checks.check_training(config, config_path)
    if args.eval_every:
        findings += checks.check_evaluation(config, config_path)
    checks.raise_errors(findings, "the training was not started")
    if config.eval_input_reader and not (args.eval_every or args.overfit):
        for finding in checks.check_evaluation(config, config_path):
            print(f"later, for eval.py: {finding}")


def is_master(replica: cluster.Replica | None) -> bool:
    """Whether this process saves checkpoints: the only one, or the cluster's master."""
    return replica is None or replica.task_type == cluster.MASTER


def nothing_left(
    args: argparse.Namespace, config: pipeline_config.Message, evaluations: TrainingEvaluations | None, master: bool
) -> bool:
    """Says from where the training goes on, and whether it has ended before."""
    checkpoint = resume.find_readable(args.train_dir, mend=master)
    step = checkpoint_files.step_of(checkpoint) if checkpoint else None
    num_steps = config.train_config.num_steps
    if evaluations:
        evaluations.forget_after(step or 0)
    if num_steps and step is not None and step >= num_steps:
        print(f"{args.train_dir} holds a checkpoint of step {step}; the {num_steps} steps of the config are done.")
        if evaluations:
            evaluations.evaluate(checkpoint)  # a killed run may have been at that
        return True
    if evaluations and evaluations.end_reached:
        print(f"{args.train_dir}: the training has ended at step {step}: {evaluations.end_reached}.")
        return True
    if step is not None:
        print(f"Going on from step {step} in {args.train_dir}.", flush=True)
    return False


def train(
    args: argparse.Namespace,
    config: pipeline_config.Message,
    replica: cluster.Replica | None,
    evaluations: TrainingEvaluations | None,
) -> TrainingRun:
    """Runs the trainer to its end, or to the first reason to end it.

    Raises:
        DataError: the loss is not finite, or a checkpoint cannot be written.
    """
    name = "" if is_master(replica) else replica.name
    progress = TrainingProgress(config.train_config.num_steps, config.train_config.batch_size, name, args.verbose)
    log = None if files.is_url(args.train_dir) else TrainingLog(args.train_dir, args.log_every_steps)
    run = TrainingRun(progress, log, evaluations, args.save_every_steps, args.save_every_secs)
    with pipeline_config.written(config) as path:
        task = replica.number if replica else args.task
        api_flags = flags.to_argv(flags.TRAIN, args, pipeline_config_path=path.as_posix(), task=task)
        watches = functools.partial(set_watches, args, config, replica, run)
        with former_config_kept(args.train_dir, run) if is_master(replica) else contextlib.nullcontext():
            run.observe(
                lambda: object_detection_api.run("object_detection.legacy.train", api_flags, args.verbose, watches),
                args.train_dir,
            )
    return run


@contextlib.contextmanager
def former_config_kept(train_dir: str, run: TrainingRun) -> Iterator[None]:
    """The trainer replaces train_dir/pipeline.config first of all; the former is put back where it takes no step."""
    path = files.path_of(train_dir) / "pipeline.config"
    former = path.read_bytes() if path.is_file() else None
    try:
        yield
    finally:
        if former is not None and run.step is None:
            with files.atomic_write(path) as file:
                file.write(former)


def set_watches(
    args: argparse.Namespace, config: pipeline_config.Message, replica: cluster.Replica | None, run: TrainingRun
) -> None:
    """Who sees and steers the training, how it reads, what its event files hold, and who else takes part in it."""
    if replica and replica.addresses.get(cluster.PS):
        replicas.rejoin(replica, config.train_config.sync_replicas, lambda: run.interruption.signal is not None)
    early_resizing.resize_early(config.model, args.scaled_decoding)
    if not checkpoint_files.latest(args.train_dir):  # else fine_tune_checkpoint is not used any more
        watch.restored_variables()
    loop.install(run, args.save_summaries_secs, args.seed)
    if not args.full_summaries:
        watch.small_event_files()


def evaluations_of(args: argparse.Namespace, **options) -> TrainingEvaluations:
    """The evaluations in between, those of earlier runs with this train_dir included."""
    if files.is_url(args.train_dir):
        raise UsageError("--eval_every needs a train_dir on this machine; on a bucket, run eval.py beside the training")
    eval_dir = Path(args.eval_dir or Path(args.train_dir) / "eval")
    config_path = Path(args.train_dir) / "pipeline.config"  # which the trainer writes
    options = {"patience": args.patience, "verbose": args.verbose, **options}
    return TrainingEvaluations(Path(args.train_dir), config_path, eval_dir, args.eval_every, **options)


def conclusion(run: TrainingRun, train_dir: str, evaluations: TrainingEvaluations | None) -> str:
    """How the run ended, and where its results are."""
    step = run.step.number if run.step else 0
    if run.interruption.signal:
        return f"Interrupted: the checkpoint of step {step} is in {train_dir}; the same command goes on from there."
    reason = evaluations.end_reached if evaluations else None
    sentences = [
        f"Ended at step {step}: {reason}." if reason else f"Done: the checkpoint of step {step} is in {train_dir}."
    ]
    if evaluations and evaluations.best:
        sentences.append(evaluations.best_text())
    return "\n".join(sentences)


def check_that_it_learns(args: argparse.Namespace, config: pipeline_config.Message) -> int:
    """--overfit: trains on a few images until their mAP says that the set-up can learn, and returns the exit status."""
    os.environ.pop("TF_CONFIG", None)  # alone, whatever cluster this machine is in
    num_steps = args.num_train_steps or overfit.NUM_STEPS
    with overfit.prepared(config, args.overfit, num_steps) as (small_config, folder):
        args.train_dir, args.eval_every, args.eval_dir = str(folder / "train"), overfit.EVAL_EVERY, ""
        evaluations = evaluations_of(args, target=overfit.TARGET)
        run = train(args, small_config, None, evaluations)
        if run.interruption.signal:
            return run.interruption.exit_status
        return overfit.conclude(run, evaluations, small_config)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    flags.add_to(parser, flags.TRAIN)
    steps = {"type": command_line.positive_int, "metavar": "STEPS"}
    seconds = {"type": command_line.positive_int, "metavar": "SECONDS"}
    parser.add_argument(
        "--num_train_steps",
        type=command_line.positive_int,
        metavar="N",
        help="steps to train, instead of the config's num_steps; a cosine schedule that ended there is stretched",
    )
    saving = parser.add_argument_group("checkpoints and logs")
    saving.add_argument("--save_every_steps", help="steps between two checkpoints, besides --save_every_secs", **steps)
    saving.add_argument("--save_every_secs", default=120, help="time between two checkpoints", **seconds)
    saving.add_argument("--log_every_steps", default=10, help="steps between two lines of training_log.jsonl", **steps)
    saving.add_argument(
        "--save_summaries_secs", default=20, help="time between two points of the curves in TensorBoard", **seconds
    )
    saving.add_argument(
        "--full_summaries",
        action="store_true",
        help="histograms of all variables and the graph in the event files, and graph.pbtxt, too (20 MB at the start)",
    )
    evaluating = parser.add_argument_group("evaluating in between")
    evaluating.add_argument(
        "--eval_every",
        help="evaluate every so many steps, in a second process; the best is kept in train_dir/best",
        **steps,
    )
    evaluating.add_argument(
        "--patience",
        type=command_line.positive_int,
        metavar="N",
        help="end the training after so many evaluations in a row without a better mAP@0.5",
    )
    evaluating.add_argument("--eval_dir", help="folder for the evaluations' results; else train_dir/eval")
    parser.add_argument(
        "--overfit",
        type=command_line.positive_int,
        metavar="N",
        help="only check that the set-up can learn: train on N images of the record, in a temporary folder, until "
        f"their mAP@0.5 is {overfit.TARGET}",
    )
    parser.add_argument(
        "--scaled_decoding",
        action="store_true",
        help="decode JPEG photos at 1/2, 1/4 or 1/8 of their sides where that is twice the model's input or more: "
        "faster with large photos; for models whose input has a fixed size",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="seed of the initial weights and of the augmentation; runs then begin alike, yet do not stay the same, "
        "since threads bring the images in an order of their own",
    )
    args = flags.parse(parser, argv, required=REQUIRED)
    if args.patience and not args.eval_every:
        parser.error("--patience counts evaluations; give --eval_every, too")
    return args


def read_config(args: argparse.Namespace) -> tuple[pipeline_config.Message, str]:
    """The config and the file that messages name."""
    if args.pipeline_config_path:
        return pipeline_config.read(args.pipeline_config_path), args.pipeline_config_path
    config = pipeline_config.read_parts(
        model=args.model_config_path, train_config=args.train_config_path, train_input=args.input_config_path
    )
    return config, args.train_config_path


if __name__ == "__main__":
    command_line.run(main)
