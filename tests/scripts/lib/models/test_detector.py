"""The detector: thresholds, batches, and what it knows of its model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types

import numpy as np
import pytest
from PIL import Image

from scripts.lib.core.errors import DataError
from scripts.lib.models.detector import Detector
from tests import documents, made_onnx

IMAGE = np.full((100, 200, 3), [0, 230, 153], np.uint8)


def test_a_minimum_score_leaves_out_what_is_below_and_nothing_else(exported, images):
    detector = Detector(exported)
    everything = list(detector.detect_each(images))
    least = float(np.median(np.concatenate([one.scores for one in everything])))
    for one, found in zip(everything, detector.detect_each(images, min_score=least), strict=True):
        kept = one.scores >= least
        for all_values, values in zip(one, found, strict=True):
            assert (values == all_values[kept]).all()


def test_detections_are_in_pixels_of_the_image_and_have_class_names(tmp_path):
    detector = Detector(made_onnx.write(tmp_path))
    found = detector.detect(IMAGE)
    green, blue = found
    assert (green.class_name, blue.class_name) == ("Green", "Blue")
    assert green.score == pytest.approx(230 / 255)
    assert green[2:] == pytest.approx((20, 25, 120, 75), abs=1e-3)
    np.testing.assert_allclose(found.boxes_xyxy, [green[2:], blue[2:]])
    assert (found.class_ids.tolist(), found.class_names) == ([1, 2], ["Green", "Blue"])
    assert (len(found), found.image_width, found.image_height) == (2, 200, 100)
    assert [found.class_name for found in detector.detect(IMAGE, 0.7)] == ["Green"]


def test_an_image_is_a_path_bytes_an_array_or_pillows_and_files_are_turned_upright(tmp_path):
    detector = Detector(made_onnx.write(tmp_path))
    expected = detector.detect(IMAGE).to_dict()
    turned = Image.Exif()
    turned[0x0112] = 6
    content = made_onnx.encoded_image((0, 230, 153), (100, 200), exif=turned)
    (tmp_path / "photo.png").write_bytes(content)
    path = tmp_path / "photo.png"
    for image in (path, str(path), content, Image.fromarray(IMAGE), Image.open(path)):
        assert detector.detect(image).to_dict() == expected


def test_what_is_no_image_is_named(tmp_path):
    detector = Detector(made_onnx.write(tmp_path))
    with pytest.raises(DataError, match=r"none\.jpg: there is no such image"):
        detector.detect(tmp_path / "none.jpg")
    with pytest.raises(DataError, match="the image"):
        detector.detect(b"no image")
    for array in (IMAGE[..., 0], IMAGE / 255, np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(ValueError, match=r"an image is uint8 \[height, width, 3\], not"):
            detector.detect(array)


def test_by_default_the_reports_score_thresholds_count(tmp_path):
    assert [found.class_name for found in Detector(made_onnx.write(tmp_path, Blue=0.7)).detect(IMAGE)] == ["Green"]
    assert [found.class_name for found in Detector(made_onnx.write(tmp_path, Green=0.95)).detect(IMAGE)] == ["Blue"]
    faint = np.full((9, 9, 3), [0, 140, 90], np.uint8)  # scores 0.55 and 0.35
    assert [found.class_name for found in Detector(made_onnx.write(tmp_path, Blue=0.3)).detect(faint)] == [
        "Green",
        "Blue",
    ]


def test_detections_become_json_and_those_of_supervision(tmp_path, monkeypatch):
    found = Detector(made_onnx.write(tmp_path)).detect(IMAGE)
    as_json = json.loads(json.dumps(found.to_dict()))
    assert (as_json["width"], as_json["height"]) == (200, 100)
    green = {"class": "Green", "score": 230 / 255, "xmin": 20, "ymin": 25, "xmax": 120, "ymax": 75}
    assert as_json["detections"][0] == pytest.approx(green, abs=1e-3)
    monkeypatch.setitem(sys.modules, "supervision", types.SimpleNamespace(Detections=dict))
    converted = found.to_supervision()
    assert (converted["xyxy"] is found.boxes_xyxy) and converted["data"]["class_name"].tolist() == ["Green", "Blue"]
    assert (converted["confidence"].tolist(), converted["class_id"].tolist()) == (found.scores.tolist(), [1, 2])


@pytest.mark.parametrize("page", ["README.md", "docs/detection.md"])
def test_the_programs_in_the_documents_run(page, tmp_path, repository_root):
    made_onnx.write(tmp_path / "exported_model")
    (tmp_path / "photo.jpg").write_bytes(made_onnx.encoded_image((0, 230, 0)))
    (program,) = documents.programs(repository_root / page)
    in_repository = {**os.environ, "PYTHONPATH": str(repository_root)} if page == "README.md" else None
    done = subprocess.run(
        [sys.executable, "-c", program.replace("/path/to/repository", repository_root.as_posix())],
        **{"cwd": tmp_path, "env": in_repository, "capture_output": True, "text": True, "timeout": 120},
    )
    name, *numbers = done.stdout.split()
    assert (done.returncode, name) == (0, "Green"), done.stderr
    assert [float(number) for number in numbers] == pytest.approx([0.9, 20, 25, 120, 75], abs=0.01)


def test_the_default_is_onnx_runtime_and_knows_classes_and_step(exported):
    detector = Detector(exported)
    assert (detector.runtime, detector.global_step()) == ("onnx", 7)
    assert detector.class_names == {1: "Red", 2: "Green", 3: "Blue"}


@pytest.mark.parametrize(
    ("label_map", "found"),
    [
        ("item { id: 1 name: 'Grass' } item { id: 2 name: 'Sky' }", ["Grass", "Sky"]),
        (
            "item { id: 1 name: '/m/1' display_name: 'Grass' } item { id: 2 name: 'b' display_name: 'Sky' }",
            ["Grass", "Sky"],
        ),
        ("item { id: 2 name: 'Sky' }", ["Sky"]),
        ("item { id: 2 name: 'Sky' } item { id: 90 name: 'Toothbrush' }", ["Sky"]),
    ],
)
def test_cases_14_and_4_the_label_map_in_the_folder_names_the_classes(label_map, found, tmp_path):
    """Of every runtime; its ids may have gaps, and a name that was changed after the conversion counts."""
    folder = made_onnx.write(tmp_path)
    (folder / "label_map.pbtxt").write_text(label_map, encoding="utf-8")
    detections = list(Detector(folder).detect(IMAGE))
    assert [one.class_name for one in detections] == found
    assert detections[-1].score == pytest.approx(153 / 255)
