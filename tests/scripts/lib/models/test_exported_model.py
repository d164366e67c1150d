"""The folder of an exported model: what is missing, what is in the way, and its score thresholds."""

from __future__ import annotations

import re

import pytest

from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model
from tests import made_onnx


def test_a_folder_without_a_model_says_what_is_missing(tmp_path):
    with pytest.raises(UsageError, match="frozen_inference_graph.pb and label_map.pbtxt missing"):
        exported_model.check(tmp_path)
    (tmp_path / exported_model.FROZEN_GRAPH).touch()
    with pytest.raises(UsageError, match=": label_map.pbtxt missing"):
        exported_model.check(tmp_path)
    with pytest.raises(UsageError, match="is a file; give its folder"):
        exported_model.check(tmp_path / exported_model.FROZEN_GRAPH)
    exported_model.check(made_onnx.write(tmp_path))


def test_a_model_is_told_by_its_graph_and_else_by_its_converted_file(tmp_path):
    by_onnx = exported_model.sha256(made_onnx.write(tmp_path))
    (tmp_path / exported_model.FROZEN_GRAPH).write_bytes(b"graph")
    by_graph = exported_model.sha256(tmp_path)
    assert by_onnx != by_graph
    (tmp_path / exported_model.ONNX).write_bytes(b"other")
    assert exported_model.sha256(tmp_path) == by_graph


def test_only_an_earlier_export_may_be_replaced(tmp_path):
    exported_model.check_output_directory("output_dir", tmp_path / "new")
    made_onnx.write(tmp_path, Green=0.5)
    (tmp_path / "model.ckpt.index").touch()
    exported_model.check_output_directory("output_dir", tmp_path)
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(UsageError, match=r"--output_dir .* not part of an export \(thesis\.docx\)"):
        exported_model.check_output_directory("output_dir", tmp_path)
    with pytest.raises(UsageError, match=r"thesis\.docx is a file; give a folder"):
        exported_model.check_output_directory("output_dir", tmp_path / "thesis.docx")


def test_score_thresholds_are_those_of_the_report(tmp_path):
    assert exported_model.score_thresholds(tmp_path) == {}
    assert exported_model.score_thresholds(made_onnx.write(tmp_path, Green=0.8, Blue=0.25)) == {
        "Green": 0.8,
        "Blue": 0.25,
    }


@pytest.mark.parametrize(
    "text", ["[0.5]", '{"Green": "high"}', "{", "3", '{"Green": 1.5}', '{"Green": NaN}', "[" * 9999]
)
def test_a_file_that_does_not_hold_thresholds_is_named(tmp_path, text):
    path = tmp_path / exported_model.SCORE_THRESHOLDS
    path.write_text(text)
    with pytest.raises(
        UsageError, match=re.escape(exported_model.SCORE_THRESHOLDS) + " (has|is not) .*; remove it, or "
    ):
        exported_model.score_thresholds(tmp_path)


def test_an_export_without_its_checkpoint_does_not_know_its_step(tmp_path):
    assert exported_model.global_step(tmp_path) is None
