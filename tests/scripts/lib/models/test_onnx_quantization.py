"""8-bit integers: what is quantized, how near the result stays, and that the file stands alone."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from scripts.lib.models import exported_model, onnx_graph, onnx_quantization
from scripts.lib.models.detector import Detector
from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.onnx_conversion import ConversionError
from tests import small_network


@pytest.fixture
def folder(tmp_path):
    small_network.write(tmp_path)
    return tmp_path


def float_convolutions(path) -> list[bool]:
    """Return of each convolution whether its input is float32 as it was."""
    graph = onnx.load(path).graph
    dequantized = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    return [node.input[0] not in dequantized for node in graph.node if node.op_type == "Conv"]


def test_convolutions_have_8_bits_with_7_for_weights_but_the_first_three_and_decoding(folder):
    onnx_quantization.write(folder, small_network.images(6))
    model = onnx.load(folder / exported_model.ONNX_INT8)
    onnx.checker.check_model(model, full_check=True)
    assert float_convolutions(folder / exported_model.ONNX_INT8) == [True, True, True, False]
    weights = [
        onnx.numpy_helper.to_array(one) for one in model.graph.initializer if one.data_type == onnx.TensorProto.INT8
    ]
    assert {int(np.abs(values).max()) for values in weights if values.ndim == 4} == {64}
    dequantized = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    decoding = [node for node in model.graph.node if node.op_type in ("Sigmoid", "Concat", "NonMaxSuppression")]
    assert len(decoding) >= 3 and not any(name in dequantized for node in decoding[1:] for name in node.input)


def test_detections_stay_near_and_come_from_the_same_runtime(folder, capsys):
    onnx_quantization.write(folder, small_network.images(20))
    detector = Detector(folder)
    assert detector.runtime == "onnx_int8"
    assert "in 8-bit integers (onnx_int8); --runtime onnx: in float32" in capsys.readouterr().err
    for one, found in zip(
        Detector(folder, "onnx").detect_each(small_network.images(5, seed=1)),
        detector.detect_each(small_network.images(5, seed=1)),
        strict=True,
    ):
        assert abs(found.scores[0] - one.scores[0]) < 0.05


def test_the_file_stands_alone_and_says_what_it_was_calibrated_on(folder):
    onnx_quantization.write(folder, small_network.images(6))
    session = onnxruntime.InferenceSession(folder / exported_model.ONNX_INT8, providers=["CPUExecutionProvider"])
    texts = session.get_modelmeta().custom_metadata_map
    assert (json.loads(texts["calibration_images"]), json.loads(texts["class_names"])) == (6, {"1": "A", "2": "B"})
    boxes, scores, classes, counts = session.run(None, {"image": np.stack(small_network.images(2))})
    assert boxes.shape == (2, 9, 4) and counts.min() > 0 and scores[0, 0] > 0


def test_the_file_is_enough_to_detect_and_tells_the_model_from_others(folder):
    onnx_quantization.write(folder, small_network.images(6))
    both = exported_model.sha256(folder)
    (folder / exported_model.ONNX).unlink()
    assert Detector(folder).runtime == "onnx_int8"
    assert exported_model.sha256(folder) != both


def test_a_graph_that_resizes_by_itself_is_refused(folder):
    model = onnx.load(folder / exported_model.ONNX)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, ModelMetadata("made", {1: "A", 2: "B"}).to_text())
    onnx.save(model, folder / exported_model.ONNX)
    with pytest.raises(ConversionError, match="of another kind than ONNX has"):
        onnx_quantization.write(folder, small_network.images(2))


def test_a_file_of_an_earlier_version_without_ends_is_still_run(folder, tmp_path):
    encoded, _ = onnx_graph.read_network(folder / exported_model.ONNX)
    (expected,) = Detector(folder).detect_each(small_network.images(1))
    (folder / exported_model.ONNX).write_bytes(encoded)
    (found,) = Detector(folder).detect_each(small_network.images(1))
    assert found.scores.tolist() == expected.scores.tolist()
