"""Evaluates checkpoints: the Object Detection API's own legacy/eval.py, with its flags, on today's TensorFlow.

In:   the folder with the training's checkpoints, and a pipeline config with its evaluation record and label map.
Out:  event files for TensorBoard, metrics.json and the config as it was used, in eval_dir; a table of AP@0.5.

With --run_once the latest checkpoint is evaluated; without, every new one until the command is stopped. Each image of
the record is evaluated once: leave num_examples out of the config and it is counted. Any of these files and folders may
be on a bucket (gs://...).

  python scripts/eval.py --run_once --pipeline_config_path configs/ssd_mobilenet_v1_multi.config \\
      --checkpoint_dir runs/multi/train --eval_dir runs/multi/eval

With --fast the latest checkpoint is exported (or --model names an export that is there, with its pipeline.config) and
evaluated in batches: the same AP@0.5, no losses and no pictures, in a fraction of the time.

  python scripts/eval.py --fast --model exported_model --eval_dir runs/multi/eval

Several --model and --flip (each photo's mirror image, too) evaluate the ensemble that detect.py makes of them, on the
first one's record.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib import object_detection_api
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, override, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.dataset import label_map
from scripts.lib.evaluation import metrics_file
from scripts.lib.models import export, exported_model
from scripts.lib.object_detection_api import flags, watch

REQUIRED = (
    "eval_dir",
    "checkpoint_dir|fast+model",
    "pipeline_config_path|model_config_path+eval_config_path+input_config_path|fast+model",
)


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    config, config_path = read_config(args)
    reader = config.train_input_reader if args.eval_training_data else None
    if args.eval_training_data:
        config.eval_config.ClearField("num_examples")  # counts the other record's images
    findings = checks.check_evaluation(config, config_path, reader)
    checks.raise_errors(findings, "nothing was evaluated")
    override.fill_in_num_examples(config, reader or config.eval_input_reader[0])
    if args.fast:
        evaluate_fast(args, config, reader or config.eval_input_reader[0])
        return 0
    if args.run_once:
        checkpoint_files.find(args.checkpoint_dir)

    def report(metrics: dict[str, float], global_step: int) -> None:
        show(metrics_file.Evaluation(global_step, config.eval_config.num_examples, metrics), args.eval_dir)

    with pipeline_config.written(config) as path:
        api_flags = flags.to_argv(flags.EVAL, args, pipeline_config_path=path.as_posix())
        object_detection_api.run(
            "object_detection.legacy.eval", api_flags, args.verbose, before_main=lambda: set_watches(report)
        )
    return 0


def set_watches(report: Callable[[dict[str, float], int], None]) -> None:
    """Who is told of the results, and what the event files hold."""
    watch.metrics(report)
    watch.grouped_pictures()
    watch.small_event_files()


def show(result: metrics_file.Evaluation, eval_dir: str) -> None:
    """Writes metrics.json and prints the table."""
    metrics_file.write(files.path_of(eval_dir) / "metrics.json", result)
    print(metrics_file.table(result), flush=True)


def evaluate_fast(args: argparse.Namespace, config: pipeline_config.Message, reader: pipeline_config.Message) -> None:
    """Evaluates on exported models, in batches; without --model the latest checkpoint is exported first."""
    from scripts.lib.detection import ensemble
    from scripts.lib.evaluation import event_files, on_record

    with contextlib.ExitStack() as stack:
        models = args.model
        if not models:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fast_evaluation_")))
            models = [folder / "exported_model"]
            export.export(config, checkpoint_files.find(args.checkpoint_dir), *models, verbose=args.verbose)
        classes = label_map.read(reader.label_map_path)
        # An export for this evaluation alone is not worth a conversion, and TensorFlow is loaded anyway.
        detector = ensemble.load(models, args.flip, runtime="auto" if args.model else "tensorflow")
        start, cpu_start = time.monotonic(), time.process_time()
        result = on_record.evaluate(detector, reader.tf_record_input_reader.input_path, classes)
    milliseconds = [
        1000 * seconds / max(result.num_examples, 1)
        for seconds in (time.monotonic() - start, time.process_time() - cpu_start)
    ]
    print("{:.1f} ms an image, {:.1f} ms of CPU time".format(*milliseconds))
    event_files.write(event_files.new_path(args.eval_dir, "fast"), result.global_step, result.metrics)
    show(result, args.eval_dir)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    flags.add_to(parser, flags.EVAL)
    parser.add_argument("--fast", action="store_true", help="evaluate in batches on an exported model")
    parser.add_argument(
        "--model",
        type=local_path,
        action="append",
        help="with --fast: the exported model, instead of a checkpoint; several are an ensemble",
    )
    parser.add_argument("--flip", action="store_true", help="with --fast: look at each photo's mirror image, too")
    return flags.parse(parser, argv, required=REQUIRED)


def read_config(args: argparse.Namespace) -> tuple[pipeline_config.Message, Path | str]:
    """The config and the file that messages name."""
    path = args.pipeline_config_path
    if args.fast and args.model and not path:
        path = args.model[0] / exported_model.PIPELINE_CONFIG
    if path:
        return pipeline_config.read(path), path
    config = pipeline_config.read_parts(
        model=args.model_config_path, eval_config=args.eval_config_path, eval_input=args.input_config_path
    )
    return config, args.eval_config_path


if __name__ == "__main__":
    command_line.run(main)
