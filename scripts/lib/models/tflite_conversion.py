"""Convert an SSD's checkpoint to TensorFlow Lite, for phones and small computers; in float32 or in 8-bit integers.

The graph is that of the Object Detection API's export_tflite_ssd_graph: it takes a resized and scaled image and ends in
the custom operation TFLite_Detection_PostProcess, which LiteRT has built in.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.lib import object_detection_api
from scripts.lib.config import pipeline_config
from scripts.lib.core.tensorflow import import_tensorflow, without_chatter
from scripts.lib.models import exported_model, metadata, resizing

INPUT = "normalized_input_image_tensor"
OUTPUTS = ["TFLite_Detection_PostProcess", *(f"TFLite_Detection_PostProcess:{number}" for number in (1, 2, 3))]


def write(config: pipeline_config.Message, folder: Path, calibration_images_rgb: Sequence[np.ndarray]) -> None:
    """Write model.tflite and, where there are calibration images, model_int8.tflite.

    Input and output are float32 in both.

    Args:
        config: of an SSD with a fixed_shape_resizer.
        folder: of the exported model, with its checkpoint and model.json.
        calibration_images_rgb: whose values set the ranges of the 8-bit integers, uint8 [any height, any width, 3].
    """
    tf = import_tensorflow()
    model_input = metadata.read_json(folder)["input"]
    images = [as_input(image, model_input)[np.newaxis] for image in calibration_images_rgb]
    shape = [1, model_input["height"], model_input["width"], 3]
    with tempfile.TemporaryDirectory() as scratch:
        graph = _export_graph(config, str(folder / exported_model.CHECKPOINT), Path(scratch))
        for name in [exported_model.TFLITE] + [exported_model.TFLITE_INT8] * bool(images):
            converter = tf.lite.TFLiteConverter.from_frozen_graph(str(graph), [INPUT], OUTPUTS, {INPUT: shape})
            converter.allow_custom_ops = True
            if name == exported_model.TFLITE_INT8:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.representative_dataset = lambda: ([image] for image in images)
            with without_chatter():
                (folder / name).write_bytes(converter.convert())


def as_input(image_rgb: np.ndarray, model_input: Mapping[str, Any]) -> np.ndarray:
    """Return an image, uint8 of any size, as the model takes it: float32; model_input is `metadata.read_json`'s."""
    scale, offset = (np.array(model_input[name], np.float32) for name in ("scale", "offset"))
    return resizing.bilinear(image_rgb, model_input["height"], model_input["width"]) * scale + offset


def _export_graph(config: pipeline_config.Message, checkpoint: str, folder: Path) -> Path:
    """Write tflite_graph.pb, which is converted."""
    object_detection_api.prepare()
    from object_detection import export_tflite_ssd_graph_lib as api

    suppression = config.model.ssd.post_processing.batch_non_max_suppression
    with import_tensorflow().Graph().as_default():
        api.export_tflite_graph(
            config,
            checkpoint,
            str(folder),
            add_postprocessing_op=True,
            max_detections=suppression.max_total_detections,
            max_classes_per_detection=1,
            detections_per_class=suppression.max_detections_per_class,
            use_regular_nms=True,  # class by class, as the model was evaluated; the fast kind mixes the classes
        )
    return folder / "tflite_graph.pb"
