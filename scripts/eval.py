"""Evaluates checkpoints: the Object Detection API's own legacy/eval.py, with its flags, on today's TensorFlow.

In:   the folder with the training's checkpoints, and a pipeline config with its evaluation record and label map.
Out:  event files for TensorBoard, metrics.json and the config as it was used, in eval_dir; a table of AP@0.5.

With --run_once the latest checkpoint is evaluated; without, every new one until the command is stopped. Each image of
the record is evaluated once: leave num_examples out of the config and it is counted.

  python scripts/eval.py --run_once --pipeline_config_path configs/ssd_mobilenet_v1_multi.config \\
      --checkpoint_dir runs/multi/train --eval_dir runs/multi/eval
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib import checkpoints, command_line, evaluation_metrics, object_detection_api, pipeline_config
from scripts.lib.object_detection_api import flags, watch

REQUIRED = (
    "checkpoint_dir",
    "eval_dir",
    "pipeline_config_path|model_config_path+eval_config_path+input_config_path",
)


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    config, config_path = read_config(args)
    reader = config.train_input_reader if args.eval_training_data else None
    findings = pipeline_config.check_evaluation(config, config_path, reader)
    pipeline_config.raise_errors(findings, "nothing was evaluated")
    pipeline_config.count_eval_examples(config, reader or config.eval_input_reader[0])
    if args.run_once:
        checkpoints.find(args.checkpoint_dir)

    def report(metrics: dict[str, float], global_step: int) -> None:
        result = evaluation_metrics.Evaluation(global_step, config.eval_config.num_examples, metrics)
        evaluation_metrics.write(Path(args.eval_dir) / "metrics.json", result)
        print(evaluation_metrics.table(result), flush=True)

    with pipeline_config.written(config) as path:
        api_flags = flags.to_argv(flags.EVAL, args, pipeline_config_path=path.as_posix())
        object_detection_api.run(
            "object_detection.legacy.eval", api_flags, args.verbose, before_main=lambda: watch.metrics(report)
        )
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    flags.add_to(parser, flags.EVAL)
    return flags.parse(parser, argv, required=REQUIRED)


def read_config(args: argparse.Namespace) -> tuple[pipeline_config.Message, Path]:
    """The config and the file that messages name."""
    if args.pipeline_config_path:
        return pipeline_config.read(args.pipeline_config_path), Path(args.pipeline_config_path)
    config = pipeline_config.read_parts(
        model=args.model_config_path, eval_config=args.eval_config_path, eval_input=args.input_config_path
    )
    return config, Path(args.eval_config_path)


if __name__ == "__main__":
    command_line.run(main)
