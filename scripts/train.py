"""Trains a detector: the Object Detection API's own legacy/train.py, with its flags, on today's TensorFlow.

In:   a pipeline config, with the records and the label map that it names.
Out:  checkpoints, event files for TensorBoard and the config as it was used, in train_dir.

The config is checked before TensorFlow is imported. Paths in it are read from the current folder or from the
repository root, with / or \\. Run again with the same command, it goes on from the last checkpoint.

  python scripts/train.py --pipeline_config_path configs/ssd_mobilenet_v1_multi.config --train_dir runs/multi/train
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib import checkpoints, cluster, command_line, object_detection_api, pipeline_config
from scripts.lib.object_detection_api import flags, replicas, watch

REQUIRED = (
    "train_dir",
    "pipeline_config_path|model_config_path+train_config_path+input_config_path",
)

NOT_FINITE = (
    "the loss is infinite or not a number; likely causes: a learning rate that is too high (try a tenth of it), "
    "or boxes of a record that generate_tfrecord.py did not make and check"
)


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    config, config_path = read_config(args)
    if args.num_train_steps:
        pipeline_config.override_num_steps(config, args.num_train_steps)

    pipeline_config.raise_errors(pipeline_config.check_training(config, config_path), "the training was not started")
    replica = cluster.enter(config)
    for finding in pipeline_config.check_evaluation(config, config_path) if config.eval_input_reader else ():
        print(f"later, for eval.py: {finding}")

    num_steps = config.train_config.num_steps
    step = checkpoints.latest_step(args.train_dir)
    if num_steps and step is not None and step >= num_steps:
        print(f"{args.train_dir} holds a checkpoint of step {step}; the {num_steps} steps of the config are done.")
        return 0
    if step is not None:
        print(f"Going on from step {step} in {args.train_dir}.")

    with pipeline_config.written(config) as path:
        task = replica.number if replica else args.task
        api_flags = flags.to_argv(flags.TRAIN, args, pipeline_config_path=path.as_posix(), task=task)
        try:
            object_detection_api.run(
                "object_detection.legacy.train", api_flags, args.verbose, before_main=lambda: set_watches(args, replica)
            )
        except Exception as error:
            if "LossTensor is inf or nan" not in str(error):
                raise
            consequence = f"the checkpoints up to there are in {args.train_dir}"
            raise command_line.DataError([NOT_FINITE], consequence) from error
    return 0


def set_watches(args: argparse.Namespace, replica: cluster.Replica | None) -> None:
    """What is to be seen of the training, and what its event files hold; who else takes part in it."""
    if replica and replica.addresses.get(cluster.PS):
        replicas.rejoin(replica)
    watch.restored_variables()
    watch.training_loop(args.save_summaries_secs)
    if not args.full_summaries:
        watch.small_event_files()


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    flags.add_to(parser, flags.TRAIN)
    parser.add_argument(
        "--num_train_steps", type=command_line.positive_int, metavar="N",
        help="steps to train, instead of the config's num_steps; a cosine schedule that ended there is stretched",
    )  # fmt: skip
    parser.add_argument(
        "--save_summaries_secs", type=command_line.positive_int, default=20, metavar="SECONDS",
        help="time between two points of the curves in TensorBoard",
    )  # fmt: skip
    parser.add_argument(
        "--full_summaries", action="store_true",
        help="histograms of all variables and the graph in the event files, and graph.pbtxt, too (20 MB at the start)",
    )  # fmt: skip
    return flags.parse(parser, argv, required=REQUIRED)


def read_config(args: argparse.Namespace) -> tuple[pipeline_config.Message, Path]:
    """The config and the file that messages name."""
    if args.pipeline_config_path:
        return pipeline_config.read(args.pipeline_config_path), Path(args.pipeline_config_path)
    config = pipeline_config.read_parts(
        model=args.model_config_path, train_config=args.train_config_path, train_input=args.input_config_path
    )
    return config, Path(args.train_config_path)


if __name__ == "__main__":
    command_line.run(main)
