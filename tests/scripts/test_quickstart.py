"""The quickstart: the README's commands, one after another, and a summary."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from scripts import quickstart

PYTHON = Path(sys.executable)


def test_the_steps_are_the_pipelines_in_order():
    steps = quickstart.pipeline()
    assert [Path(step.script).stem for step in steps] == [
        "make_sample_dataset",
        "xml_to_csv",
        "split_dataset",
        "generate_tfrecord",
        "generate_tfrecord",
        "train",
        "eval",
        "export_inference_graph",
        "detect",
        "report",
    ]


def test_each_script_knows_the_flags_that_it_is_given(repository_root):
    """Each script's --help, without TensorFlow, lists the flag."""
    for step in quickstart.pipeline(num_steps=5):
        command = [sys.executable, step.script, "--help"]
        usage = subprocess.run(command, cwd=repository_root, capture_output=True, encoding="utf-8", check=True).stdout
        for flag in (argument for argument in step.arguments if argument.startswith("--")):
            assert flag in usage, (step.script, flag)


def test_paths_below_the_repository_are_shown_relative_to_it():
    for step in quickstart.pipeline():
        assert not [argument for argument in step.arguments if str(quickstart.ROOT) in argument]


def test_steps_are_passed_on_to_the_training_alone():
    steps = quickstart.pipeline(num_steps=7)
    assert [step.script for step in steps if "--num_steps" in step.arguments] == ["scripts/train.py"]


def test_the_samples_config_names_the_quickstarts_folder():
    text = (quickstart.ROOT / quickstart.CONFIG).read_text(encoding="utf-8")
    assert text.count(f'"{quickstart.OUT}/') >= 2


def test_the_summary_has_figures_places_and_what_comes_next(tmp_path, monkeypatch):
    monkeypatch.setattr(quickstart, "ROOT", tmp_path)
    results = tmp_path / quickstart.OUT
    (results / "eval").mkdir(parents=True)
    metrics = {
        "PascalBoxes_Precision/mAP@0.5IOU": 0.8125,
        "PascalBoxes_PerformanceByCategory/AP@0.5IOU/Skirts": 0.75,
        "PascalBoxes_PerformanceByCategory/AP@0.5IOU/Tops": None,
    }
    content = {"global_step": 5, "num_examples": 3, "metrics": metrics}
    (results / "eval/metrics.json").write_text(json.dumps(content), encoding="utf-8")
    text = quickstart.summary(PYTHON)
    for expected in (
        "synthetic",
        "0.812",
        "Skirts",
        "0.750",
        "no ground truth",
        "exported_model",
        "detections",
        f"scripts/detect.py --model {quickstart.OUT}/exported_model --input samples",
        "scripts/start_tensorboard.py --logdir",
    ):
        assert expected in text
    assert text.splitlines()[-1].endswith((results / "report/index.html").as_uri())


def test_the_report_comes_last_and_its_command_shows_that_it_changes_the_model():
    *_, report = quickstart.pipeline()
    assert "--update_thresholds" in report.arguments


def test_nothing_is_opened(repository_root):
    """A terminal makes the report's address clickable; a browser that opens by itself is a surprise."""
    code = "import sys; sys.path[:0] = ['.', 'scripts']; import quickstart; sys.exit('webbrowser' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=repository_root, check=False).returncode == 0
