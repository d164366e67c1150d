"""Exports of the untrained model in every format whose runtime is installed, and detections of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from scripts.lib.models.detector import DetectionArrays, Detector

OPTIONAL = [
    name
    for name, library in (("openvino", "openvino"), ("tflite", "ai_edge_litert"))
    if importlib.util.find_spec(library)
]


def arguments(source: Path, folder: Path, formats: str) -> list[str]:
    """Return export_model.py's arguments."""
    return ["--checkpoint", str(source), "--output_dir", str(folder), "--formats", formats, "--calibration_images", "3"]


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
