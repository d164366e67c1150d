"""Train a detector: the Object Detection API's own legacy/train.py, with its flags, on today's TensorFlow.

In:   a pipeline config, with the records and the label map that it names.
Out:  checkpoints, event files for TensorBoard, training_log.jsonl (a line every --log_every_steps) and the config as it
      was used, in train_dir; with --eval_every, the best checkpoint in train_dir/best, and evaluations.jsonl.

The config is checked before the training starts. Paths in it are read from the current folder or from the repository
root, with / or \\. The same command goes on from the last checkpoint, whatever ended the training before: Ctrl+C, which
saves one first, a crash or a power cut. All files and folders may be on a bucket (gs://...), but training_log.jsonl is
written on a disk only.

  python scripts/train.py --pipeline_config_path configs/ssd_mobilenet_v1_multi.config --train_dir runs/multi/train
  python scripts/train.py --pipeline_config_path my.config --train_dir runs/mine/train --eval_every 500 --patience 5
  python scripts/train.py --pipeline_config_path configs/ssd_mobilenet_v1_multi.config --overfit 10
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import _init_paths  # noqa: F401

from scripts.lib.core import command_line
from scripts.lib.core.command_line import positive_int
from scripts.lib.core.tensorflow import set_verbose
from scripts.lib.object_detection_api import flags
from scripts.lib.training import overfit
from scripts.lib.training.plan import TrainOptions, plan, prepare
from scripts.lib.training.run import run


def main(argv: Sequence[str] | None = None) -> int | None:
    options = TrainOptions(**vars(parse_arguments(argv)))
    set_verbose(options.verbose)
    prepared = prepare(options)
    if options.overfit:
        return overfit.check(prepared)
    return run(plan(prepared))


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__, flags.TRAIN_ELSEWHERE)
    flags.add_to(parser, flags.TRAIN)
    num_steps = "--num_steps", "--num_train_steps", "--steps"
    parser.add_argument(*num_steps, type=positive_int, help="training steps (default: the config's)")
    saving = parser.add_argument_group("checkpoints and logs")
    steps = {"type": positive_int, "metavar": "STEPS"}
    seconds = {"type": positive_int, "metavar": "SECONDS"}
    saving.add_argument("--save_every_steps", **steps, help="steps between two checkpoints, besides --save_every_secs")
    saving.add_argument("--save_every_secs", **seconds, default=120, help="time between two checkpoints")
    saving.add_argument("--log_every_steps", **steps, default=10, help="steps between two lines of training_log.jsonl")
    saving.add_argument("--save_summaries_secs", **seconds, default=20, help="time between two points in TensorBoard")
    saving.add_argument("--full_summaries", action="store_true", help="write histograms and the graph, too (20 MB)")
    evaluating = parser.add_argument_group("evaluations between the steps")
    evaluating.add_argument("--eval_every", **steps, help="steps between two evaluations; the best: train_dir/best")
    evaluating.add_argument("--patience", type=positive_int, help="end after N evaluations without gain")
    evaluating.add_argument("--eval_dir", default="", help="folder for the results (default: train_dir/eval)")
    learns = f"only check that the set-up learns: train on N images until their mAP@0.5 is {overfit.TARGET}"
    parser.add_argument("--overfit", type=positive_int, help=learns)
    parser.add_argument("--seed", type=int, help="seed of weights and augmentation")
    args = parser.parse_args(flags.double_dashed(argv))
    flags.require_one_of(parser, vars(args), ["train_dir"], ["overfit"])
    parts = ["model_config_path", "train_config_path", "input_config_path"]
    flags.require_one_of(parser, vars(args), ["pipeline_config_path"], parts)
    if args.patience and not args.eval_every:
        parser.error("--patience counts evaluations; give --eval_every, too")
    if args.eval_dir and not args.eval_every:
        parser.error("--eval_dir is for evaluations between the steps; give --eval_every, too")
    return args


if __name__ == "__main__":
    command_line.run(main)
