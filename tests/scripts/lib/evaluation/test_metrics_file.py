"""metrics.json and the table of an evaluation."""

from __future__ import annotations

import json
import math

from scripts.lib.evaluation import metrics_file
from scripts.lib.evaluation.metrics_file import CLASS_AP_PREFIX, MEAN_AP, Evaluation

EVALUATION = Evaluation(
    800, 20, {MEAN_AP: 0.75, f"{CLASS_AP_PREFIX}Tops": 0.75, f"{CLASS_AP_PREFIX}Skirts": math.nan, "Losses/Loss": 1.5}
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


def test_the_table_says_which_class_has_no_ground_truth():
    lines = metrics_file.table(EVALUATION).splitlines()
    assert lines[0].startswith("Step 800, 20 images")
    assert lines[1].split() == ["Tops", "0.750"]
    assert lines[2].split(maxsplit=1) == ["Skirts", "no ground truth in the record"]
    assert lines[3].split() == ["mean", "(mAP@0.5)", "0.750"]
