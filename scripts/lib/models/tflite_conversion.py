"""An SSD's checkpoint as a TensorFlow Lite file, for phones and small computers; in float32 or in 8-bit integers.

The graph is that of the Object Detection API's export_tflite_ssd_graph: it takes a resized and scaled image and ends in
the custom operation TFLite_Detection_PostProcess, which LiteRT has built in.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from scripts.lib import object_detection_api
from scripts.lib.config import pipeline_config
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.models import exported_model, resizing

INPUT = "normalized_input_image_tensor"
OUTPUTS = ["TFLite_Detection_PostProcess", *(f"TFLite_Detection_PostProcess:{number}" for number in (1, 2, 3))]


def unsuitable(config: pipeline_config.Message) -> str | None:
    """Why a model cannot be converted, in a clause; None where it can."""
    if config.model.WhichOneof("model") != "ssd":
        return "TensorFlow Lite takes SSD models alone"
    if not config.model.ssd.image_resizer.HasField("fixed_shape_resizer"):
        return "TensorFlow Lite needs a fixed_shape_resizer"
    return None


def export_graph(config: pipeline_config.Message, checkpoint: str, folder: Path) -> Path:
    """The graph that is converted, tflite_graph.pb.

    Args:
        config: of an SSD.
        checkpoint: its prefix.
        folder: for the graph.
    """
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


def convert(graph: Path, height: int, width: int, calibration: Iterable[np.ndarray] | None = None) -> bytes:
    """Converts the graph.

    Args:
        graph: what `export_graph` wrote.
        height, width: of its input.
        calibration: images as the graph takes them, float32 [height, width, 3]: weights and activations become 8-bit
            integers whose ranges these images show. Input and output stay float32. None: float32 throughout.
    """
    tf = import_tensorflow()
    converter = tf.lite.TFLiteConverter.from_frozen_graph(str(graph), [INPUT], OUTPUTS, {INPUT: [1, height, width, 3]})
    converter.allow_custom_ops = True
    if calibration is not None:
        images = list(calibration)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
    return converter.convert()


def scaling(folder: Path) -> dict[str, list[float]]:
    """How the model's feature extractor scales pixels, found by asking its frozen graph for black and white.

    Returns:
        "scale" and "offset" of each channel: value = pixel * scale + offset, with pixels of 0..255.
    """
    from scripts.lib.models import onnx_conversion

    tf = import_tensorflow()
    graph_def = exported_model.frozen_graph(folder)
    scaled = onnx_conversion.scaled_image(graph_def)
    pixels = np.zeros((2, 1, 1, 3), np.uint8)
    pixels[1] = 255
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        black, white = session.run(f"{scaled}:0", {"image_tensor:0": pixels}).reshape(2, 3)
    return {"scale": ((white - black) / 255).tolist(), "offset": black.tolist()}


def as_input(image_rgb: np.ndarray, height: int, width: int, scaling: Mapping[str, Sequence[float]]) -> np.ndarray:
    """An image as the graph takes it: float32 [height, width, 3].

    Args:
        image_rgb: uint8 [any height, any width, 3].
        height, width: of the model.
        scaling: see `scaling`.
    """
    scale, offset = (np.array(scaling[name], np.float32) for name in ("scale", "offset"))
    return resizing.bilinear(image_rgb, height, width) * scale + offset


def write(config: pipeline_config.Message, model: Path, calibration_rgb: Sequence[np.ndarray]) -> list[str]:
    """Writes model.tflite and, where there are images to calibrate with, model_int8.tflite, and what they need.

    Args:
        config: of an SSD with a fixed_shape_resizer.
        model: the exported model's folder, with frozen graph and checkpoint.
        calibration_rgb: images for int8, uint8 [any height, any width, 3] each.

    Returns:
        The names of the files.
    """
    resizer = config.model.ssd.image_resizer.fixed_shape_resizer
    size = resizer.height, resizer.width
    scaled = scaling(model)
    written = []
    with tempfile.TemporaryDirectory() as folder:
        graph = export_graph(config, str(model / exported_model.CHECKPOINT), Path(folder))
        for name, images in ((exported_model.TFLITE, None), (exported_model.TFLITE_INT8, calibration_rgb)):
            if images is None or len(images):
                inputs = None if images is None else [as_input(image, *size, scaled) for image in images]
                (model / name).write_bytes(convert(graph, *size, inputs))
                written.append(name)
    return written
