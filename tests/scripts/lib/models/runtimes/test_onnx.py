"""ONNX Runtime gives TensorFlow's detections, and names files that it cannot read."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.core.errors import DataError, UsageError
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


def test_case_26_operations_of_others_are_refused_by_their_domain(tmp_path):
    import onnx

    model = onnx.load(made_onnx.write(tmp_path) / exported_model.ONNX)
    model.opset_import.append(onnx.helper.make_opsetid("evil.example", 1))
    model.graph.node[0].domain = "evil.example"
    onnx.save(model, tmp_path / exported_model.ONNX)
    for runtime in ("onnx", "openvino"):
        with pytest.raises(UsageError, match="it has operations of evil.example; only those of ONNX itself are run"):
            Detector(tmp_path, runtime)


@pytest.mark.parametrize("place", ["../secret", "/etc/hostname"])
def test_case_26_weights_outside_the_folder_are_refused(tmp_path, place):
    import onnx

    folder = made_onnx.write(tmp_path / "model")
    (tmp_path / "secret").write_bytes(bytes(range(24)))
    model = onnx.load(folder / exported_model.ONNX)
    scale = next(node for node in model.graph.node if node.output[0].endswith("scale"))
    weight = onnx.numpy_helper.from_array(np.float32([1 / 255] * 6), scale.output[0])
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=place)
    model.graph.initializer.append(weight)
    model.graph.node.remove(scale)
    (folder / exported_model.ONNX).write_bytes(model.SerializeToString())
    with pytest.raises(UsageError, match="runtime onnx cannot run .*/model: model.onnx is damaged, or was not made by"):
        Detector(folder, "onnx")


def test_case_26_outputs_of_another_shape_are_a_sentence(tmp_path):
    import onnx

    model = onnx.load(made_onnx.write(tmp_path) / exported_model.ONNX)
    for node in model.graph.node:  # scores of one dimension less
        if node.output[0].endswith("/shape"):
            node.attribute[0].ints[:] = [-1, 3]
    (tmp_path / exported_model.ONNX).write_bytes(model.SerializeToString())
    with pytest.raises(
        (DataError, UsageError), match=r"fails on an image in onnx \(.*\); export|model.onnx is damaged"
    ):
        Detector(tmp_path, "onnx").detect(np.zeros((9, 9, 3), np.uint8))
