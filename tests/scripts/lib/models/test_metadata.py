"""What a converted model says about itself, in ONNX and in model.json."""

from __future__ import annotations

import json
import re

import pytest

from scripts.lib.config import pipeline_config
from scripts.lib.core.errors import UsageError
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


SUPPRESSION = {"score_threshold": 0.1, "iou_threshold": 0.6, "max_detections_per_class": 5, "max_total_detections": 5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": "300"}, "the height of its metadata has '300', expected a whole number"),
        ({"height": -300}, "its metadata say that it takes images of 200x-300 pixels"),
        ({"width": 1_000_000}, "its metadata say that it takes images of 1000000x300 pixels"),
        ({"width": 0}, "its metadata say that it takes images of 0x300 pixels"),
        ({"suppression": None}, "its metadata say that it takes images of 200x300 pixels"),
        ({"suppression": [0.1, 0.6, 5, 5]}, "the suppression of its metadata has a list, expected an object"),
        ({"suppression": {**SUPPRESSION, "iou_threshold": "0.6"}}, "has '0.6' as iou_threshold, expected a finite"),
        ({"suppression": {**SUPPRESSION, "iou_threshold": 7}}, "its metadata say to suppress by Settings("),
        ({"suppression": {**SUPPRESSION, "max_total_detections": 0}}, "its metadata say to suppress by Settings("),
        ({"suppression": {"score_threshold": 0.1}}, "lacks iou_threshold, max_detections_per_class"),
        ({"class_names": ["Tops"]}, "the class_names of its metadata has a list, expected an object"),
        ({"class_names": {}}, "the class_names of its metadata are not different names"),
        ({"class_names": {"1": "Tops", "2": "Tops"}}, "are not different names with the ids 1, 2, 3..."),
        ({"class_names": {"0": "background"}}, "are not different names with the ids 1, 2, 3..."),
        ({"class_names": {"1": 7}}, "has 7 as 1, expected a text"),
        ({"global_step": 1.5}, "the global_step of its metadata has 1.5, expected a whole number"),
    ],
)
def test_case_26_metadata_that_lie_are_refused(change, message):
    texts = ModelMetadata("abc", {1: "Tops"}, 7, 300, 200, Settings(**SUPPRESSION)).to_text()
    texts |= {name: json.dumps(value) for name, value in change.items()}
    with pytest.raises(ValueError, match=re.escape(message)):
        ModelMetadata.from_text(texts)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"class_names": {}}', "1" * 5000, r'{"class_names": {"1": "\ud800"}}']
)
def test_case_26_a_model_json_that_lies_is_refused(tmp_path, text):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(UsageError, match=r"model\.json (is not|lacks) .*; export the model again"):
        metadata.read_json(tmp_path)


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
