"""model.onnx: made once, made again when outdated, whole, and not at all where it cannot be."""

from __future__ import annotations

import os
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from scripts.lib.core import parallel
from scripts.lib.models import exported_model, onnx_conversion
from scripts.lib.models.detector import Detector
from scripts.lib.models.onnx_conversion import ConversionError
from tests import made_model


def test_onnx_is_made_once_and_again_when_the_graph_has_changed(exported, tmp_path, capsys):
    parts = (exported_model.FROZEN_GRAPH, exported_model.LABEL_MAP, exported_model.PIPELINE_CONFIG)
    for name in parts:
        shutil.copy(exported / name, tmp_path)
    made = tmp_path / exported_model.ONNX
    assert onnx_conversion.find_or_make(tmp_path) == made
    assert "Making" in capsys.readouterr().err
    assert onnx_conversion.find_or_make(tmp_path) == made
    assert "Making" not in capsys.readouterr().err
    with (tmp_path / exported_model.FROZEN_GRAPH).open("ab") as file:
        file.write(bytes([0x1A, 0x02, 0x08, 0x00]))  # an empty `library`, which changes the file alone
    assert not onnx_conversion.is_current(tmp_path, made.name)
    assert not onnx_conversion.is_current(tmp_path, exported_model.ONNX_INT8)


def test_two_that_convert_at_once_both_get_a_whole_file(tmp_path, monkeypatch):
    (tmp_path / exported_model.FROZEN_GRAPH).write_bytes(b"graph")
    both_convert = threading.Barrier(2, timeout=30)

    def convert(folder):
        both_convert.wait()
        return b"converted" * 2**20

    monkeypatch.setattr(onnx_conversion, "convert", convert)
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(onnx_conversion.find_or_make, [tmp_path] * 2))
    assert [path.read_bytes() == b"converted" * 2**20 for path in made] == [True, True]
    assert {path.name for path in tmp_path.iterdir()} == {exported_model.FROZEN_GRAPH, exported_model.ONNX}


def test_an_export_that_cannot_be_written_to_is_run_by_tensorflow(tf, tmp_path, capsys, monkeypatch):
    model = made_model.write_model(tf, tmp_path / "model")

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(onnx_conversion.files, "atomic_write", refuse)
    assert Detector(model).runtime == "tensorflow"
    assert "model.onnx cannot be written: Permission denied): TensorFlow does" in capsys.readouterr().err


def test_a_large_graph_that_would_be_converted_whole_is_run_by_tensorflow(tf, tmp_path, capsys, monkeypatch):
    model = made_model.write_model(tf, tmp_path / "model")
    monkeypatch.setattr(onnx_conversion, "_MAX_BYTES", 1000)
    monkeypatch.setattr(onnx_conversion, "_convert_and_compare", None)
    assert Detector(model).runtime == "tensorflow"
    assert re.search(r"cannot run .* \(its graph has 0 MB, too many .*: TensorFlow does", capsys.readouterr().err)
    assert not (model / exported_model.ONNX).exists()


@pytest.mark.parametrize("name", ["onnx", "tf2onnx"])
def test_a_library_that_is_missing_is_named_with_what_installs_it(tmp_path, monkeypatch, name):
    monkeypatch.setattr(onnx_conversion.packages, "is_installed", lambda module: module != name)
    with pytest.raises(ConversionError, match=f"^{name} is not installed in .*pip install -r requirements.txt"):
        onnx_conversion.convert(tmp_path)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core: there is nothing to leave alone")
def test_cores_that_the_process_may_not_use_are_left_alone(monkeypatch):
    onnx = pytest.importorskip("onnx")
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", onnx_conversion.OPSET)])

    def threads_of_a_session() -> int:
        before = psutil.Process().num_threads()
        session = onnx_conversion.session(model.SerializeToString())
        after = psutil.Process().num_threads()
        del session
        return after - before

    threads_of_a_session()  # the first one starts threads of ONNX Runtime's own
    assert threads_of_a_session() > 0
    monkeypatch.setattr(parallel, "available_cores", lambda: 1)
    assert threads_of_a_session() == 0
