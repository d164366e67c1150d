"""Evaluate checkpoints: the Object Detection API's own legacy/eval.py, with its flags, on today's TensorFlow.

In:   the folder with the training's checkpoints, and a pipeline config with its evaluation record and label map.
Out:  event files for TensorBoard, metrics.json and the config as it was used, in eval_dir; a table of the metrics that
      eval_config.metrics_set of the config names (default: AP@0.5).

With --run_once the latest checkpoint is evaluated; without, every new one until the command is stopped. Each image of
the record is evaluated once: leave num_examples out of the config and it is counted. All files and folders may be on a
bucket (gs://...).

  python scripts/eval.py --run_once --pipeline_config_path my.config --checkpoint_dir runs/mine/train --eval_dir eval

With --fast the latest checkpoint is exported (or --model names an exported model, with its pipeline.config) and
evaluated in batches: the same AP@0.5 in a fraction of the time, without losses and images.

  python scripts/eval.py --fast --model exported_model --eval_dir runs/multi/eval

Several --model and --flip (each image mirrored, too) evaluate the ensemble that detect.py makes of them, on the first
one's record.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import _init_paths  # noqa: F401
from google.protobuf.message import Message

from scripts.lib import object_detection_api
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, override, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.tensorflow import set_verbose
from scripts.lib.dataset import label_map
from scripts.lib.evaluation import event_files, metrics_file
from scripts.lib.images import drawing, fonts
from scripts.lib.models import export, exported_model
from scripts.lib.object_detection_api import flags, hooks


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    set_verbose(args.verbose)
    path = args.pipeline_config_path or (args.fast and args.model and args.model[0] / exported_model.PIPELINE_CONFIG)
    if path:
        config = pipeline_config.read(path)
    else:
        path, parts = args.eval_config_path, {"model": args.model_config_path, "eval_input": args.input_config_path}
        config = pipeline_config.read_parts(eval_config=path, **parts)
    reader = config.train_input_reader if args.eval_training_data else None
    if reader:
        config.eval_config.ClearField("num_examples")  # counts the other record's images
    findings = checks.check_evaluation(config, path, reader, builds=not (args.fast and args.model))
    checks.raise_errors(findings, "nothing was evaluated")
    reader = reader or config.eval_input_reader[0]
    override.fill_in_num_examples(config, reader)
    class_ids = {name: class_id for class_id, name in label_map.display_names(reader.label_map_path).items()}

    if args.fast:
        with tempfile.TemporaryDirectory(prefix="fast_evaluation_") as scratch:
            models, runtime = args.model, "auto"
            if not models:  # one evaluation is not worth a conversion, and the export has loaded TensorFlow
                models, runtime = [Path(scratch) / "exported_model"], "tensorflow"
                export.export(config, checkpoint_files.find(args.checkpoint_dir), *models)
            result = evaluate_models(models, args.flip, runtime, reader, class_ids)
            event_files.write(event_files.new_path(args.eval_dir, "fast"), result.global_step, result.metrics)
            report(result, class_ids, args.eval_dir)
    else:
        if not args.run_once:
            print(f"Every new checkpoint in {args.checkpoint_dir} is evaluated; Ctrl+C ends it.", flush=True)
        folder = contextlib.nullcontext
        if args.run_once:
            checkpoint_files.verify(checkpoint_files.find(args.checkpoint_dir))
            folder = checkpoint_files.as_folder
        with pipeline_config.written(config) as written, folder(args.checkpoint_dir) as checkpoint_dir:
            fonts.use(args.font, class_ids)
            values = {**vars(args), "pipeline_config_path": written.as_posix(), "checkpoint_dir": checkpoint_dir}
            api_flags = flags.to_argv(flags.EVAL, values)
            evaluate_checkpoints(api_flags, config.eval_config.num_examples, class_ids, args.eval_dir)
    return 0


def evaluate_checkpoints(
    api_flags: Sequence[str], num_examples: int, class_ids: Mapping[str, int], eval_dir: str
) -> None:
    """Run the API's evaluator; report the metrics of each checkpoint."""

    def report_metrics(metrics: dict[str, float], global_step: int) -> None:
        report(metrics_file.Evaluation(global_step, num_examples, metrics), class_ids, eval_dir)

    def install_hooks() -> None:
        hooks.metrics(report_metrics)
        hooks.all_metrics()
        hooks.evaluated_images(num_examples)
        hooks.grouped_images()
        hooks.drawn_detections(drawing.draw_detections)
        hooks.small_event_files()

    object_detection_api.run("object_detection.legacy.eval", api_flags, install_hooks)


def evaluate_models(
    models: Sequence[Path], flip: bool, runtime: str, reader: Message, class_ids: Mapping[str, int]
) -> metrics_file.Evaluation:
    """Evaluate exported models in batches on a reader's record, and print how long that took."""
    from scripts.lib.detection import ensemble
    from scripts.lib.evaluation import on_record

    detector = ensemble.load(models, flip, runtime)
    start, cpu_start = time.monotonic(), time.process_time()
    result = on_record.evaluate(detector, reader.tf_record_input_reader.input_path, class_ids)
    seconds, cpu_seconds = time.monotonic() - start, time.process_time() - cpu_start
    count = max(result.num_examples, 1)
    print(f"{1000 * seconds / count:.1f} ms per image, {1000 * cpu_seconds / count:.1f} ms of CPU time")
    return result


def report(result: metrics_file.Evaluation, class_ids: Mapping[str, int], eval_dir: str) -> None:
    """Write metrics.json and print the table."""
    metrics_file.write(files.path_of(eval_dir) / "metrics.json", result)
    print(metrics_file.table(result, class_ids), flush=True)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__, flags.EVAL_ELSEWHERE)
    flags.add_to(parser, flags.EVAL)
    parser.add_argument("--fast", action="store_true", help="evaluate in batches on an exported model")
    model_help = "with --fast: exported model, instead of a checkpoint; repeat it for an ensemble"
    parser.add_argument("--model", type=local_path, action="append", help=model_help)
    parser.add_argument("--flip", action="store_true", help="with --fast: also detect on the mirror image")
    fonts.add_flag(parser)
    args = parser.parse_args(flags.double_dashed(argv))
    parts = ["model_config_path", "eval_config_path", "input_config_path"]
    flags.require_one_of(parser, vars(args), ["eval_dir"])
    if not files.is_url(args.eval_dir):
        command_line.check_output("eval_dir", Path(args.eval_dir, "metrics.json"), metrics_file.HEAD, "file of eval.py")
    if not args.fast and (args.model or args.flip):
        parser.error("--model and --flip evaluate an exported model; give --fast, too")
    flags.require_one_of(parser, vars(args), ["checkpoint_dir"], ["fast", "model"])
    flags.require_one_of(parser, vars(args), ["pipeline_config_path"], parts, ["fast", "model"])
    return args


if __name__ == "__main__":
    command_line.run(main)
