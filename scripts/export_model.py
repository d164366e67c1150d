"""Export a trained detector for every runtime, in one command, and check that all give the same detections.

In:   a checkpoint (a prefix such as train/model.ckpt-800, or a training's folder: its latest) and a pipeline config,
      by default the one that the training has left beside it.
Out:  in output_dir, with label_map.pbtxt, pipeline.config, and model.json (classes, colour order, size and scaling of
      the input), by --formats:
        saved_model   saved_model/, which takes the bytes of JPEG or PNG files: for TensorFlow Serving
        frozen        frozen_inference_graph.pb and model.ckpt.*, which take pixels: export_inference_graph.py's
        onnx          model.onnx, which detect.py runs by default
        onnx_int8     model_int8.onnx, in 8-bit integers calibrated on training images; then detect.py's default
        openvino      openvino/model.xml and .bin
        openvino_int8 openvino/model_int8.xml and .bin, with the integers of model_int8.onnx
        tflite        model.tflite, and model_int8.tflite, whose 8-bit integers are calibrated on training images
      On the screen the largest difference of each from the frozen graph on three images of the evaluation record
      (noise, where it is not there); for formats that round (int8, bfloat16) also mAP@0.5 on the record.

The folder appears whole or not at all, and only if all formats that should be exact are: boxes within 0.5 pixels,
scores within 0.01; formats that round may lose 0.03 of mAP@0.5. OpenVINO's and tflite need requirements-runtimes.txt;
those in 8-bit integers and tflite take only SSD models.

  python scripts/export_model.py --checkpoint runs/multi/train --formats saved_model onnx onnx_int8 openvino_int8 tflite
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import _init_paths  # noqa: F401
import numpy as np

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import command_line, files
from scripts.lib.core.errors import UsageError
from scripts.lib.core.tensorflow import set_verbose
from scripts.lib.evaluation import metrics_file, on_record
from scripts.lib.models import export, exported_model, format_comparison, formats
from scripts.lib.models.detector import Detector
from scripts.lib.object_detection_api import flags

if TYPE_CHECKING:
    from scripts.lib.core.remote_path import RemotePath

DEFAULT_FORMATS = ["saved_model", "frozen", "onnx"]
NUM_IMAGES = 3
NOISE = (300, 300, 3)  # height, width, channels of the image that takes their place


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    set_verbose(args.verbose)
    checkpoint = checkpoint_files.find(args.checkpoint)
    config = export.read_config(args.pipeline_config_path or config_beside(checkpoint))
    formats.check_possible(args.formats, config)
    exported_model.check_output_directory("output_dir", args.output_dir)
    records = formats.local_records(config.eval_input_reader[0]) if config.eval_input_reader else []
    images = formats.first_images(records, NUM_IMAGES) or [np.random.default_rng(0).integers(0, 256, NOISE, np.uint8)]
    mean_ap = functools.partial(mean_average_precision, records=records) if records else None

    print(f"Exporting {checkpoint} to {files.shown_path(args.output_dir)}", flush=True)
    with files.scratch_beside(args.output_dir) as scratch:
        made = scratch / "export"
        job = formats.ExportJob(config, checkpoint, made, args.calibration_images)
        checks = formats.write(args.formats, job)
        results = list(format_comparison.compare(checks, made, images, mean_ap))
        print("From the frozen graph, at most:", *results, sep="\n  ", flush=True)
        format_comparison.raise_differences(results)
        formats.remove_others(args.formats, made)
        files.replace_folder(made, args.output_dir)
    print(f"The exported model is in {files.shown_path(args.output_dir)}")
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    checkpoint = "--checkpoint", "--trained_checkpoint_prefix", "--trained_checkpoint_dir", "--checkpoint_dir"
    parser.add_argument(*checkpoint, required=True, metavar="PATH", help="checkpoint, or a folder: its latest one")
    parser.add_argument("--pipeline_config_path", help="pipeline config (default: the one beside the checkpoint)")
    folder = files.default_path("exported_model")
    output_dir = "--output_dir", "--output_directory"
    parser.add_argument(*output_dir, type=command_line.local_path, default=folder, help="folder for the export")
    of = f"formats to write, of {', '.join(formats.FORMATS)} (default: {' '.join(DEFAULT_FORMATS)})"
    names = command_line.names_of(formats.FORMATS)
    parser.add_argument("--formats", nargs="+", action="extend", type=names, metavar="FORMAT", help=of)
    not_negative = command_line.not_negative_int
    parser.add_argument("--calibration_images", type=not_negative, default=100, help="for 8-bit integers; 0: none")
    flags.add_logging(parser)
    args = parser.parse_args(flags.double_dashed(argv))
    args.formats = sum(args.formats or [DEFAULT_FORMATS], [])
    return args


def config_beside(checkpoint: str) -> Path | RemotePath:
    """Return the path of the config that the training wrote; raise UsageError where there is none."""
    path = files.path_of(checkpoint).parent / exported_model.PIPELINE_CONFIG
    if not path.is_file():
        raise UsageError(f"there is no {files.shown_path(path)}; give the config by --pipeline_config_path")
    return path


def mean_average_precision(detector: Detector, records: Sequence[str]) -> float:
    """Return a detector's mAP@0.5 on records."""
    class_ids = {name: class_id for class_id, name in detector.class_names.items()}
    return on_record.evaluate(detector, records, class_ids).metrics[metrics_file.MEAN_AP]


if __name__ == "__main__":
    command_line.run(main)
