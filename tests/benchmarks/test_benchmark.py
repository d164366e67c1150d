"""benchmark.py: made input, fair comparisons, what is measured of a program, and the table."""

from __future__ import annotations

import io
import json
import os
import sys
import types

import numpy as np
import pytest
from PIL import Image

import xml_to_csv
from scripts.lib.annotations import voc_xml
from scripts.lib.dataset import labels_csv
from tests.benchmarks import benchmark, data, data_input, detect, measuring, plain, train
from tests.benchmarks.measuring import MEGABYTE, Result, Run
from tests.made_detector import MadeDetector

needs_rusage = pytest.mark.skipif(not hasattr(os, "wait4"), reason="CPU time and memory are not measured on Windows")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    data_input.make(folder, 7, 4, 3, 2)
    return folder


def test_the_input_is_photos_of_realistic_size_with_labels(made):
    names = sorted(path.name for path in (made / "photos").iterdir())
    assert names == ["000000.jpg", "000001.jpg", "000002.jpg"]
    contents = [(made / "photos" / name).read_bytes() for name in names]
    assert len(set(contents)) == 3 and all(80_000 < len(content) < 120_000 for content in contents)
    assert Image.open(io.BytesIO(contents[2])).size == (640, 640)
    assert sorted({row.filename for row in labels_csv.read_rows(made / "photos_2.csv")}) == names[:2]
    found = voc_xml.find_files(made / "annotations")
    assert len(found) == 7 and len({voc_xml.read(path).filename for path in found}) == 7


def test_the_plain_converter_gives_the_same_table(made, tmp_path):
    xml_dir = made / "annotations" / "00000"
    plain.xml_to_csv(str(xml_dir), str(tmp_path / "plain.csv"))
    xml_to_csv.main([f"--annotations_dir={xml_dir}", f"--output_csv={tmp_path / 'ours.csv'}"])
    assert (tmp_path / "plain.csv").read_text() == (tmp_path / "ours.csv").read_text()


@needs_rusage
def test_time_and_memory_include_those_of_child_processes():
    """In a process of its own: Linux counts the memory of the process that starts a program as the program's."""
    child = "b = bytearray(80 << 20); n = 0\nwhile n < 3_000_000: n += 1"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    code = (
        f"from tests.benchmarks import measuring; run = measuring.run(['-c', {parent!r}], True); "
        "print(run.wall, run.cpu, run.peak_bytes)"
    )
    output = measuring.run(["-c", code]).output
    wall, cpu, peak_bytes = map(float, output.split())
    assert wall > 0.05 and cpu > 0.05
    assert 80 * MEGABYTE < peak_bytes < 200 * MEGABYTE


def test_what_a_program_says_is_kept_and_shown_when_it_fails():
    assert measuring.run(["-c", "print('Größe')"]).output.strip().endswith("e")
    with pytest.raises(RuntimeError, match="status 3:\nno luck"):
        measuring.run(["-c", "import sys; print('no luck'); sys.exit(3)"])


def test_the_best_of_several_runs_has_the_lowest_times_and_the_highest_memory():
    assert measuring.best([Run(2, 3, 10), Run(4, 1, 20)]) == Run(2, 1, 20)
    assert measuring.best([Run(2, None, None), Run(1, None, None)]) == Run(1, None, None)


@pytest.mark.parametrize(
    ("result", "met", "shown"),
    [
        (measuring.ratio("fast", 3, Run(6, 4, 1), Run(2, 2, 1), "slow"), True, "3.00 x"),
        (measuring.ratio("fast", 4, Run(6, None, None), Run(2, None, None), "slow"), False, "3.00 x"),
        (measuring.memory("small", 400, Run(1, 1, 399 * MEGABYTE)), True, "399 MB"),
        (measuring.memory("small", 400, Run(1, None, None)), None, ""),
        (Result("start", 0.6, 0.7, "s"), False, "0.70 s"),
    ],
)
def test_a_result_knows_whether_its_target_is_met(result, met, shown):
    assert result.met is met and result.as_json()["met"] is met
    assert result.cells()[2] == shown


def test_the_table_says_what_it_was_measured_on(monkeypatch, capsys, tmp_path):
    def measure(work_dir, quick):
        print("details")
        return [Result("start", 0.6, 0.2, "s")]

    monkeypatch.setattr(data, "measure", measure)
    benchmark.main(["data", "--quick", f"--work_dir={tmp_path}"])
    shown = capsys.readouterr().out
    assert "< 0.60 s" in shown and "0.20 s" in shown and "yes" in shown and "cores" in shown
    benchmark.main(["data", "--json", str(tmp_path / "result.json"), f"--work_dir={tmp_path}"])
    content = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert content["results"][0]["met"] is True and content["machine"]["python"] == sys.version.split()[0]


