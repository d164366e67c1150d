"""The numbers of a report, and the files that hold them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from scripts.lib.report import figures
from tests.made_results import BOX, CONFUSED, MISSED_SMALL, RIGHT, image, results


def test_the_numbers_of_a_case_by_hand():
    """Eight dresses found, two skirts taken for dresses at a lower score, one skirt missed."""
    wrong = image([(BOX, 2)], [(BOX, 1, 0.4)])
    found = results([RIGHT] * 8 + [wrong] * 2 + [MISSED_SMALL], {"Dresses": 30})
    dresses, skirts = found.classes
    assert (dresses.average_precision.value, skirts.average_precision.value) == (1.0, 0.0)
    assert (dresses.precision, dresses.recall, dresses.boxes_test, dresses.boxes_train) == (1.0, 1.0, 8, 30)
    assert dresses.threshold == pytest.approx(0.65)  # between the right ones and the wrong ones
    assert found.mean_ap.value == 0.5
    assert found.coco["AP50"].value == pytest.approx(0.5)
    assert found.confusion.tolist() == [[8, 0, 0], [0, 0, 3], [0, 0, 0]]


def test_every_figure_of_measure_is_in_the_table_and_in_metrics_json():
    found = results([RIGHT] * 5 + [CONFUSED])
    names = figures.measure(found.matches, np.ones((1, 6))).keys()
    table = figures.table(found)
    assert all(name in table for name in names)
    content = figures.as_json(found)
    assert set(content["coco"]) | set(content["classes"]) | {figures.MEAN} == set(names)


def test_files_hold_the_results(tmp_path):
    found = results([RIGHT] * 5)  # no skirt
    figures.write_confusion_csv(tmp_path / "confusion.csv", found)
    assert (tmp_path / "confusion.csv").read_text(encoding="utf-8").splitlines()[:2] == [
        "true class,Dresses,Skirts,background",
        "Dresses,5,0,0",
    ]
    figures.write_thresholds(tmp_path / "thresholds.json", found)
    assert json.loads((tmp_path / "thresholds.json").read_text(encoding="utf-8")) == {"Dresses": 0.45, "Skirts": 0.5}
    assert "nan" not in figures.table(found) and "  Skirts" in figures.table(found)
    content = figures.as_json(found, ["All is well."])
    assert content["classes"]["Skirts"]["recall"] is None
    assert content["findings"] == ["All is well."]
    json.dumps(content, allow_nan=False)


def test_a_class_name_stays_in_the_table():
    found = results([RIGHT])
    found = found._replace(classes=[found.classes[0]._replace(name="Bananas")])
    assert "\n  Bananas " in figures.table(found)


def test_not_a_number_is_a_dash():
    assert str(figures.Figure(math.nan, math.nan, math.nan)) == "-"
    assert str(figures.Figure(0.5, 0.25, 0.75)) == "0.500 (0.250 to 0.750)"
