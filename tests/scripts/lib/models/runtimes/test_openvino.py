"""OpenVINO in float32, in bfloat16 and in 8-bit integers."""

from __future__ import annotations

import ctypes
import shutil
import sys

import numpy as np
import pytest

from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model, onnx_conversion, onnx_quantization
from scripts.lib.models.detector import Detector
from tests import exporting, small_network


@pytest.mark.parametrize("batch_size", [1, 3])
def test_in_float32_detections_are_those_of_tensorflow_in_its_order(exported, images, batch_size):
    pytest.importorskip("openvino")
    exporting.assert_detections_of_tensorflow(exported, "openvino_float32", images, batch_size)


def test_in_bfloat16_scores_stay_near(exported, images):
    """Computed as OpenVINO emulates it, where the CPU has no instructions for it."""
    pytest.importorskip("openvino")
    from scripts.lib.models.runtimes import openvino

    try:
        model = openvino.Model(exported, precision="bf16")
    except onnx_conversion.ConversionError as error:
        pytest.skip(str(error))
    expected = exporting.detections(exported, "tensorflow", images)
    found = [next(model.run([model.prepare(image)])) for image in images]
    for one, other in zip(expected, found, strict=True):
        assert other.scores[0] == pytest.approx(one.scores[0], abs=0.05)


def precisions(detector: Detector) -> list[str]:
    """Return what OpenVINO's plan says that each convolution computes in."""
    operations = [operation.get_rt_info() for operation in detector._model._compiled.get_runtime_model().get_ops()]
    return [
        info["runtimePrecision"].astype(str) for info in operations if info["layerType"].astype(str) == "Convolution"
    ]


def in_8_bits(detector: Detector) -> int:
    """Return how many convolutions of the four compute so; the first three stay in float."""
    return sum(precision in ("u8", "i8") for precision in precisions(detector))


@pytest.fixture(scope="module")
def quantized(tmp_path_factory):
    """A model in float32 and in 8-bit integers, as ONNX and as OpenVINO."""
    pytest.importorskip("openvino")
    from scripts.lib.models.runtimes import openvino

    folder = tmp_path_factory.mktemp("quantized")
    small_network.write(folder)
    onnx_quantization.write(folder, small_network.images(20))
    openvino.convert(folder, exported_model.OPENVINO)
    openvino.convert(folder, exported_model.OPENVINO_INT8)
    return folder


@pytest.fixture
def copied(quantized, tmp_path):
    return shutil.copytree(quantized, tmp_path / "model")


def test_in_8_bit_integers_convolutions_run_so_and_give_the_scores_of_onnx_runtime(quantized):
    """One image at a time: with an open batch OpenVINO 2026.4 computes MobileNet's first biases wrongly."""
    assert precisions(Detector(quantized, "openvino_float32")) == ["f32"] * 4
    detector = Detector(quantized, "openvino_int8")
    assert in_8_bits(detector) == 1 and detector._model._compiled.input().shape[0] == 1
    images = small_network.images(6, seed=1)
    expected, found = (exporting.detections(quantized, name, images, 3) for name in ("onnx_int8", "openvino_int8"))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other.scores[:3], one.scores[:3], atol=0.02)


def test_the_file_that_is_there_decides_what_runs(copied, capsys):
    hashes = {exported_model.sha256(copied)}
    for name in (exported_model.ONNX, exported_model.ONNX_INT8):
        (copied / name).unlink()
        hashes.add(exported_model.sha256(copied))
    assert Detector(copied).runtime == "openvino_int8"
    assert "in 8-bit integers (openvino_int8); --runtime openvino: in float32" in capsys.readouterr().err
    (copied / exported_model.OPENVINO_INT8).unlink()
    assert Detector(copied, threads=1).runtime == "openvino"
    assert len(hashes | {exported_model.sha256(copied)}) == 4
    with pytest.raises(UsageError, match="there is no model_int8.onnx, which export_model.py --formats onnx_int8"):
        Detector(copied, "openvino_int8")


def test_without_its_own_file_the_onnx_file_is_read_and_threads_can_be_chosen(copied):
    (copied / exported_model.OPENVINO_INT8).unlink()
    detector = Detector(copied, "openvino_int8", threads=1)
    assert in_8_bits(detector) == 1
    assert detector._model._compiled.get_property("INFERENCE_NUM_THREADS") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere OpenVINO gives signals no stack")
def test_models_that_come_and_go_leave_signals_the_stack_that_they_have(quantized):
    """Where OpenVINO exchanged it, the one that stayed could be gone: Ctrl+C was a segmentation fault."""
    from scripts.lib.models.runtimes import openvino

    models = [openvino.Model(quantized, precision="f32")]
    first = address_of_signal_stack()
    models.append(openvino.Model(quantized, precision="f32"))
    assert address_of_signal_stack() == first
    while models:
        del models[0]
        assert address_of_signal_stack() == first


def address_of_signal_stack() -> int | None:
    """Return `ss_sp` of sigaltstack(2)."""
    stack = (ctypes.c_void_p * 3)()
    assert ctypes.CDLL(None).sigaltstack(None, stack) == 0
    return stack[0]
