"""The one-class experiment on the real photos: a short training from the ImageNet backbone, through to detections."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from scripts.lib.config import pipeline_config
from scripts.lib.images import decode
from scripts.lib.models.detector import Detector
from scripts.lib.training import log
from tests import exporting

NUM_STEPS = 60


@pytest.fixture(scope="module")
def config(reference_dir, repository_root, tmp_path_factory) -> Path:
    """ssd_mobilenet_v1_one.config with the reference's records and the checkpoint that is there."""
    text = (repository_root / "configs" / "ssd_mobilenet_v1_one.config").read_text(encoding="utf-8")
    reference = reference_dir.resolve().as_posix()
    for old, new in (
        (
            "pretrained/ssd_mobilenet_v1_coco_2017_11_17/model.ckpt",
            f"{reference}/mobilenet_v1_1.0_224/mobilenet_v1_1.0_224.ckpt",
        ),
        ("from_detection_checkpoint: true", 'fine_tune_checkpoint_type: "classification"'),
        ("data/train.record", f"{reference}/model_one_class/train.record"),
        ("data/test.record", f"{reference}/model_one_class/test.record"),
        ("num_steps: 200000", f"num_steps: {NUM_STEPS}"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path_factory.mktemp("one_class") / "pipeline.config"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def training(config, run_script):
    return run_script(
        "scripts/train.py",
        "--pipeline_config_path",
        config,
        "--train_dir",
        config.parent / "train",
        "--log_every_steps",
        1,
    )


@pytest.fixture(scope="module")
def exported(config, training, run_script) -> Path:
    folder = config.parent / "exported_model"
    run_script(
        "scripts/export_inference_graph.py",
        "--pipeline_config_path",
        config,
        "--trained_checkpoint_prefix",
        config.parent / "train",
        "--output_directory",
        folder,
    )
    return folder


def test_the_loss_is_finite_and_falls(training, config):
    losses = [line["loss"] for line in log.read(config.parent / "train" / log.FILE_NAME)]
    assert len(losses) == NUM_STEPS
    assert np.isfinite(losses).all()
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:10])


def test_the_backbone_is_restored(training):
    """MobileNet v1 has 27 convolutions with weights and four batch norm variables each; the SSD layers are new."""
    assert re.search(
        r"Restored 135 of \d+ variables from .*mobilenet_v1_1.0_224.ckpt; the rest starts untrained, e.g. \S+",
        training.stdout,
    )


def test_evaluation_sees_all_test_photos(config, training, run_script):
    run_script(
        "scripts/eval.py",
        "--run_once",
        "--pipeline_config_path",
        config,
        "--checkpoint_dir",
        config.parent / "train",
        "--eval_dir",
        config.parent / "eval",
    )
    content = json.loads((config.parent / "eval" / "metrics.json").read_text(encoding="utf-8"))
    assert (content["global_step"], content["num_examples"]) == (NUM_STEPS, 20)
    assert content["metrics"]["PascalBoxes_PerformanceByCategory/AP@0.5IOU/Pants_Leggings"] >= 0


def test_detection_on_the_test_photos(config, exported, reference_dir, run_script):
    output = config.parent / "detections"
    run_script(
        "scripts/detect.py",
        "--model",
        exported,
        "--input",
        reference_dir / "model_one_class/test_labels.csv",
        "--image_dir",
        reference_dir / "samples",
        "--output_dir",
        output,
        "--min_score",
        0.01,
    )
    with (output / "detections.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["class"] for row in rows} == {"Pants_Leggings"}
    assert len(list((output / "images").iterdir())) == 20


def test_the_exported_model_detects_what_the_checkpoint_does(config, exported, reference_dir, tf):
    """The same photos through the frozen graph and through the model built anew and restored from the checkpoint."""
    photos = sorted((reference_dir / "samples").glob("*.jpg"))[:5]
    images = [decode.read(path)[0] for path in photos]
    detector = Detector(exported)
    checkpoint = tf.train.latest_checkpoint(str(config.parent / "train"))
    expected = exporting.of_checkpoint(tf, pipeline_config.read(config), checkpoint, images)
    for pixels, one in zip(images, expected, strict=True):
        found = detector.detect(pixels, 0.0)
        assert [detection.score for detection in found] == pytest.approx(one.scores.tolist(), abs=1e-5)
        actual = [(d.ymin, d.xmin, d.ymax, d.xmax) for d in found]
        np.testing.assert_allclose(actual, one.boxes_yxyx, atol=0.05)
