"""A checkpoint as an exported model, by the Object Detection API's own exporter."""

from __future__ import annotations

from pathlib import Path

from scripts.lib import object_detection_api
from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.models import exported_model


def export(
    config: pipeline_config.Message,
    checkpoint: str,
    folder: Path,
    input_type: str = "image_tensor",
    verbose: bool = False,
) -> None:
    """Exports a checkpoint, with the label map beside it.

    Args:
        config: the pipeline config, with a label map.
        checkpoint: its prefix.
        folder: of the exported model; is made.
        input_type: "image_tensor", or "encoded_image_string_tensor" for a model that takes the bytes of image files.
        verbose: show what TensorFlow logs of itself.
    """
    with pipeline_config.written(config) as config_path, import_tensorflow(verbose).Graph().as_default():
        object_detection_api.run(
            "object_detection.export_inference_graph",
            [
                f"--input_type={input_type}",
                f"--pipeline_config_path={config_path.as_posix()}",
                f"--trained_checkpoint_prefix={checkpoint}",
                f"--output_directory={folder.as_posix()}",
            ],
            verbose,
        )
    label_map = files.path_of(pipeline_config.label_map_path(config))
    (folder / exported_model.LABEL_MAP).write_bytes(label_map.read_bytes())