def test_the_time_of_a_step_is_told_by_kinds_of_operations():
    kernels = {
        "_MklNativeConv2D": 20.0,
        "Conv2D": 5.0,
        "_MklNativeDepthwiseConv2dNativeBackpropInput": 15.0,
        "_MklNativeFusedBatchNormV3": 10.0,
        "_MklNativeFusedBatchNormGradV3": 10.0,
        "Relu6Grad": 8.0,
        "Mul": 2.0,
    }
    shown = train.where_the_time_goes(train.Trained(Run(0.1, 0.1, 2**20), [1.0], kernels)).splitlines()[1:]
    told = {line.split("%  ")[1]: line.split()[:3] for line in shown}
    assert told["convolutions"] == ["25", "ms", "25%"] and told["convolutions, gradients"][0] == "15"
    assert told["batch normalisation"][0] == told["batch normalisation, gradients"][0] == "10"
    assert told["all other operations"][0] == "2"
    (beside,) = (value for kind, value in told.items() if kind.startswith("decoding"))
    assert beside == ["30", "ms", "30%"]


def test_the_losses_are_compared_in_a_picture_and_by_their_means(tmp_path):
    losses = {"bare": [[9.0, 5.0, 3.0, 1.0], [9.0, 5.0, 4.0, 2.0]], "train.py": [[8.0, 6.0, 2.0, 2.0]]}
    said = train.compare_losses(losses, tmp_path)
    assert "bare 2.50 (2.00 to 3.00)" in said and "train.py 2.00 (2.00 to 2.00)" in said
    with Image.open(tmp_path / "loss_curves.png") as picture:
        assert picture.width > 400


def test_photos_are_read_in_the_tutorials_loop_as_they_are(made):
    with Image.open(made / "photos" / "000000.jpg") as photo:
        np.testing.assert_array_equal(detect.pixels_by_getdata(photo), np.array(photo))


@pytest.mark.parametrize(("precision", "flags"), [("f32", ["avx2"]), ("bf16", ["avx2", "avx512_vnni"])])
def test_the_detection_benchmark_compares_runtimes_with_tensorflow_and_with_the_loop(
    monkeypatch, tmp_path, capsys, precision, flags
):
    class Made(MadeDetector):
        def __init__(self, folder, runtime):
            super().__init__(folder, runtime)
            session = types.SimpleNamespace(run=lambda outputs, feed: [pixels.shape for pixels in feed.values()])
            self._model = types.SimpleNamespace(_session=session, precision=precision)

    monkeypatch.setattr(detect, "Detector", Made)
    monkeypatch.setattr(detect, "make_model", lambda folder, scratch, photos: folder.mkdir())
    monkeypatch.setattr(measuring, "machine", lambda: {"cpu_flags": flags})
    monkeypatch.setattr(detect, "make_photos", lambda folder, count: small_photos(folder, count))
    monkeypatch.setattr(detect.importlib.util, "find_spec", lambda name: name == "openvino" or None)
    measured = detect.measure(tmp_path, quick=True)
    results = {(result.what, result.detail.split("; ")[1].split(" 0.")[0]): result.target for result in measured}
    name, alone, from_files = {"f32": ("openvino", 1, 1), "bf16": ("openvino, bfloat16", 5, 4)}[precision]
    assert results[f"{name}: inference alone, one image a call", "TensorFlow"] == alone
    assert results[f"{name}: from JPEG files", "the tutorial's loop"] == from_files
    for int8, target in (("onnx_int8", 3.5), ("openvino_int8", 4.5)):
        title, target = (int8, target) if "avx512_vnni" in flags else (f"{int8} (no VNNI: not judged)", None)
        assert results[f"{title}: inference alone, one image a call", "TensorFlow"] == target
    assert len(results) == 12
    assert {result.cells()[4] for result in measured if result.target is None} <= {"not judged"}
    assert "10 photos, an image: tutorial's loop" in capsys.readouterr().out


def small_photos(folder, count):
    folder.mkdir()
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path in paths:
        Image.new("RGB", (16, 16)).save(path)
    return paths


@pytest.mark.slow
def test_the_data_benchmark_measures_every_target(monkeypatch, tmp_path):
    pytest.importorskip("tensorflow")
    monkeypatch.setattr(data, "QUICK", data.Size(20, 40, 12, 6, 6, 1))
    results = data.measure(tmp_path, quick=True)
    assert len(results) >= 3 + 4 + 3 and all(result.measured for result in results)
    assert [path.name for path in tmp_path.iterdir()] == ["data-40-12"]
