"""Exports of the untrained model in every format whose runtime is installed, and detections of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from google.protobuf.message import Message

from scripts.lib.models.detector import DetectionArrays, Detector

OPTIONAL = [
    name
    for name, library in (("openvino", "openvino"), ("tflite", "ai_edge_litert"))
    if importlib.util.find_spec(library)
]


def arguments(source: Path, folder: Path, formats: str) -> list[str]:
    """Return export_model.py's arguments."""
    return ["--checkpoint", str(source), "--output_dir", str(folder), "--formats", formats, "--calibration_images", "3"]


def of_checkpoint(tf, config: Message, checkpoint: str, images: list[np.ndarray]) -> list[DetectionArrays]:
    """Return what the model gives that is built anew from a config and restored from a checkpoint, without an export."""
    from object_detection.builders import model_builder

    found = []
    with tf.Graph().as_default(), tf.Session() as session:
        model = model_builder.build(config.model, is_training=False)
        image = tf.placeholder(tf.uint8, [1, None, None, 3])
        preprocessed, true_shapes = model.preprocess(tf.cast(image, tf.float32))
        outputs = model.postprocess(model.predict(preprocessed, true_shapes), true_shapes)
        wanted = [outputs[f"detection_{name}"] for name in ("boxes", "scores", "classes")]
        tf.train.Saver().restore(session, checkpoint)
        for pixels in images:
            boxes, scores, classes = (values[0] for values in session.run(wanted, {image: pixels[np.newaxis]}))
            height, width = pixels.shape[:2]
            found.append(DetectionArrays(boxes * (height, width, height, width), scores, classes.astype(int) + 1))
    return found


def detections(folder: Path, runtime: str, images: list[np.ndarray], batch_size: int = 1) -> list[DetectionArrays]:
    return list(Detector(folder, runtime).detect_each(images, batch_size))


def assert_detections_of_tensorflow(folder: Path, runtime: str, images: list[np.ndarray], batch_size: int) -> None:
    """Assert that a runtime gives all detections of the frozen graph, in its order."""
    expected = detections(folder, "tensorflow", images)
    assert sum(len(one.scores) for one in expected) > 100
    for one, found in zip(expected, detections(folder, runtime, images, batch_size), strict=True):
        assert found.class_ids.tolist() == one.class_ids.tolist()
        np.testing.assert_allclose(found.scores, one.scores, atol=1e-4)
        np.testing.assert_allclose(found.boxes_yxyx, one.boxes_yxyx, atol=0.05)


def assert_best_detections_of_tensorflow(folder: Path, runtime: str, images: list[np.ndarray]) -> None:
    """Assert that a runtime gives the ten best detections of the frozen graph."""
    for one, found in zip(detections(folder, "tensorflow", images), detections(folder, runtime, images), strict=True):
        assert found.class_ids[:10].tolist() == one.class_ids[:10].tolist()
        np.testing.assert_allclose(found.scores[:10], one.scores[:10], atol=1e-3)
        np.testing.assert_allclose(found.boxes_yxyx[:10], one.boxes_yxyx[:10], atol=0.1)
