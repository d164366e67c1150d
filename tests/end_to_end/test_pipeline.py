"""From labelled pictures to detections, by the commands of the README, on a small sample."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import pytest
from PIL import Image

CLASSES = ["Pants_Leggings", "Dresses", "Skirts", "Tops", "Shorts", "Lingerie"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("Fotos für Größe M")  # neither spaces nor umlauts may matter


@pytest.fixture(scope="module")
def records(folder, run_script) -> Path:
    run_script("scripts/make_sample_dataset.py", "--output_dir", folder / "sample", "--num_images", 15)
    run_script(
        "xml_to_csv.py", "--annotations_dir", folder / "sample/annotations", "--output_csv", folder / "labels.csv"
    )
    split = [f"--{name}_csv={folder / name}_labels.csv" for name in ("train", "test")]
    run_script(
        "split_dataset.py", "--csv_input", folder / "labels.csv", *split, "--summary_csv", folder / "summary.csv"
    )
    for part in ("train", "test"):
        run_script(
            "generate_tfrecord.py",
            "--csv_input",
            folder / f"{part}_labels.csv",
            "--output_path",
            folder / f"{part}.record",
            "--image_dir",
            folder / "sample/samples",
        )
    return folder


@pytest.fixture(scope="module")
def config(records, short_config) -> Path:
    path = records / "pipeline.config"
    path.write_text(short_config(records), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def training(config, run_script):
    return run_script("scripts/train.py", "--pipeline_config_path", config, "--train_dir", config.parent / "train")


@pytest.fixture(scope="module")
def evaluation(config, training, run_script):
    return run_script(
        "scripts/eval.py",
        "--run_once",
        "--pipeline_config_path",
        config,
        "--checkpoint_dir",
        config.parent / "train",
        "--eval_dir",
        config.parent / "eval",
    )


@pytest.fixture(scope="module")
def exported(config, training, run_script) -> Path:
    run_script(
        "scripts/export_inference_graph.py",
        "--input_type",
        "image_tensor",
        "--pipeline_config_path",
        config,
        "--trained_checkpoint_prefix",
        config.parent / "train",
        "--output_directory",
        config.parent / "exported_model",
    )
    return config.parent / "exported_model"


def test_training_shows_its_steps_and_writes_checkpoint_events_and_config(training, folder):
    steps = re.findall(r"^step (\d+)/3: loss ([\d.]+)", training.stderr, re.MULTILINE)
    assert [int(step) for step, _ in steps] == [1, 3]  # the first, the last, and in between one every ten seconds
    assert all(math.isfinite(float(loss)) for _, loss in steps)
    train_dir = folder / "train"
    assert (train_dir / "model.ckpt-3.index").is_file()
    assert list(train_dir.glob("events.out.tfevents.*"))
    assert (train_dir / "pipeline.config").is_file()


def test_the_log_holds_what_matters_once_and_no_deprecation_warning(training):
    output = training.stdout + training.stderr
    assert output.count("Device: ") == 1
    assert output.count("step 3/3:") == 1
    assert not re.search(r"deprecated|Instructions for updating|oneDNN|cuInit|absl::InitializeLog", output), output


def test_training_again_says_that_the_steps_are_done(config, training, run_script):
    result = run_script("scripts/train.py", "--pipeline_config_path", config, "--train_dir", config.parent / "train")
    assert "holds a checkpoint of step 3; the 3 steps of the config are done" in result.stdout


def test_evaluation_writes_metrics_of_every_class_and_pictures(evaluation, folder):
    content = json.loads((folder / "eval" / "metrics.json").read_text(encoding="utf-8"))
    assert (content["global_step"], content["num_examples"]) == (3, 3)
    prefix = "PascalBoxes_PerformanceByCategory/AP@0.5IOU/"
    assert {name for name in content["metrics"] if name.startswith(prefix)} == {prefix + name for name in CLASSES}
    assert 0 <= content["metrics"]["PascalBoxes_Precision/mAP@0.5IOU"] <= 1
    assert "mean (mAP@0.5)" in evaluation.stdout
    with (folder / "test_labels.csv").open(encoding="utf-8", newline="") as file:
        seen = {row["class"] for row in csv.DictReader(file)}
    for name in set(CLASSES) - seen:
        assert re.search(rf"{name} +no ground truth in the record", evaluation.stdout)


def test_an_evaluation_with_moving_averages_reads_them(config, evaluation, run_script):
    """The same checkpoint, once its weights and once their averages: the losses are those of two models."""
    averaged = config.with_name("averaged.config")
    text = config.read_text(encoding="utf-8")
    averaged.write_text(text.replace("eval_config {", "eval_config {\n  use_moving_averages: true"), encoding="utf-8")
    run_script(
        "scripts/eval.py",
        "--run_once",
        "--pipeline_config_path",
        averaged,
        "--checkpoint_dir",
        config.parent / "train",
        "--eval_dir",
        config.parent / "eval_averaged",
    )
    losses = [
        json.loads((config.parent / folder / "metrics.json").read_text(encoding="utf-8"))["metrics"]
        for folder in ("eval", "eval_averaged")
    ]
    name = "Losses/Loss/localization_loss"
    assert all(math.isfinite(loss[name]) for loss in losses)
    assert losses[0][name] != losses[1][name]


def test_the_export_is_complete(exported):
    assert {path.name for path in exported.iterdir()} == {
        "checkpoint",
        "frozen_inference_graph.pb",
        "label_map.pbtxt",
        "model.ckpt.data-00000-of-00001",
        "model.ckpt.index",
        "model.ckpt.meta",
        "pipeline.config",
        "saved_model",
    }
    assert not list(exported.parent.glob(".*partial*")), "nothing half-made is left"


def test_exporting_again_replaces_the_export_and_nothing_else(config, exported, run_script):
    command = [
        "scripts/export_inference_graph.py",
        "--pipeline_config_path",
        config,
        "--trained_checkpoint_prefix",
        config.parent / "train" / "model.ckpt-3",
        "--output_directory",
    ]
    former = (exported / "frozen_inference_graph.pb").stat().st_mtime_ns
    run_script(*command, exported)
    assert (exported / "frozen_inference_graph.pb").stat().st_mtime_ns > former
    result = run_script(*command, config.parent / "sample", status=2)
    assert "holds files that are not part of an export" in result.stderr


def test_detections_table_pictures_and_tags(exported, folder, run_script):
    output = folder / "detections"
    result = run_script(
        "scripts/detect.py",
        "--model",
        exported,
        "--input",
        folder / "test_labels.csv",
        "--image_dir",
        folder / "sample/samples",
        "--output_dir",
        output,
        "--min_score",
        0.0,
    )
    with (output / "detections.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["filename", "class", "score", "xmin", "ymin", "xmax", "ymax"]
    names = {row["filename"] for row in rows}
    assert len(names) == 3
    for row in rows:
        with Image.open(folder / "sample/samples" / row["filename"]) as image:
            width, height = image.size
        assert row["class"] in CLASSES
        assert 0 <= float(row["score"]) <= 1
        assert -1 <= float(row["xmin"]) <= float(row["xmax"]) <= width + 1
        assert -1 <= float(row["ymin"]) <= float(row["ymax"]) <= height + 1
    for name in names:
        with Image.open(output / "images" / name) as picture:
            picture.load()
        assert re.search(rf"^{name}: \w+ \d+%", result.stdout, re.MULTILINE)


def test_a_bad_picture_is_reported_and_the_rest_done(exported, folder, tmp_path, run_script):
    photos = tmp_path / "photos"
    (photos / "new").mkdir(parents=True)
    good = next((folder / "sample/samples").glob("*.jpg"))
    (photos / "new" / "good.jpg").write_bytes(good.read_bytes())
    (photos / "truncated.jpg").write_bytes(good.read_bytes()[:2000])
    (photos / "page.jpg").write_text("<!doctype html>", encoding="utf-8")
    result = run_script(
        "scripts/detect.py", "--model", exported, "--input", photos, "--output_dir", tmp_path / "out", status=1
    )
    assert "truncated.jpg: the image is damaged" in result.stderr
    assert "page.jpg: the file is a web page" in result.stderr
    assert (tmp_path / "out" / "images" / "new" / "good.jpg").is_file()


@pytest.mark.parametrize(
    ("script", "arguments", "says"),
    [
        ("scripts/train.py", ["--train_dir=x"], "give --pipeline_config_path"),
        (
            "scripts/train.py",
            ["--train_dir=x", "--pipeline_config_path=none.config"],
            "there is no pipeline config none.config",
        ),
        ("scripts/eval.py", ["--eval_dir=x", "--pipeline_config_path=y"], "give --checkpoint_dir"),
        ("scripts/export_inference_graph.py", ["--output_directory=x"], "give --pipeline_config_path"),
        ("scripts/detect.py", ["--input=none"], "--input none: no such file or folder"),
        ("scripts/detect.py", ["--input=.", "--min_score=2"], "2.0 is not between 0 and 1"),
    ],
)
def test_wrong_usage_is_one_sentence(script, arguments, says, run_script):
    assert says in run_script(script, *arguments, status=2).stderr


def test_mistakes_of_a_config_are_told_before_tensorflow_is_imported(config, tmp_path, run_script):
    wrong = tmp_path / "wrong.config"
    text = (
        config.read_text(encoding="utf-8")
        .replace("num_classes: 6", "num_classes: 5")
        .replace("train.record", "no.record")
    )
    wrong.write_text(text, encoding="utf-8")
    result = run_script(
        "scripts/train.py", "--pipeline_config_path", wrong, "--train_dir", tmp_path / "train", status=1
    )
    assert "num_classes is 5" in result.stderr
    assert "there is no record" in result.stderr
    assert "the training was not started" in result.stderr
    assert "Device:" not in result.stdout
    assert not (tmp_path / "train").exists()


def test_a_checkpoint_that_is_not_there(config, tmp_path, run_script):
    for script, flag, extra in (
        ("scripts/eval.py", "--checkpoint_dir", ["--run_once", "--eval_dir", tmp_path / "eval"]),
        ("scripts/export_inference_graph.py", "--trained_checkpoint_prefix", ["--output_directory", tmp_path / "out"]),
    ):
        result = run_script(script, "--pipeline_config_path", config, flag, tmp_path / "none", *extra, status=2)
        assert "there is no checkpoint" in result.stderr
