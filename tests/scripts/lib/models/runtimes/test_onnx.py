"""ONNX Runtime gives TensorFlow's detections, and names files that it cannot read."""

from __future__ import annotations

import pytest

from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model
from scripts.lib.models.detector import Detector
from tests import exporting, made_onnx


@pytest.mark.parametrize("batch_size", [1, 3])
def test_detections_are_those_of_tensorflow_in_its_order(exported, images, batch_size):
    exporting.assert_detections_of_tensorflow(exported, "onnx", images, batch_size)


@pytest.mark.parametrize("content", [b"no model", b""])
def test_a_damaged_onnx_file_is_named(exported, tmp_path, content):
    (tmp_path / exported_model.ONNX).write_bytes(content)
    for runtime in ("auto", "onnx"):
        with pytest.raises(
            UsageError,
            match="runtime onnx cannot run .* model.onnx is damaged, or was not made by .* or export the model again",
        ):
            Detector(tmp_path, runtime)


def test_an_onnx_file_of_others_is_named(tmp_path):
    import onnx

    model = onnx.load(made_onnx.write(tmp_path) / exported_model.ONNX)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / exported_model.ONNX)
    with pytest.raises(UsageError, match="its metadata lack made_from, class_names"):
        Detector(tmp_path)
