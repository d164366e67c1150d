"""Which detections count: flags, the report's score thresholds, defaults."""

from __future__ import annotations

import argparse

import pytest

from scripts.lib.core.errors import UsageError
from scripts.lib.detection import options


def thresholds(tmp_path, *arguments: str) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    options.add_flags(parser)
    args = parser.parse_args(arguments)
    names = ["Tops", "Skirts"]
    return options.score_thresholds([tmp_path], names, args.min_score, args.class_min_score, args.classes)


def test_score_thresholds_are_those_of_the_class_or_the_given_one_or_those_of_the_report_or_a_half(tmp_path):
    assert thresholds(tmp_path) == {"Tops": 0.5, "Skirts": 0.5}
    (tmp_path / "score_thresholds.json").write_text('{"Skirts": 0.31, "Hats": 0.2}', encoding="utf-8")
    assert thresholds(tmp_path) == {"Tops": 0.5, "Skirts": 0.31}
    assert thresholds(tmp_path, "--min_score", "0") == {"Tops": 0.0, "Skirts": 0.0}
    assert thresholds(tmp_path, "--class_min_score", "Tops=0.7") == {"Tops": 0.7, "Skirts": 0.31}
    assert thresholds(tmp_path, "--min_score=0.2", "--class_min_score=Skirts=0.9") == {"Tops": 0.2, "Skirts": 0.9}
    assert thresholds(tmp_path, "--classes", "Skirts") == {"Skirts": 0.31}


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
    with pytest.raises(
        UsageError, match="score_thresholds.json does not hold a score threshold for each class; remove it"
    ):
        thresholds(tmp_path)


@pytest.mark.parametrize("text", ["Tops", "Tops=2", "Tops=x", "=x"])
def test_class_scores_that_are_none(text):
    with pytest.raises((ValueError, argparse.ArgumentTypeError)):
        options.class_score(text)


def test_an_ensemble_has_the_mean_of_its_models_thresholds(tmp_path):
    for name, content in (("a", '{"Tops": 0.3}'), ("b", '{"Tops": 0.5, "Skirts": 0.2}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "score_thresholds.json").write_text(content, encoding="utf-8")
    thresholds = options.default_thresholds([tmp_path / "a", tmp_path / "b"], ["Tops", "Skirts", "Hats"])
    assert thresholds == pytest.approx({"Tops": 0.4, "Skirts": 0.2, "Hats": 0.5})
