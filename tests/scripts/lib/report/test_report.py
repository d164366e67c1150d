"""What a report reads of a model; scripts/test_report.py tests what it writes."""

from __future__ import annotations

import json

import pytest

from scripts.lib.models import exported_model
from scripts.lib.records import manifest
from scripts.lib.report import report

LABEL_MAP = "item { id: 1 name: 'Tops' }\nitem { id: 2 name: 'Hats' }\n"
CONFIG = """
model {{ ssd {{ image_resizer {{ fixed_shape_resizer {{ height: 200 width: 300 }} }} }} }}
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
    assert report.read_model(model) == ({"Tops": 1, "Hats": 2}, None, (200, 300))
    classes = {"Tops": {"id": 1, "boxes": 7}, "Hats": {"id": 2, "boxes": 2}}
    content = {"version": manifest.VERSION, "shards": [], "examples": 5, "boxes": 9, "classes": classes}
    manifest.path_of(record).write_text(json.dumps(content), encoding="utf-8")
    assert report.read_model(model).boxes_train == {"Tops": 7, "Hats": 2}


@pytest.mark.parametrize("config", [None, "not a config {"])
def test_without_a_readable_config_only_the_classes_are_known(model, config):
    if config:
        (model / exported_model.PIPELINE_CONFIG).write_text(config, encoding="utf-8")
    assert report.read_model(model) == ({"Tops": 1, "Hats": 2}, None, None)
