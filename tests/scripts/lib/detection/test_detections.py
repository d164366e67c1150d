"""Which detections are kept, and the tags they give."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import UsageError
from scripts.lib.detection import detections
from scripts.lib.models.detector import DetectionArrays

FOUND = DetectionArrays(
    np.array([[0, 0, 10, 10], [0, 1, 10, 11], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32),
    np.array([0.9, 0.8, 0.7, 0.3], np.float32),
    np.array([1, 1, 2, 3]),
)


@pytest.mark.parametrize(
    ("thresholds", "nms_iou", "scores"),
    [
        ({1: 0.0, 2: 0.0, 3: 0.0}, None, [0.9, 0.8, 0.7, 0.3]),
        ({1: 0.85, 2: 0.7, 3: 0.31}, None, [0.9]),  # float32 0.7 is below 0.7
        ({2: 0.5}, None, [0.7]),
        ({1: 0.0, 2: 0.0}, 0.8, [0.9, 0.7]),  # IoU of the first two: 90 / 110
        ({1: 0.0, 2: 0.0}, 0.82, [0.9, 0.8, 0.7]),
    ],
)
def test_thresholds_of_classes_and_suppression_within_a_class(thresholds, nms_iou, scores):
    assert detections.select(
        FOUND, thresholds, detections.suppression(nms_iou, False)
    ).scores.tolist() == pytest.approx(scores)


@pytest.mark.parametrize(("nms_iou", "scores"), [(None, [0.9]), (0.82, [0.9, 0.8]), (1.0, [0.9, 0.8, 0.7])])
def test_case_20_one_box_an_object_whatever_its_class(nms_iou, scores):
    suppression = detections.suppression(nms_iou, True)
    assert detections.select(FOUND, {1: 0.0, 2: 0.0}, suppression).scores.tolist() == pytest.approx(scores)


def test_names_of_classes_and_the_order_of_corners():
    named = FOUND.named({1: "Tops", 3: "Hats"})
    assert [found.class_name for found in named] == ["Tops", "Tops", "Hats"]
    assert named[1][2:] == (1, 0, 11, 10)


def test_tags_are_the_best_score_of_each_class():
    found = [Detection(name, score, 0, 0, 1, 1) for name, score in (("Tops", 0.5), ("Skirts", 0.7), ("Tops", 0.9))]
    assert detections.best_scores(found) == {"Tops": 0.9, "Skirts": 0.7}
    assert detections.tags(found) == "Tops 90%, Skirts 70%"
    assert detections.tags([]) == "nothing found"


def thresholds(tmp_path, *arguments: str) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    detections.add_flags(parser)
    args = parser.parse_args(arguments)
    names = ["Tops", "Skirts"]
    return detections.score_thresholds([tmp_path], names, args.min_score, args.class_min_score, args.classes)


def test_score_thresholds_are_those_of_the_class_or_the_given_one_or_those_of_the_report_or_a_half(tmp_path):
    assert thresholds(tmp_path) == {"Tops": 0.5, "Skirts": 0.5}
    (tmp_path / "score_thresholds.json").write_text('{"Skirts": 0.31, "Hats": 0.2}', encoding="utf-8")
    assert thresholds(tmp_path) == {"Tops": 0.5, "Skirts": 0.31}
    assert thresholds(tmp_path, "--min_score", "0") == {"Tops": 0.0, "Skirts": 0.0}
    assert thresholds(tmp_path, "--class_min_score", "Tops=0.7") == {"Tops": 0.7, "Skirts": 0.31}
    assert thresholds(tmp_path, "--min_score=0.2", "--class_min_score=Skirts=0.9") == {"Tops": 0.2, "Skirts": 0.9}
    assert thresholds(tmp_path, "--classes", "Skirts") == {"Skirts": 0.31}


@pytest.mark.parametrize(
    ("thresholds", "shown"),
    [
        ({"Tops": 0.5, "Skirts": 0.5}, "0.5"),
        ({"Tops": 0.6729, "Skirts": 0.3}, "Tops 0.67, Skirts 0.3"),
        ({f"class {number}": number / 100 for number in range(31, 40)}, "0.31 to 0.39, by class"),
    ],
)
def test_thresholds_of_many_classes_are_shown_as_a_range(thresholds, shown):
    assert detections.shown_thresholds(thresholds) == shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--class_min_score", "Hats=0.4"], "--class_min_score Hats: the model knows Tops, Skirts"),
        (["--classes", "Tops", "hats"], "--classes hats: the model knows Tops, Skirts"),
    ],
)
def test_unknown_classes_are_refused(tmp_path, arguments, says):
    with pytest.raises(UsageError, match=says):
        thresholds(tmp_path, *arguments)


@pytest.mark.parametrize("content", ["", "{", "[0.3]", '{"Tops": "high"}', '{"Tops": null}'])
def test_a_damaged_list_of_score_thresholds_is_named(tmp_path, content):
    (tmp_path / "score_thresholds.json").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"score_thresholds.json (is not JSON:|has) [^;]*; remove it, or let"):
        thresholds(tmp_path)


@pytest.mark.parametrize("text", ["Tops", "Tops=2", "Tops=x", "=x"])
def test_class_scores_that_are_none(text):
    with pytest.raises((ValueError, argparse.ArgumentTypeError)):
        detections.class_score(text)


def test_an_ensemble_has_the_mean_of_its_models_thresholds(tmp_path):
    for name, content in (("a", '{"Tops": 0.3}'), ("b", '{"Tops": 0.5, "Skirts": 0.2}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "score_thresholds.json").write_text(content, encoding="utf-8")
    thresholds = detections.default_thresholds([tmp_path / "a", tmp_path / "b"], ["Tops", "Skirts", "Hats"])
    assert thresholds == pytest.approx({"Tops": 0.4, "Skirts": 0.2, "Hats": 0.5})
