"""metrics.json and the table of an evaluation."""

from __future__ import annotations

import json
import math

import pytest

from scripts.lib.evaluation import metrics_file
from scripts.lib.evaluation.metrics_file import CLASS_AP_PREFIX, MEAN_AP, Evaluation

EVALUATION = Evaluation(
    800,
    20,
    {MEAN_AP: 0.75, f"{CLASS_AP_PREFIX}Tops": 0.75, f"{CLASS_AP_PREFIX}Skirts": math.nan, "Losses/Loss": 1.5},
)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "eval" / "metrics.json"
    metrics_file.write(path, EVALUATION)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["metrics"][f"{CLASS_AP_PREFIX}Skirts"] is None
    assert content["global_step"] == 800
    read = metrics_file.read(path)
    assert read.num_examples == 20
    assert math.isnan(read.metrics.pop(f"{CLASS_AP_PREFIX}Skirts"))
    assert read.metrics == {name: value for name, value in EVALUATION.metrics.items() if not name.endswith("Skirts")}


def test_a_loss_that_has_grown_beyond_all_numbers_does_not_hide_the_mean_ap(tmp_path):
    metrics_file.write(tmp_path / "metrics.json", EVALUATION._replace(metrics={MEAN_AP: 0.1, "Losses/Loss": math.inf}))
    metrics = metrics_file.read(tmp_path / "metrics.json").metrics
    assert metrics[MEAN_AP] == 0.1 and math.isnan(metrics["Losses/Loss"])


def test_the_table_says_which_class_has_no_ground_truth():
    lines = metrics_file.table(EVALUATION).splitlines()
    assert lines[0].startswith("Step 800, 20 images")
    assert lines[1].split() == ["Tops", "0.750"]
    assert lines[2].split(maxsplit=1) == ["Skirts", "no ground truth in the record"]
    assert lines[3].split() == ["mean", "(mAP@0.5)", "0.750"]


COCO = {"DetectionBoxes_Precision/mAP": 0.3, "DetectionBoxes_Precision/mAP@.50IOU": 0.6, "Losses/a": 1.0}
PASCAL = {MEAN_AP: 0.75, f"{CLASS_AP_PREFIX}Tops": 0.75}


@pytest.mark.parametrize(
    ("metrics", "name", "value", "by_class"),
    [
        (COCO, "mAP@[.5:.95]", 0.3, {}),
        ({**COCO, "DetectionBoxes_PerformanceByCategory/mAP/A/b": 0.3}, "mAP@[.5:.95]", 0.3, {"A/b": 0.3}),
        ({**COCO, **PASCAL}, "mAP@0.5", 0.75, {"Tops": 0.75}),
        ({"DetectionBoxes_Precision/mAP": -1.0}, "mAP@[.5:.95]", math.nan, {}),
        ({"Losses/a": 1.0}, "mAP@0.5", math.nan, {}),
    ],
)
def test_the_number_that_counts(metrics, name, value, by_class):
    """Case 1: whichever metrics_set the config has."""
    found = metrics_file.headline(Evaluation(1, 1, metrics))
    assert found == (name, pytest.approx(value, nan_ok=True), by_class)
    assert found.class_name == name.replace("m", "")


def test_the_table_of_coco_metrics():
    lines = [line.split() for line in metrics_file.table(Evaluation(800, 20, COCO)).splitlines()]
    assert lines == [
        ["Step", "800,", "20", "images,", "AP@[.5:.95]:"],
        ["mean", "(mAP@[.5:.95])", "0.300"],
        ["DetectionBoxes_Precision/mAP", "0.300"],
        ["DetectionBoxes_Precision/mAP@.50IOU", "0.600"],
    ]


def test_the_table_has_the_ids_and_the_order_of_the_label_map():
    """The API decomposes letters: its o with dots is two characters."""
    metrics = {f"{CLASS_AP_PREFIX}{name}": 0.5 for name in ("Ro\u0308cke", "Tops", "Hats")}
    lines = metrics_file.table(Evaluation(1, 2, {**metrics, MEAN_AP: 0.5}), {"Tops": 2, "R\u00f6cke": 10, "Hats": 1})
    assert [line.split() for line in lines.splitlines()[1:]] == [
        ["1", "Hats", "0.500"],
        ["2", "Tops", "0.500"],
        ["10", "Ro\u0308cke", "0.500"],
        ["mean", "(mAP@0.5)", "0.500"],
    ]
