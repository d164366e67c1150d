"""An ONNX file that stands alone: images of any size in, detections out, in plain ONNX Runtime."""

from __future__ import annotations

import re

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.utils import Extractor

from scripts.lib.models import non_max_suppression, onnx_graph, resizing
from scripts.lib.models.detector import Detector
from scripts.lib.models.non_max_suppression import Settings
from tests import documents, made_onnx

OUTPUTS = ["detection_boxes", "detection_scores", "detection_classes", "num_detections"]
SETTINGS = Settings(0.3, 0.5, 8, 20)
PROPOSALS = 200


def run(model: onnx.ModelProto, images: np.ndarray) -> list[np.ndarray]:
    onnx.checker.check_model(model, full_check=True)
    assert sorted({one.domain for one in model.opset_import}) == sorted(one.domain for one in model.opset_import)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == ["image"]
    assert [one.name for one in session.get_outputs()] == OUTPUTS
    return session.run(None, {"image": images})


@pytest.mark.parametrize("shape", [(8, 8), (30, 20), (5, 41)])
def test_a_batch_of_images_of_any_size_is_detected_on_as_by_the_detector(tmp_path, shape):
    folder = made_onnx.write(tmp_path / "model")
    images = np.random.default_rng(1).integers(0, 256, (2, *shape, 3), np.uint8)
    boxes, scores, classes, counts = run(onnx.load(folder / "model.onnx"), images)
    assert counts.tolist() == [2, 2]
    detector = Detector(folder)
    for number, found in enumerate(detector.detect_each(images)):
        height, width = shape
        np.testing.assert_allclose(boxes[number] * [height, width, height, width], found.boxes_yxyx, atol=1e-4)
        np.testing.assert_allclose(scores[number], found.scores, atol=1e-5)
        assert classes[number].tolist() == found.class_ids.tolist()


def test_the_program_in_the_docs_prints_what_is_on_a_photo(tmp_path, monkeypatch, capsys, repository_root):
    made_onnx.write(tmp_path / "exported_model")
    (tmp_path / "photo.jpg").write_bytes(made_onnx.encoded_image((0, 230, 0)))
    monkeypatch.chdir(tmp_path)
    (program,) = documents.programs(repository_root / "docs/export.md")
    exec(program, {})
    assert re.fullmatch(r"Green 0\.90\d* \[0\.25 0\.1 +0\.75 0\.6 +\]\n", capsys.readouterr().out)


def test_images_are_resized_as_tensorflow_1_does(tmp_path):
    model = onnx.load(made_onnx.write(tmp_path) / "model.onnx")
    resize = Extractor(model).extract_model(["image"], [onnx_graph.RESIZED])
    image = np.random.default_rng(2).integers(0, 256, (37, 19, 3), np.uint8)
    session = onnxruntime.InferenceSession(resize.SerializeToString(), providers=["CPUExecutionProvider"])
    (resized,) = session.run(None, {"image": image[np.newaxis]})
    np.testing.assert_allclose(resized[0], resizing.bilinear(image, made_onnx.SIDE, made_onnx.SIDE), atol=1e-3)


def test_overlapping_boxes_are_suppressed_as_the_api_does_and_those_without_area_left_out():
    random = np.random.default_rng(3)
    middles, sides = random.uniform(-0.1, 1.1, (PROPOSALS, 2)), random.uniform(0, 0.5, (PROPOSALS, 2))
    boxes = np.concatenate([middles - sides / 2, middles + sides / 2], axis=1).astype(np.float32)
    scores = random.permutation(PROPOSALS * 4).reshape(PROPOSALS, 4).astype(np.float32) / (PROPOSALS * 4)
    network = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 13]>
        constant (float[n, 4, 6, 3] pixels) => (float[1, {PROPOSALS}, 4] boxes, float[1, {PROPOSALS}, 4] scores) {{
          boxes = Identity (all_boxes)
          scores = Identity (all_scores)
        }}"""
    )
    for name, values in (("all_boxes", boxes), ("all_scores", scores)):
        network.graph.initializer.append(onnx.numpy_helper.from_array(values[np.newaxis], name))
    model = onnx_graph.stand_alone(network, 4, 6, SETTINGS)
    found_boxes, found_scores, classes, (count,) = run(model, np.zeros((1, 9, 9, 3), np.uint8))
    expected = non_max_suppression.multiclass(boxes, scores[:, 1:], SETTINGS)
    assert 10 < count == len(expected[1]) <= SETTINGS.max_total_detections
    np.testing.assert_allclose(found_boxes[0, :count], expected[0], atol=1e-6)
    np.testing.assert_allclose(found_scores[0, :count], expected[1])
    assert (classes[0, :count] - 1).tolist() == expected[2].tolist()
    assert not found_scores[0, count:].any()


def test_a_model_that_was_converted_whole_gets_the_same_names_and_types():
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 13]>
        whole (uint8[1, h, w, 3] tensor) => (float[1] boxes, float[1] scores, float[1] classes, float[1] num) {
          cast = Cast <to = 1> (tensor)
          boxes = ReduceMax <axes = [1, 2, 3], keepdims = 0> (cast)
          scores = Identity (boxes)
          classes = Identity (boxes)
          num = Identity (boxes)
        }"""
    )
    onnx_graph.rename_ends(model)
    outputs = run(model, np.full((1, 3, 5, 3), 7, np.uint8))
    assert [output.dtype.name for output in outputs] == ["float32", "float32", "int64", "int64"]
    assert [output.tolist() for output in outputs] == [[7]] * 4
