"""export_model.py: all formats of a real, tiny SSD, and that every runtime gives the same detections of them."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from scripts import export_model, make_sample_dataset
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.images import decode
from scripts.lib.models import exported_model, onnx_conversion, runtimes
from scripts.lib.models.detector import DetectionArrays, Detector
from scripts.lib.records import read
from tests import made_model, made_onnx, untrained_model

FURTHER = [
    name
    for name, library in (("openvino", "openvino"), ("tflite", "ai_edge_litert"))
    if importlib.util.find_spec(library)
]


@pytest.fixture(scope="module")
def source(tf, tmp_path_factory):
    """A folder with a config and a checkpoint."""
    return untrained_model.write(tf, tmp_path_factory.mktemp("source")).parent


@pytest.fixture(scope="module")
def exported(source):
    formats = ",".join(["saved_model", "frozen", "onnx", *FURTHER])
    folder = source / "exported"
    export_model.main(arguments(source, folder, formats))
    return folder


@pytest.fixture(scope="module")
def photos(source) -> list[np.ndarray]:
    """Of different sizes, one of them the model's own."""
    pixels = [image.pixels() for image in read.read(source / "test.record")]
    return [*pixels, np.random.default_rng(2).integers(0, 256, (96, 96, 3), np.uint8)]


def arguments(source, folder, formats):
    return ["--checkpoint", str(source), "--output_dir", str(folder), "--formats", formats, "--calibration_images", "3"]


def detections(folder, runtime, photos, batch_size=1) -> list[DetectionArrays]:
    return list(Detector(folder, runtime).detect_each(photos, batch_size))


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("runtime", ["onnx", "openvino_float32"])
def test_every_runtime_gives_the_detections_of_tensorflow_in_its_order(exported, photos, runtime, batch_size):
    if runtime != "onnx":
        pytest.importorskip("openvino")
    expected = detections(exported, "tensorflow", photos)
    assert sum(len(one.scores) for one in expected) > 100
    for one, found in zip(expected, detections(exported, runtime, photos, batch_size), strict=True):
        assert found.class_ids.tolist() == one.class_ids.tolist()
        np.testing.assert_allclose(found.scores, one.scores, atol=1e-4)
        np.testing.assert_allclose(found.boxes_yxyx, one.boxes_yxyx, atol=0.05)


@pytest.fixture(scope="module")
def sample_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    make_sample_dataset.main(["--output_dir", str(folder), "--num_images", "6"])
    return folder


@pytest.mark.parametrize("data", ["sample_dir", "reference_dir"])
def test_all_runtimes_agree_within_half_a_pixel_on_photos(exported, data, request):
    paths = sorted((request.getfixturevalue(data) / "samples").glob("*.jpg"))[:6]
    photos = [decode.read(path)[0] for path in paths]
    expected = detections(exported, "tensorflow", photos)
    assert len(photos) == 6
    assert sum(int((one.scores > export_model.LEAST_SCORE).sum()) for one in expected) > 60
    for runtime in ["onnx"] + ["openvino_float32"] * ("openvino" in FURTHER):
        for one, found in zip(expected, detections(exported, runtime, photos, 4), strict=True):
            boxes, scores = export_model.largest_difference(one, found)
            assert boxes < export_model.MAX_BOX_DIFFERENCE, runtime
            assert scores < export_model.MAX_SCORE_DIFFERENCE, runtime


@pytest.mark.parametrize("runtime", ["saved_model", "litert"])
def test_files_for_others_give_the_best_detections_of_tensorflow(exported, photos, runtime):
    if runtime == "litert":
        pytest.importorskip("ai_edge_litert")
    for expected, found in zip(
        detections(exported, "tensorflow", photos), detections(exported, runtime, photos), strict=True
    ):
        assert found.class_ids[:10].tolist() == expected.class_ids[:10].tolist()
        np.testing.assert_allclose(found.scores[:10], expected.scores[:10], atol=1e-3)
        np.testing.assert_allclose(found.boxes_yxyx[:10], expected.boxes_yxyx[:10], atol=0.1)


def test_int8_comes_near_and_is_small(exported, photos):
    pytest.importorskip("ai_edge_litert")
    expected, found = (detections(exported, runtime, photos) for runtime in ("tensorflow", "litert_int8"))
    assert np.mean([abs(a.scores[0] - b.scores[0]) for a, b in zip(expected, found, strict=True)]) < 0.2
    sizes = [(exported / name).stat().st_size for name in (exported_model.TFLITE_INT8, exported_model.TFLITE)]
    assert sizes[0] < 0.5 * sizes[1]


def test_in_bfloat16_scores_stay_near(exported, photos):
    """Computed as OpenVINO emulates it, where the CPU has no instructions for it."""
    pytest.importorskip("openvino")
    from scripts.lib.models.runtimes import openvino

    try:
        model = openvino.Model(exported, "bf16")
    except onnx_conversion.ConversionError as error:
        pytest.skip(str(error))
    expected = detections(exported, "tensorflow", photos)
    found = [next(model.run([model.prepare(decode)])) for photo in photos]
    for one, other in zip(expected, found, strict=True):
        assert other.scores[0] == pytest.approx(one.scores[0], abs=0.05)


