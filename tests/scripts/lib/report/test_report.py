"""What a report reads of a model; scripts/test_report.py tests what it writes."""

from __future__ import annotations

import datetime
import json

import pytest

from scripts.lib.evaluation import event_files
from scripts.lib.evaluation.event_files import Scalar
from scripts.lib.models import exported_model
from scripts.lib.records import manifest
from scripts.lib.report import plots, report
from scripts.lib.report.figures import ReportedModel
from scripts.lib.training import log
from tests.made_results import RIGHT, results

LABEL_MAP = "item { id: 1 name: 'Tops' }\nitem { id: 2 name: 'Hats' }\n"
CONFIG = """
model {{ ssd {{ feature_extractor {{ type: "ssd_mobilenet_v1" }} image_resizer {{ fixed_shape_resizer {{ height: 200 width: 300 }} }} }} }}
train_input_reader {{ tf_record_input_reader {{ input_path: "{record}" }} }}
"""


@pytest.fixture
def model(tmp_path):
    (tmp_path / exported_model.LABEL_MAP).write_text(LABEL_MAP, encoding="utf-8")
    return tmp_path


def test_input_size_and_training_boxes_come_from_config_and_manifest(model):
    record = model / "train.record"
    config = CONFIG.format(record=record.as_posix())
    (model / exported_model.PIPELINE_CONFIG).write_text(config, encoding="utf-8")
    assert report.read_model(model) == ({"Tops": 1, "Hats": 2}, None, (200, 300), "ssd_mobilenet_v1")
    classes = {"Tops": {"id": 1, "boxes": 7}, "Hats": {"id": 2, "boxes": 2}}
    content = {"version": manifest.VERSION, "shards": [], "examples": 5, "boxes": 9, "classes": classes}
    manifest.path_of(record).write_text(json.dumps(content), encoding="utf-8")
    assert report.read_model(model).boxes_train == {"Tops": 7, "Hats": 2}


@pytest.mark.parametrize("config", [None, "not a config {"])
def test_without_a_readable_config_only_the_classes_are_known(model, config):
    if config:
        (model / exported_model.PIPELINE_CONFIG).write_text(config, encoding="utf-8")
    assert report.read_model(model) == ({"Tops": 1, "Hats": 2}, None, None, "")


def test_a_report_says_what_it_is_about(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = ReportedModel({"Dresses": 1, "Skirts": 2}, None, (200, 300), "ssd_mobilenet_v1")
    found = results([RIGHT])._replace(model=model, runtime="onnx", global_step=12000)
    inputs = report.ReportInputs(tmp_path / "exported_model", ["data/test.record"], None, None)
    about = report.describe(found, inputs)
    assert about.pop("date") == datetime.date.today().isoformat()
    assert about == {
        "model": "ssd_mobilenet_v1 300x200",
        "export": "exported_model, step 12,000, runtime onnx",
        "data set": "data/test.record",
        "objects": "1 on 1 image",
    }


def test_losses_come_from_the_log_of_all_steps_or_else_from_the_event_files(tmp_path):
    event_files.write(tmp_path / "events.out.tfevents.1.a", 5, {"Losses/TotalLoss": 7.0})
    assert report.read_losses(tmp_path) == {"Losses/TotalLoss": [Scalar(5, 7.0)]}
    for step, loss in ((10, 3.0), (20, None)):
        log.append(tmp_path / log.FILE_NAME, {"step": step, "loss": loss, "losses": {"Loss/classification_loss": 2.0}})
    curves = report.read_losses(tmp_path)
    assert curves["Losses/Loss/classification_loss"] == [Scalar(10, 2.0), Scalar(20, 2.0)]
    assert curves["Losses/TotalLoss"][0] == Scalar(10, 3.0)
    assert plots.loss_curves(curves).keys() == {"total", "classification"}
