"""TensorFlow Lite: what its model takes; what it gives is compared in runtimes/test_litert.py."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from scripts.lib.config import pipeline_config
from scripts.lib.models import exported_model, tflite_conversion


def test_an_image_is_resized_and_scaled_channel_by_channel():
    model_input = {"height": 4, "width": 6, "scale": [2 / 255, 1, 0], "offset": [-1, 0, 5]}
    image = np.full((9, 9, 3), [255, 3, 100], np.uint8)
    taken = tflite_conversion.as_input(image, model_input)
    assert (taken.dtype, taken.shape) == (np.float32, (4, 6, 3))
    np.testing.assert_allclose(taken, np.broadcast_to([1, 3, 5], (4, 6, 3)), atol=1e-6)


def test_without_images_to_calibrate_with_there_is_no_int8(source, exported, tmp_path):
    pytest.importorskip("ai_edge_litert")
    folder = shutil.copytree(exported, tmp_path / "model", ignore=shutil.ignore_patterns("*.tflite", "saved_model"))
    config = pipeline_config.read(folder / exported_model.PIPELINE_CONFIG)
    tflite_conversion.write(config, folder, [])
    assert (folder / exported_model.TFLITE).read_bytes() == (exported / exported_model.TFLITE).read_bytes()
    assert not (folder / exported_model.TFLITE_INT8).exists()