def test_a_least_score_leaves_out_what_is_below_and_nothing_else(exported, photos):
    detector = Detector(exported)
    everything = list(detector.detect_each(photos))
    least = float(np.median(np.concatenate([one.scores for one in everything])))
    for one, found in zip(everything, detector.detect_each(photos, min_score=least), strict=True):
        kept = one.scores >= least
        for all_values, values in zip(one, found, strict=True):
            assert (values == all_values[kept]).all()


def test_the_default_is_onnx_runtime_and_knows_classes_and_step(exported):
    detector = Detector(exported)
    assert (detector.runtime, detector.global_step()) == ("onnx", 7)
    assert detector.class_names == {1: "Red", 2: "Green", 3: "Blue"}


def test_the_description_says_what_goes_in(exported):
    description = exported_model.read_description(exported)
    assert description["class_names"] == {"1": "Red", "2": "Green", "3": "Blue"}
    size = description["input"]["height"], description["input"]["width"]
    assert size == (untrained_model.SIDE, untrained_model.SIDE)
    assert description["input"]["color_order"] == "RGB"
    assert description["input"]["scale"] == pytest.approx([2 / 255] * 3)  # a MobileNet's -1..1
    assert description["input"]["offset"] == pytest.approx([-1] * 3)


def test_a_model_in_one_format_is_enough_to_detect(exported, photos, tmp_path):
    expected = detections(exported, "tensorflow", photos[:1])[0]
    for name, runtime in ((exported_model.ONNX, "onnx"), ("openvino", "openvino")):
        if (exported / name).exists():
            alone = tmp_path / runtime
            alone.mkdir()
            (shutil.copytree if (exported / name).is_dir() else shutil.copy)(exported / name, alone / name)
            detector = Detector(alone)
            assert detector.runtime == runtime
            (found,) = detector.detect_each(photos[:1])
            np.testing.assert_allclose(found.scores, expected.scores, atol=0.01)
            with pytest.raises(UsageError, match="has no frozen_inference_graph"):
                Detector(alone, "tensorflow")


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
    assert not onnx_conversion.is_made_from(made, tmp_path / exported_model.FROZEN_GRAPH)


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


def test_an_export_that_cannot_be_written_to_is_converted_elsewhere(exported, tmp_path, capsys, monkeypatch):
    for name in (exported_model.FROZEN_GRAPH, exported_model.LABEL_MAP, exported_model.PIPELINE_CONFIG):
        shutil.copy(exported / name, tmp_path)

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(onnx_conversion.files, "atomic_write", refuse)
    monkeypatch.setattr(onnx_conversion, "convert", lambda folder: b"converted")
    made = onnx_conversion.find_or_make(tmp_path)
    assert made.parent != tmp_path
    assert made.read_bytes() == b"converted"
    assert "cannot be written to (Permission denied)" in capsys.readouterr().err


def test_a_model_that_cannot_be_converted_is_run_by_tensorflow(exported, photos, capsys, monkeypatch):
    def refuse(folder):
        raise onnx_conversion.ConversionError("no such operation")

    monkeypatch.setattr("scripts.lib.models.runtimes.onnx.find_or_make", refuse)
    assert Detector(exported).runtime == "tensorflow"
    assert "ONNX Runtime cannot run" in capsys.readouterr().err
    with pytest.raises(UsageError, match="no such operation.*take tensorflow"):
        Detector(exported, "onnx")


def test_a_large_graph_that_would_be_converted_whole_is_run_by_tensorflow(tf, tmp_path, capsys, monkeypatch):
    model = made_model.write_model(tf, tmp_path / "model")
    monkeypatch.setattr(onnx_conversion, "_MOST_BYTES", 1000)
    monkeypatch.setattr(onnx_conversion, "_convert", None)
    assert Detector(model).runtime == "tensorflow"
    assert re.search(r"cannot run .* \(its graph has 0 MB, too many .*: TensorFlow does", capsys.readouterr().err)
    assert not (model / exported_model.ONNX).exists()


@pytest.mark.parametrize("content", [b"no model", b""])
def test_a_damaged_onnx_file_is_named(exported, tmp_path, content):
    (tmp_path / exported_model.ONNX).write_bytes(content)
    with pytest.raises(
        UsageError, match="model.onnx is damaged, or was not made by this project.*and there is no frozen"
    ):
        Detector(tmp_path)
    with pytest.raises(UsageError, match="runtime onnx cannot run .*; export the model again"):
        Detector(tmp_path, "onnx")


def test_an_onnx_file_of_others_is_named(tmp_path):
    import onnx

    model = onnx.load(made_onnx.write(tmp_path) / exported_model.ONNX)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / exported_model.ONNX)
    with pytest.raises(UsageError, match="its metadata lack made_from, class_names"):
        Detector(tmp_path)


