"""What a converted model says about itself, in ONNX and in model.json."""

from __future__ import annotations

import json

import pytest

from scripts.lib.config import pipeline_config
from scripts.lib.models import exported_model, metadata
from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.non_max_suppression import Settings
from tests import untrained_model


def test_metadata_survive_as_text():
    suppressed = ModelMetadata("abc", {1: "Röcke", 2: "Tops"}, 7, 300, 200, Settings(0.1, 0.6, 100, 90))
    whole = ModelMetadata("abc", {1: "Röcke"})
    for one, resizing in ((suppressed, metadata.RESIZING), (whole, "in the graph")):
        texts = one.to_text()
        assert all(isinstance(text, str) for text in texts.values())
        assert json.loads(texts["resizing"]) == resizing
        assert ModelMetadata.from_text(texts) == one


def test_metadata_of_other_makers_are_refused():
    with pytest.raises(ValueError, match="lack made_from, class_names"):
        ModelMetadata.from_text({"author": "somebody"})


def test_model_json_says_what_goes_in(exported):
    values = metadata.read_json(exported)
    assert values["class_names"] == {"1": "Red", "2": "Green", "3": "Blue"}
    assert values["global_step"] == 7
    size = values["input"]["height"], values["input"]["width"]
    assert size == (untrained_model.SIDE, untrained_model.SIDE)
    assert values["input"]["color_order"] == "RGB"
    assert values["input"]["scale"] == pytest.approx([2 / 255] * 3)  # a MobileNet's -1..1
    assert values["input"]["offset"] == pytest.approx([-1] * 3)


def test_class_names_are_the_label_maps(exported):
    assert metadata.class_names(exported) == {1: "Red", 2: "Green", 3: "Blue"}


def test_the_classes_are_written_into_the_onnx_file(exported):
    import onnx

    entries = {entry.key: json.loads(entry.value) for entry in onnx.load(exported / "model.onnx").metadata_props}
    assert entries["class_names"] == {"1": "Red", "2": "Green", "3": "Blue"}
    assert (entries["height"], entries["width"], entries["color_order"]) == (96, 96, "RGB")


def test_only_an_ssd_with_a_fixed_shape_has_an_input_size(exported):
    config = pipeline_config.read(exported / exported_model.PIPELINE_CONFIG)
    assert metadata.fixed_input_size(config) == (96, 96)
    config.model.ssd.image_resizer.keep_aspect_ratio_resizer.min_dimension = 96
    assert metadata.fixed_input_size(config) is None
    config.model.faster_rcnn.num_classes = 3
    assert metadata.fixed_input_size(config) is None
