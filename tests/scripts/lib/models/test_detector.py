"""The detector: thresholds, batches, and what it knows of its model."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.models.detector import Detector
from tests import made_onnx


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
    green, blue = detector.detect(np.full((100, 200, 3), [0, 230, 153], np.uint8))
    assert (green.class_name, blue.class_name) == ("Green", "Blue")
    assert green.score == pytest.approx(230 / 255)
    assert green[2:] == pytest.approx((20, 25, 120, 75), abs=1e-3)
    assert [found.class_name for found in detector.detect(np.full((9, 9, 3), [0, 230, 153], np.uint8), 0.7)] == [
        "Green"
    ]


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
    detections = Detector(folder).detect(np.full((100, 200, 3), [0, 230, 153], np.uint8))
    assert [one.class_name for one in detections] == found
    assert detections[-1].score == pytest.approx(153 / 255)