@pytest.mark.parametrize("runtime", ["auto", "tensorflow"])
def test_a_damaged_frozen_graph_is_named(exported, tmp_path, runtime):
    shutil.copy(exported / exported_model.LABEL_MAP, tmp_path)
    whole = (exported / exported_model.FROZEN_GRAPH).read_bytes()
    (tmp_path / exported_model.FROZEN_GRAPH).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="frozen_inference_graph.pb is damaged, or no frozen graph"):
        Detector(tmp_path, runtime)


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_a_runtime_that_is_not_installed_is_named(exported, runtime, monkeypatch):
    def load(folder, name):
        raise ModuleNotFoundError(f"No module named {name}", name={"onnx": "onnxruntime"}.get(name, name))

    monkeypatch.setattr(runtimes, "_model", load)
    with pytest.raises(UsageError, match="is not installed; python -m pip install -r requirements"):
        Detector(exported, runtime)


def test_formats_that_are_not_asked_for_are_not_left_there(exported):
    there = {path.name for path in exported.iterdir()}
    assert {"saved_model", "model.onnx", "frozen_inference_graph.pb", "label_map.pbtxt", "model.json"} <= there
    assert all(map(exported_model.is_part, there))
    assert not list(exported.parent.glob(".*partial*"))


def test_a_format_that_differs_ends_the_export():
    check = export_model.Check("ONNX, ONNX Runtime", "onnx", "model.onnx")
    exact = export_model.Row(check, 1, 1, 0.4, 0.009, None)
    export_model.raise_differences([exact, exact._replace(check=check._replace(is_exact=False), box_difference=9)])
    with pytest.raises(DataError, match=r"boxes differ by up to 0.70 pixels \(at most 0.5\)"):
        export_model.raise_differences([exact, exact._replace(box_difference=0.7)])


def test_differences_are_those_of_the_nearest_of_the_same_class():
    one = DetectionArrays(np.array([[0, 0, 9, 9], [5, 5, 8, 8]], np.float32), np.array([0.9, 0.05]), np.array([1, 2]))
    moved = DetectionArrays(one.boxes_yxyx + 0.25, one.scores - 0.01, one.class_ids)
    assert export_model.largest_difference(one, moved) == pytest.approx((0.25, 0.01), abs=1e-6)
    assert export_model.largest_difference(one, one._replace(class_ids=np.array([2, 2]))) == (np.inf, np.inf)
    best = DetectionArrays(*(values[:1] for values in one))
    strong = one._replace(scores=np.array([0.9, 0.5]))
    assert export_model.largest_difference(best, strong) == (np.inf, np.inf), "a detection too many"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--formats", "onnx,caffe"], "caffe is none of"),
        (["--calibration_images", "-1"], "-1 is below 0"),
        (["--formats", "onnx", "--images", "none.jpg"], "no such image"),
    ],
)
def test_mistakes_are_named_before_anything_is_done(source, tmp_path, flags, says, capsys):
    command = ["--checkpoint", str(source), "--pipeline_config_path", str(source / "pipeline.config"), *flags]
    with pytest.raises((SystemExit, DataError)) as stopped:
        export_model.main([*command, "--output_dir", str(tmp_path / "out")])
    assert says in f"{stopped.value}{capsys.readouterr().err}"
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_without_its_config_is_named(tmp_path):
    (tmp_path / "model.ckpt-7.index").touch()
    with pytest.raises(UsageError, match=r"there is no .*pipeline\.config; give the config by --pipeline_config_path"):
        export_model.main(["--checkpoint", str(tmp_path / "model.ckpt-7"), "--output_dir", str(tmp_path / "out")])


def test_tflite_takes_no_faster_rcnn(source, tmp_path):
    config = (
        (source / "pipeline.config")
        .read_text(encoding="utf-8")
        .replace("fixed_shape_resizer {", "keep_aspect_ratio_resizer {")
    )
    config = config.replace(f"height: {untrained_model.SIDE}", "min_dimension: 96").replace(
        f"width: {untrained_model.SIDE}", "max_dimension: 200"
    )
    (tmp_path / "p.config").write_text(config, encoding="utf-8")
    with pytest.raises(UsageError, match="needs a fixed_shape_resizer; leave it out"):
        export_model.main(
            ["--checkpoint", str(source), "--pipeline_config_path", str(tmp_path / "p.config"), "--formats", "tflite"]
        )


def test_the_classes_are_written_into_the_onnx_file(exported):
    import onnx

    metadata = {entry.key: json.loads(entry.value) for entry in onnx.load(exported / "model.onnx").metadata_props}
    assert metadata["class_names"] == {"1": "Red", "2": "Green", "3": "Blue"}
    assert (metadata["height"], metadata["width"], metadata["color_order"]) == (96, 96, "RGB")
