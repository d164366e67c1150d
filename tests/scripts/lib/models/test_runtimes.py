"""The choice of a runtime: which one runs a folder, and what is said where none can."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from scripts import make_sample_dataset
from scripts.lib.core.errors import UsageError
from scripts.lib.images import decode
from scripts.lib.models import exported_model, format_comparison, onnx_conversion, runtimes
from scripts.lib.models.detector import Detector
from tests import exporting, made_onnx


@pytest.mark.parametrize("data", ["sample_dir", "reference_dir"])
def test_all_runtimes_agree_within_half_a_pixel_on_images(exported, data, request):
    paths = sorted((request.getfixturevalue(data) / "samples").glob("*.jpg"))[:6]
    images = [decode.read(path)[0] for path in paths]
    expected = exporting.detections(exported, "tensorflow", images)
    assert len(images) == 6
    assert sum(int((one.scores > format_comparison.MIN_SCORE).sum()) for one in expected) > 60
    for runtime in ["onnx"] + ["openvino_float32"] * ("openvino" in exporting.OPTIONAL):
        for one, found in zip(expected, exporting.detections(exported, runtime, images, 4), strict=True):
            boxes, scores = format_comparison.largest_difference(one, found)
            assert boxes < format_comparison.MAX_BOX_DIFFERENCE, runtime
            assert scores < format_comparison.MAX_SCORE_DIFFERENCE, runtime


@pytest.fixture(scope="module")
def sample_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    make_sample_dataset.main(["--output_dir", str(folder), "--num_images", "6"])
    return folder


def test_a_model_in_one_format_is_enough_to_detect(exported, images, tmp_path):
    expected = exporting.detections(exported, "tensorflow", images[:1])[0]
    for name, runtime in ((exported_model.ONNX, "onnx"), ("openvino", "openvino")):
        if (exported / name).exists():
            alone = tmp_path / runtime
            alone.mkdir()
            (shutil.copytree if (exported / name).is_dir() else shutil.copy)(exported / name, alone / name)
            detector = Detector(alone)
            assert detector.runtime == runtime
            (found,) = detector.detect_each(images[:1])
            np.testing.assert_allclose(found.scores, expected.scores, atol=0.01)
            with pytest.raises(UsageError, match="has no frozen_inference_graph"):
                Detector(alone, "tensorflow")


def test_a_model_that_cannot_be_converted_is_run_by_tensorflow(exported, images, capsys, monkeypatch):
    def refuse(folder):
        raise onnx_conversion.ConversionError("no such operation")

    monkeypatch.setattr(onnx_conversion, "find_or_make", refuse)
    assert Detector(exported).runtime == "tensorflow"
    assert "ONNX Runtime cannot run" in capsys.readouterr().err
    with pytest.raises(UsageError, match="no such operation. Take another one"):
        Detector(exported, "onnx")


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_a_runtime_that_is_not_installed_is_named(exported, runtime, monkeypatch):
    def load(folder, name, *_):
        raise ModuleNotFoundError(f"No module named {name}", name=runtimes.RUNTIMES[name].library)

    monkeypatch.setattr(runtimes, "_model", load)
    with pytest.raises(UsageError, match="is not installed in .*python -m pip install -r requirements"):
        Detector(exported, runtime)


def test_providers_that_are_not_there_are_named_with_what_brings_them(tmp_path):
    folder = made_onnx.write(tmp_path)
    says = (
        "this ONNX Runtime has the providers .*CPUExecutionProvider; CUDAExecutionProvider comes with onnxruntime-gpu"
    )
    with pytest.raises(UsageError, match=says):
        Detector(folder, providers=["CUDAExecutionProvider", "CPUExecutionProvider"])
    with pytest.raises(UsageError, match="cuda comes with another build"):
        Detector(folder, "onnx", providers=["cuda"])
    with pytest.raises(
        UsageError, match="providers are ONNX Runtime's, and .* would run in openvino; leave --providers"
    ):
        Detector(folder, "openvino", providers=["CPUExecutionProvider"])


def test_a_provider_that_does_not_start_is_an_error_and_not_a_slow_run(tmp_path, monkeypatch):
    import onnxruntime

    folder = made_onnx.write(tmp_path)
    available = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda session: available[1:])
    with pytest.raises(UsageError, match="provider CUDAExecutionProvider does not start"):
        Detector(folder, providers=available[:1])


def test_threads_and_providers_reach_onnx_runtime(tmp_path):
    images = [decode.decode(made_onnx.encoded_image(), "the image")[0]] * 3
    detector = Detector(made_onnx.write(tmp_path), threads=1, providers=["CPUExecutionProvider"])
    session = detector._model._session
    assert session.get_session_options().intra_op_num_threads == 1
    assert session.get_providers() == ["CPUExecutionProvider"]
    expected = Detector(tmp_path).detect_each(images)
    for one, found in zip(expected, detector.detect_each(images), strict=True):
        np.testing.assert_array_equal(found.scores, one.scores)
