"""export_model.py: all formats of a real, tiny SSD in one folder, and mistakes."""

from __future__ import annotations

import pytest

from scripts import export_model
from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model
from tests import exporting, output_lines, untrained_model


def test_formats_that_are_not_asked_for_are_not_left_there(exported):
    there = {path.name for path in exported.iterdir()}
    assert {"saved_model", "model.onnx", "frozen_inference_graph.pb", "label_map.pbtxt", "model.json"} <= there
    assert all(map(exported_model.is_part, there))
    assert not list(exported.parent.glob(".*partial*"))


def test_every_line_of_an_export_in_all_formats_is_of_use(source, exported):
    formats = [r"frozen graph, TensorFlow: .*; mAP@0.5 \d.*", "SavedModel, TensorFlow: .*", "ONNX, ONNX Runtime: .*"]
    formats += ["OpenVINO: .*"] * ("openvino" in exporting.OPTIONAL)
    if "tflite" in exporting.OPTIONAL:
        formats += ["TensorFlow Lite, one thread: .*", r"TensorFlow Lite int8, one thread: .*; mAP@0.5 \d.*"]
    else:
        formats[0] = "frozen graph, TensorFlow: .*"
    output_lines.assert_lines(
        (source / "output.txt").read_text(encoding="utf-8"),
        "Exporting .+/model.ckpt-.+ to .+/exported",
        "Device: .+",
        "From the frozen graph, at most:",
        *(f"  {line}" for line in formats),
        "The exported model is in .+/exported",
    )


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--formats", "onnx,caffe"], "caffe is not one of"),
        (["--calibration_images", "-1"], "-1 is below 0"),
    ],
)
def test_mistakes_are_named_before_anything_is_done(source, tmp_path, flags, says, capsys):
    command = ["--checkpoint", str(source), "--pipeline_config_path", str(source / "pipeline.config"), *flags]
    with pytest.raises(SystemExit):
        export_model.main([*command, "--output_dir", str(tmp_path / "out")])
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_without_its_config_is_named(tmp_path):
    (tmp_path / "model.ckpt-7.index").touch()
    with pytest.raises(UsageError, match=r"there is no .*pipeline\.config; give the config by --pipeline_config_path"):
        export_model.main(["--checkpoint", str(tmp_path / "model.ckpt-7"), "--output_dir", str(tmp_path / "out")])


def test_tflite_takes_no_faster_rcnn(source, tmp_path):
    config = (
        (source / "pipeline.config")
        .read_text(encoding="utf-8")
        .replace("fixed_shape_resizer {", "keep_aspect_ratio_resizer {")
    )
    config = config.replace(f"height: {untrained_model.SIDE}", "min_dimension: 96").replace(
        f"width: {untrained_model.SIDE}", "max_dimension: 200"
    )
    (tmp_path / "p.config").write_text(config, encoding="utf-8")
    with pytest.raises(UsageError, match="needs an SSD with a fixed_shape_resizer; leave it out"):
        export_model.main(
            ["--checkpoint", str(source), "--pipeline_config_path", str(tmp_path / "p.config"), "--formats", "tflite"]
        )


def test_without_the_evaluation_record_formats_are_compared_on_noise(source, tmp_path, capsys):
    config = (source / "pipeline.config").read_text(encoding="utf-8").replace("test.record", "moved.record")
    (tmp_path / "p.config").write_text(config, encoding="utf-8")
    command = ["--checkpoint", str(source), "--pipeline_config_path", str(tmp_path / "p.config"), "--formats", "onnx"]
    export_model.main([*command, "--output_dir", str(tmp_path / "out")])
    assert "ONNX, ONNX Runtime: boxes differ by 0.0" in capsys.readouterr().out
    assert (tmp_path / "out" / exported_model.ONNX).is_file()
