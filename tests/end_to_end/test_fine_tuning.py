"""Six classes from a detector of COCO's 90: the heads of the classes are left out, all else is restored."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

import generate_tfrecord
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import pipeline_config
from scripts.lib.dataset import labels_csv

CLASS_HEAD = "ClassPredictor"
IMAGE_SIDE = 64


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """A folder with a record of four pictures of two classes, and another for testing."""
    folder = tmp_path_factory.mktemp("records")
    noise = np.random.default_rng(1)
    for name in ("train", "test"):
        rows = []
        for number, class_name in enumerate(["Tops", "Skirts"] * 2):
            Image.fromarray(noise.integers(0, 255, (80, 60, 3), np.uint8)).save(folder / f"{name}_{number}.jpg")
            rows.append(f"{name}_{number}.jpg,60,80,{class_name},5,5,50,70")
        (folder / "labels.csv").write_text("\n".join([",".join(labels_csv.COLUMNS), *rows]) + "\n", encoding="utf-8")
        generate_tfrecord.main(
            [
                "--csv_input",
                f"{folder}/labels.csv",
                "--output_path",
                f"{folder}/{name}.record",
                "--image_dir",
                f"{folder}",
            ]
        )
    return folder


@pytest.fixture(scope="module")
def config_text(records, short_config) -> str:
    """The sample's config, tiny, whose learning rate of 0 leaves every weight as it was restored."""
    text = short_config(records, num_steps=1)
    for pattern, new in (
        (r"height: 96\s+width: 96", f"height: {IMAGE_SIDE} width: {IMAGE_SIDE}"),
        ("depth_multiplier: 0.5", "depth_multiplier: 0.25"),
        (r"cosine_decay_learning_rate \{[^}]*\}", "constant_learning_rate { learning_rate: 0.0 }"),
        (r"use_moving_average: true moving_average_decay: 0.5", "use_moving_average: false"),
    ):
        text, count = re.subn(pattern, new, text)
        assert count, pattern
    return text


@pytest.fixture(scope="module")
def coco_checkpoint(tf, config_text, tmp_path_factory) -> tuple[str, dict[str, np.ndarray]]:
    """A checkpoint of the same detector for 90 classes, and its values by name."""
    from object_detection.builders import model_builder

    folder = tmp_path_factory.mktemp("coco")
    (folder / "a.config").write_text(config_text.replace("num_classes: 6", "num_classes: 90"), encoding="utf-8")
    config = pipeline_config.read(folder / "a.config")
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(7)
        model = model_builder.build(config.model, is_training=True)
        images, shapes = model.preprocess(tf.zeros([1, IMAGE_SIDE, IMAGE_SIDE, 3]))
        model.predict(images, shapes)
        tf.train.get_or_create_global_step()
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, (folder / "model.ckpt").as_posix())
        return prefix, {variable.op.name: session.run(variable) for variable in tf.global_variables()}


def test_the_heads_of_the_classes_are_left_out_and_the_rest_is_restored(
    tf, records, config_text, coco_checkpoint, run_script
):
    prefix, former = coco_checkpoint
    fine_tuning = f"""train_config {{
      fine_tune_checkpoint: "{prefix}"
      fine_tune_checkpoint_type: "detection"
      load_all_detection_checkpoint_vars: true"""
    config = records / "fine_tune.config"
    config.write_text(config_text.replace("train_config {", fine_tuning), encoding="utf-8")

    result = run_script("scripts/train.py", "--pipeline_config_path", config, "--train_dir", records / "train")

    heads = [name for name in former if CLASS_HEAD in name]
    wanted = len(former) - 1  # without the global step
    assert len(heads) == 6
    restored = re.search(
        r"Restored (\d+) of (\d+) variables from (\S+); the rest starts untrained, e.g. (\S+)", result.stdout
    )
    assert restored.groups() == (str(wanted - 6), str(wanted), prefix, "BoxPredictor_0/ClassPredictor/biases")

    trained = tf.train.load_checkpoint(checkpoint_files.find(records / "train"))
    for name, value in former.items():
        if CLASS_HEAD in name:
            assert former[name].shape[-1] % 91 == 0
            assert trained.get_tensor(name).shape[-1] % 7 == 0
        elif "moving_" not in name and name != "global_step":  # batch norm goes on counting
            np.testing.assert_array_equal(trained.get_tensor(name), value, err_msg=name)


def test_what_a_checkpoint_is_of_is_seen_in_its_names(coco_checkpoint, tf, tmp_path):
    assert checkpoint_files.holds_detector(coco_checkpoint[0])
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("MobilenetV1/Conv2d_0/weights", [3, 3])
        session.run(tf.global_variables_initializer())
        assert not checkpoint_files.holds_detector(tf.train.Saver().save(session, str(tmp_path / "model.ckpt")))
