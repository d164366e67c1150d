"""Export a trained detector: the Object Detection API's own export_inference_graph.py, with its flags.

In:   a pipeline config and a checkpoint (a prefix such as train/model.ckpt-800, or the training's folder: its latest).
Out:  in output_directory: frozen_inference_graph.pb, saved_model/, model.ckpt.*, checkpoint, pipeline.config, and
      label_map.pbtxt, so that the model's users need nothing else.

The folder appears whole or not at all; an earlier export in it is replaced. On a bucket (gs://...), which has no
folders, its files do, one after another.

  python scripts/export_inference_graph.py --pipeline_config_path my.config --trained_checkpoint_prefix runs/mine/train --output_directory exported_model
"""  # noqa: E501 (one line, for cmd and PowerShell)

from __future__ import annotations

import argparse
from collections.abc import Sequence

import _init_paths  # noqa: F401

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import command_line, files
from scripts.lib.core.tensorflow import set_verbose
from scripts.lib.models import export, exported_model
from scripts.lib.object_detection_api import flags

REQUIRED = ("pipeline_config_path", "trained_checkpoint_prefix", "output_directory")


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    set_verbose(args.verbose)
    config = export.read_config(args.pipeline_config_path)
    checkpoint = checkpoint_files.find(args.trained_checkpoint_prefix)
    output_directory = files.path_of(args.output_directory)
    exported_model.check_output_directory("output_directory", output_directory)
    further_flags = flags.to_argv(flags.EXPORT, {**vars(args), **dict.fromkeys(REQUIRED)})

    print(f"Exporting {checkpoint} to {files.shown_path(output_directory)}", flush=True)
    with files.scratch_beside(output_directory) as scratch:
        made = scratch / "export"
        export.export(config, checkpoint, made, further_flags)
        files.replace_folder(made, output_directory)
    print(f"The exported model is in {files.shown_path(output_directory)}")
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__, flags.EXPORT_ELSEWHERE)
    flags.add_to(parser, flags.EXPORT)
    args = parser.parse_args(flags.double_dashed(argv))
    for name in REQUIRED:
        flags.require_one_of(parser, vars(args), [name])
    return args


if __name__ == "__main__":
    command_line.run(main)
