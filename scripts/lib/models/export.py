"""Export a checkpoint by the Object Detection API's own exporter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts.lib import object_detection_api
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import api_limits, checks, pipeline_config
from scripts.lib.core import files
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.models import exported_model


def read_config(path: Path | str) -> pipeline_config.Message:
    """Return a pipeline config; raise DataError where its model and label map cannot be exported."""
    config = pipeline_config.read(path)
    findings = api_limits.check_model(config, path) + api_limits.check_evaluation(config, path)
    findings += checks.check_label_map(config, pipeline_config.label_map_path(config), path)[0]
    checks.raise_errors(findings, "nothing was exported")
    return config


def export(config: pipeline_config.Message, checkpoint: str, folder: Path, api_flags: Sequence[str] = ()) -> None:
    """Export a checkpoint, with the label map beside it; raise DataError where the checkpoint is damaged.

    Args:
        config: the pipeline config, with a label map.
        checkpoint: its prefix.
        folder: of the exported model; it is made.
        api_flags: further flags of the exporter.
    """
    checkpoint_files.verify(checkpoint)
    with pipeline_config.written(config) as config_path, import_tensorflow().Graph().as_default():
        object_detection_api.run(
            "object_detection.export_inference_graph",
            [
                f"--pipeline_config_path={config_path.as_posix()}",
                f"--trained_checkpoint_prefix={checkpoint}",
                f"--output_directory={folder.as_posix()}",
                *api_flags,
            ],
        )
    label_map = files.path_of(pipeline_config.label_map_path(config))
    (folder / exported_model.LABEL_MAP).write_bytes(label_map.read_bytes())
