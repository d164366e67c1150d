"""cross_validate.py: the folds, what is run for each, and the figures over all of them."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import generate_tfrecord
import split_dataset
from scripts import cross_validate, make_config
from scripts.lib.core import files, pipeline_step
from scripts.lib.core.errors import UsageError
from scripts.lib.dataset import labels_csv
from scripts.lib.evaluation import on_record
from scripts.lib.evaluation.average_precision import EvaluatedImage
from scripts.lib.evaluation.on_record import RecordDetections
from scripts.lib.records import read
from tests import made_model, tiny_training

CONFIG = files.default_path("configs/ssd_mobilenet_v1_sample.config")
NUM_IMAGES = 12  # two photos of each of six products
FOLDS = 3
IN_PROCESS = {
    "split_dataset.py": split_dataset,
    "generate_tfrecord.py": generate_tfrecord,
    "scripts/make_config.py": make_config,
}


def write_images(folder: Path, classes: tuple[str, str]) -> list[object]:
    """Write images with one box each, of which each has a near-duplicate, and their CSV; return the flags for them."""
    rows = []
    for number in range(NUM_IMAGES):
        noise = np.random.default_rng(number // 2).integers(0, 255, (4, 4, 3), np.uint8)
        image = Image.fromarray(noise).resize((64, 64)).point(lambda value, more=number % 2: value + more)
        image.save(folder / f"{number}.png")
        rows.append(f"{number}.png,64,64,{classes[number // 2 % 2]},8,8,56,48")
    (folder / "labels.csv").write_text("\n".join([",".join(labels_csv.COLUMNS), *rows]) + "\n", encoding="utf-8")
    return ["--csv_input", folder / "labels.csv", "--image_dir", folder, "--output_dir", folder / "out"]


@pytest.fixture
def command(tmp_path) -> list[str]:
    flags = write_images(tmp_path, ("Tops", "Skirts"))
    return [*map(str, flags), "--pipeline_config_path", str(CONFIG), "--folds", str(FOLDS), "--seed", "3"]


@pytest.fixture
def trainings(monkeypatch) -> list[Path]:
    """Run the data steps in this process; the folder of each training is kept here, and its model finds all or nothing.

    The first fold's finds nothing.
    """
    trained = []

    def run(step, python, consequence):
        arguments = dict(zip(step.arguments[::2], step.arguments[1::2], strict=True))
        if step.script in IN_PROCESS:
            IN_PROCESS[step.script].main(list(map(str, step.arguments)))
        elif step.script == "scripts/train.py":
            assert arguments["--pipeline_config_path"].is_file() and arguments["--seed"] == "3"
            trained.append(arguments["--train_dir"])
        else:
            model = arguments["--output_directory"]
            model.mkdir()
            shutil.copy(files.default_path("data/apparel_label_map.pbtxt"), model / "label_map.pbtxt")

    def detect(model, records, cache):
        found = []
        for image in read.read(records[0]):
            boxes, ids = image.boxes_yxyx_normalized * 64, image.class_ids
            count = 0 if model.parent.name == "fold_0" else len(ids)
            truth = boxes, ids, np.zeros(len(ids), bool)
            found.append(EvaluatedImage(image.name, 64, 64, *truth, boxes[:count], np.full(count, 0.9), ids[:count]))
        return RecordDetections(1, found)

    monkeypatch.setattr(cross_validate, "NUM_RESAMPLES", 20)
    monkeypatch.setattr(pipeline_step, "run", run)
    monkeypatch.setattr(on_record, "detect", detect)
    return trained


def images_of(path: Path) -> set[int]:
    with path.open(encoding="utf-8", newline="") as file:
        return {int(Path(row["filename"]).stem) for row in csv.DictReader(file)}


def test_each_image_is_tested_once_with_its_near_duplicate_and_the_figures_are_those_of_the_folds(
    command, trainings, tmp_path, capsys
):
    assert cross_validate.main(command) == 0
    out = tmp_path / "out"
    tested = [images_of(out / f"test_fold_{fold}.csv") for fold in range(FOLDS)]
    assert sorted(number for fold in tested for number in fold) == list(range(NUM_IMAGES))
    for fold, numbers in enumerate(tested):
        assert images_of(out / f"train_fold_{fold}.csv") == {*range(NUM_IMAGES)} - numbers
        assert {number ^ 1 for number in numbers} == numbers, "near-duplicates are in one fold"
    assert trainings == [out / f"fold_{fold}" / "train" for fold in range(FOLDS)]

    content = json.loads((out / "cross_validation.json").read_text(encoding="utf-8"))
    mean = content["ap_by_fold"]["mean (mAP@0.5)"]
    assert mean["folds"] == [0, 1, 1]
    assert (mean["mean"], mean["deviation"]) == (pytest.approx(2 / 3), pytest.approx(math.sqrt(1 / 3)))
    assert content["ap_by_fold"]["Lingerie"] == {"folds": [None] * FOLDS, "mean": None, "deviation": None}
    together = content["together"]
    assert together["num_examples"] == NUM_IMAGES
    assert together["metrics"]["PascalBoxes_Precision/mAP@0.5IOU"] == pytest.approx(2 / 3)
    output = capsys.readouterr().out
    assert "mean (mAP@0.5)      0.000      1.000      1.000      0.667      0.577" in output
    assert f"pipeline_config_path {files.sha256(CONFIG)[:12]}" in output


def test_a_run_goes_on_where_it_was_stopped_and_gives_the_same_folds(command, trainings, tmp_path):
    cross_validate.main(command)
    former = [images_of(tmp_path / "out" / f"test_fold_{fold}.csv") for fold in range(FOLDS)]
    shutil.rmtree(tmp_path / "out" / "fold_1" / "exported_model")  # as if its training had been stopped
    manifest = tmp_path / "out" / "fold_2" / "test.record.json"
    manifest.unlink()  # as if it had been killed while it wrote the record
    trainings.clear()
    cross_validate.main(command)
    assert trainings == [tmp_path / "out" / "fold_1" / "train"] and manifest.is_file()
    shutil.rmtree(tmp_path / "out")
    cross_validate.main(command)
    assert [images_of(tmp_path / "out" / f"test_fold_{fold}.csv") for fold in range(FOLDS)] == former


@pytest.mark.usefixtures("trainings")
def test_results_of_other_settings_are_not_mixed(command, tmp_path):
    cross_validate.main(command)
    with (tmp_path / "labels.csv").open("a", encoding="utf-8") as file:
        file.write("0.png,64,64,Tops,0,0,9,9\n")
    with pytest.raises(UsageError, match=r"out holds results with another csv_input and max_image_side; give another"):
        cross_validate.main([*command, "--max_image_side", "32"])


@pytest.mark.parametrize(
    ("flags", "says"),
    [(["--folds", "1"], "cross-validation needs at least 2"), (["--output_dir", "."], "not a file of this script")],
)
def test_usage_errors(command, tmp_path, monkeypatch, flags, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=says):
        cross_validate.main([*command, *flags])


def test_a_config_without_a_label_map_that_is_here_needs_the_flag(command, tmp_path):
    text = CONFIG.read_text(encoding="utf-8").replace("data/apparel_label_map.pbtxt", "missing.pbtxt")
    (tmp_path / "a.config").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"a\.config names no label map here; give --label_map"):
        cross_validate.main([*command, "--pipeline_config_path", str(tmp_path / "a.config")])


@pytest.mark.slow
@pytest.mark.usefixtures("tf")
def test_two_real_trainings(tmp_path, monkeypatch, capfd):
    config = tiny_training.write(tmp_path, num_steps=2)
    flags = write_images(tmp_path, ("Red", "Green"))
    assert made_model.LABEL_MAP.count("Red") == made_model.LABEL_MAP.count("Green") == 1
    command = [*map(str, flags), "--pipeline_config_path", str(config), "--folds", "2"]
    monkeypatch.setattr(sys, "argv", ["cross_validate.py"])
    assert cross_validate.main(command) == 0
    content = json.loads((tmp_path / "out" / "cross_validation.json").read_text(encoding="utf-8"))
    assert content["together"]["num_examples"] == NUM_IMAGES
    assert all(0 <= ap <= 1 for ap in content["ap_by_fold"]["mean (mAP@0.5)"]["folds"])
    assert "Fold 2 of 2: exporting" in capfd.readouterr().out
