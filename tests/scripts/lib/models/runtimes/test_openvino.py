"""OpenVINO in float32 and in bfloat16."""

from __future__ import annotations

import pytest

from scripts.lib.models import onnx_conversion
from tests import exporting


@pytest.mark.parametrize("batch_size", [1, 3])
def test_in_float32_detections_are_those_of_tensorflow_in_its_order(exported, images, batch_size):
    pytest.importorskip("openvino")
    exporting.assert_detections_of_tensorflow(exported, "openvino_float32", images, batch_size)


def test_in_bfloat16_scores_stay_near(exported, images):
    """Computed as OpenVINO emulates it, where the CPU has no instructions for it."""
    pytest.importorskip("openvino")
    from scripts.lib.models.runtimes import openvino

    try:
        model = openvino.Model(exported, "bf16")
    except onnx_conversion.ConversionError as error:
        pytest.skip(str(error))
    expected = exporting.detections(exported, "tensorflow", images)
    found = [next(model.run([model.prepare(image)])) for image in images]
    for one, other in zip(expected, found, strict=True):
        assert other.scores[0] == pytest.approx(one.scores[0], abs=0.05)
