"""The table of feature extractors against the API's own (case 3)."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path

import pytest

from scripts.lib.config import feature_extractors
from scripts.lib.config.feature_extractors import GRAPH_MODE, OPTIONAL_FIELDS

ARGUMENTS = {"fpn": "fpn_min_level", "bifpn": "bifpn_min_level"}  # of a field of another name


def test_it_is_the_table_of_the_api(tf):
    from object_detection.builders import model_builder

    ssd = model_builder.SSD_FEATURE_EXTRACTOR_CLASS_MAP
    assert GRAPH_MODE["ssd"].keys() == ssd.keys()
    assert GRAPH_MODE["faster_rcnn"].keys() == model_builder.FASTER_RCNN_FEATURE_EXTRACTOR_CLASS_MAP.keys()
    for name, extractor in ssd.items():
        arguments = inspect.signature(extractor.__init__).parameters
        taken = [field for field in OPTIONAL_FIELDS if ARGUMENTS.get(field, field) in arguments]
        assert taken == list(filter(None, [GRAPH_MODE["ssd"][name]])), name


def names_of_tensorflow_2() -> list[str]:
    """The names that the API's source registers for TensorFlow 2 only."""
    folder = Path(importlib.util.find_spec("object_detection").origin).parent
    source = (folder / "builders" / "model_builder.py").read_text(encoding="utf-8")
    return re.findall(r"^ +'((?:ssd|faster_rcnn)_[\w-]+_keras)':", source, re.MULTILINE)


def test_each_extractor_of_tensorflow_2_has_a_counterpart():
    names = names_of_tensorflow_2()
    assert len(names) == 22
    for name in names:
        kind = "ssd" if name.startswith("ssd") else "faster_rcnn"
        near = feature_extractors.counterpart(kind, name)
        assert near in GRAPH_MODE[kind]
        message, remedy = feature_extractors.refusal(kind, name)
        assert message == f"{name!r} exists in TensorFlow 2 only"
        assert f"write {near!r}" in remedy


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [
        ("ssd", "ssd_mobilenet_v2_fpn_keras", "ssd_mobilenet_v2_fpn"),
        ("ssd", "ssd_efficientnet-b3_bifpn_keras", "ssd_mobilenet_v2_fpn"),
        ("faster_rcnn", "faster_rcnn_resnet101_fpn_keras", "faster_rcnn_resnet101"),
    ],
)
def test_the_nearest(kind, name, near):
    assert feature_extractors.counterpart(kind, name) == near


def test_a_misspelt_name_and_one_of_another_kind():
    assert feature_extractors.refusal("ssd", "ssd_mobilenet_v1") is None
    assert "'ssd_mobilenet_v1'" in feature_extractors.refusal("ssd", "ssd_mobilnet_v1")[1]
    assert "'faster_rcnn_resnet50'" in feature_extractors.refusal("faster_rcnn", "ssd_resnet50_v1_fpn")[1]
    assert "ssd_spaghettinet" in feature_extractors.refusal("ssd", "x")[1], "all, where none is near"
