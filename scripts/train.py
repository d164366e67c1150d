"""Train a detector: the Object Detection API's own legacy/train.py, with its flags, on today's TensorFlow.

In:   a pipeline config, with the records and the label map that it names.
Out:  checkpoints, event files for TensorBoard, training_log.jsonl (a line every --log_every_steps) and the config as it
      was used, in train_dir; with --eval_every, the best checkpoint in train_dir/best, and evaluations.jsonl.

The config is checked before the training starts. Paths in it are read from the current folder or from the repository
root, with / or \\. The same command goes on from the last checkpoint, whatever ended the training before: Ctrl+C, which
saves one first, a crash or a power cut. All files and folders may be on a bucket (gs://...), but training_log.jsonl is
written on a disk only.

  python scripts/train.py --pipeline_config_path configs/ssd_mobilenet_v1_multi.config --train_dir runs/multi/train
  python scripts/train.py --pipeline_config_path configs/ssd_mobilenet_v1_multi.config --train_dir runs/multi/train \\
      --eval_every 500 --patience 5
  python scripts/train.py --pipeline_config_path configs/ssd_mobilenet_v1_multi.config --overfit 10
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import _init_paths  # noqa: F401

from scripts.lib.core import command_line
from scripts.lib.core.command_line import positive_int
from scripts.lib.object_detection_api import flags
from scripts.lib.training import overfit
from scripts.lib.training.options import TrainOptions
from scripts.lib.training.plan import plan, prepare
from scripts.lib.training.run import run


def main(argv: Sequence[str] | None = None) -> int | None:
    options = TrainOptions(**vars(parse_arguments(argv)))
    prepared = prepare(options)
    if options.overfit:
        return overfit.check(prepared)
    return run(plan(prepared))


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    flags.add_to(parser, flags.TRAIN)
    parser.add_argument(
        "--num_train_steps",
        type=positive_int,
        metavar="N",
        help="steps to train, instead of the config's num_steps; a learning rate schedule is stretched with them",
    )
    saving = parser.add_argument_group("checkpoints and logs")
    saving.add_argument(
        "--save_every_steps",
        type=positive_int,
        metavar="STEPS",
        help="steps between two checkpoints, in addition to --save_every_secs",
    )
    saving.add_argument(
        "--save_every_secs",
        type=positive_int,
        default=TrainOptions.save_every_secs,
        metavar="SECONDS",
        help="time between two checkpoints",
    )
    saving.add_argument(
        "--log_every_steps",
        type=positive_int,
        default=TrainOptions.log_every_steps,
        metavar="STEPS",
        help="steps between two lines of training_log.jsonl",
    )
    saving.add_argument(
        "--save_summaries_secs",
        type=positive_int,
        default=TrainOptions.save_summaries_secs,
        metavar="SECONDS",
        help="time between two points of the curves in TensorBoard",
    )
    saving.add_argument(
        "--full_summaries",
        action="store_true",
        help="write histograms of all variables and the graph, too (20 MB at the start)",
    )
    evaluating = parser.add_argument_group("evaluations between the steps")
    evaluating.add_argument(
        "--eval_every",
        type=positive_int,
        metavar="STEPS",
        help="steps between two evaluations, in a second process; the best checkpoint is kept in train_dir/best",
    )
    evaluating.add_argument(
        "--patience",
        type=positive_int,
        metavar="N",
        help="end the training after N evaluations in a row without a better mAP@0.5",
    )
    evaluating.add_argument("--eval_dir", default="", help="folder for the results; default: train_dir/eval")
    parser.add_argument(
        "--overfit",
        type=positive_int,
        metavar="N",
        help="only check that the set-up can learn: train on N images of the record, in a temporary folder, until "
        f"their mAP@0.5 is {overfit.TARGET}",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="seed of the initial weights and of the augmentation; trainings start alike, but do not stay the same, "
        "since threads read the images in no fixed order",
    )
    args = parser.parse_args(flags.double_dashed(argv))
    flags.require_one_of(parser, vars(args), ["train_dir"], ["overfit"])
    parts = ["model_config_path", "train_config_path", "input_config_path"]
    flags.require_one_of(parser, vars(args), ["pipeline_config_path"], parts)
    if args.patience and not args.eval_every:
        parser.error("--patience counts evaluations; give --eval_every, too")
    return args


if __name__ == "__main__":
    command_line.run(main)
