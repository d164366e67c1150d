"""The table of formats: order, refusals, and what is left in the folder."""

from __future__ import annotations

import importlib.util

import pytest

from scripts.lib.config import pipeline_config
from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model, formats
from scripts.lib.models.formats import ExportFormat, FormatCheck
from scripts.lib.models.onnx_conversion import ConversionError
from scripts.lib.object_detection_api import protos


def made(name: str, fails: bool = False) -> ExportFormat:
    def write(job):
        if fails:
            raise ConversionError("no such operation")
        (job.folder / name).touch()
        return [FormatCheck(name, "onnx")]

    return ExportFormat(write, (name, f"{name}.*"))


def test_the_frozen_graph_is_made_first_and_only_what_was_asked_for_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "FORMATS", {name: made(name) for name in (formats.FROZEN, "onnx", "tflite")})
    job = formats.ExportJob(None, "model.ckpt-7", tmp_path)
    assert [check.title for check in formats.write(["tflite"], job)] == [formats.FROZEN, "tflite"]
    (tmp_path / "frozen.index").touch()
    (tmp_path / "label_map.pbtxt").touch()
    formats.remove_others(["tflite"], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"tflite", "label_map.pbtxt"}


def test_of_two_files_in_one_folder_the_one_that_was_not_asked_for_goes(tmp_path):
    for name in ("model.xml", "model.bin", "model_int8.xml", "model_int8.bin"):
        (tmp_path / "openvino").mkdir(exist_ok=True)
        (tmp_path / "openvino" / name).touch()
    formats.remove_others(["openvino_int8"], tmp_path)
    assert {path.name for path in tmp_path.glob("openvino/*")} == {"model_int8.xml", "model_int8.bin"}


def test_without_images_to_calibrate_on_openvino_int8_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "_write_onnx_int8", lambda job: [])
    assert formats._write_openvino_int8(formats.ExportJob(None, "model.ckpt-7", tmp_path)) == []


def test_that_a_training_record_to_calibrate_on_is_missing_is_said_once(tmp_path, capsys):
    config = protos.load("pipeline").TrainEvalPipelineConfig()
    job = formats.ExportJob(config, "model.ckpt-7", tmp_path, num_calibration_images=3)
    (tmp_path / exported_model.ONNX).touch()
    assert formats._write_onnx_int8(job) == formats._write_openvino_int8(job) == []
    assert capsys.readouterr().out.count("No int8: the config's training record, with the images to calibr") == 1


def test_a_format_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "FORMATS", {formats.FROZEN: made("frozen"), "onnx": made("onnx", fails=True)})
    job = formats.ExportJob(None, "model.ckpt-7", tmp_path)
    with pytest.raises(UsageError, match=r"--formats onnx cannot be made \(no such operation\); leave it out"):
        formats.write(["onnx"], job)


def test_a_library_that_is_missing_is_named(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find_spec(name))
    with pytest.raises(
        UsageError, match="--formats onnx: tf2onnx is not installed in .*pip install -r requirements.txt"
    ):
        formats.check_possible(["frozen", "onnx"], None)


def test_every_file_of_a_format_is_part_of_an_export():
    for export_format in formats.FORMATS.values():
        assert all(exported_model.is_part(pattern.split("/")[0]) for pattern in export_format.files)


def test_images_are_the_first_of_the_records_that_are_there(source):
    config = pipeline_config.read(source / exported_model.PIPELINE_CONFIG)
    reader = config.eval_input_reader[0]
    reader.tf_record_input_reader.input_path.append("missing.record")
    records = formats.local_records(reader)
    assert records == [(source / "test.record").as_posix()]
    assert [len(formats.first_images(records, count)) for count in (0, 3, 100)] == [0, 3, 4]
