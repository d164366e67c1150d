"""make_config.py: from a data set and a base config to a config that nobody had to edit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import generate_tfrecord
from scripts import make_config
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, pipeline_config
from scripts.lib.config.make import DataRecord, see_images_often
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.dataset import labels_csv

SAMPLE = files.REPOSITORY_ROOT / "configs" / "ssd_mobilenet_v1_sample.config"
CLASSES = ("cup", "bowl", "plate")

FASTER_RCNN = """
model { faster_rcnn {
  num_classes: 90
  image_resizer { keep_aspect_ratio_resizer { min_dimension: 600 max_dimension: 1024 } }
  feature_extractor { type: "faster_rcnn_resnet50" }
  initial_crop_size: 14 maxpool_kernel_size: 2 maxpool_stride: 2
  second_stage_box_predictor { mask_rcnn_box_predictor { } }
  first_stage_anchor_generator { grid_anchor_generator { scales: [0.25, 0.5, 1.0, 2.0] aspect_ratios: [0.5, 1.0, 2.0] } }
} }
train_config {
  batch_size: 1
  num_steps: 1000
  optimizer { momentum_optimizer { learning_rate { manual_step_learning_rate {
    initial_learning_rate: 0.002
    schedule { step: 600 learning_rate: 0.0002 } schedule { step: 900 learning_rate: 0.00002 }
  } } } }
  fine_tune_checkpoint: "somewhere/model.ckpt"
  from_detection_checkpoint: true
}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A folder with a label map and records of 8 and 4 pictures, the first of them in two parts."""
    folder = tmp_path_factory.mktemp("Größe M")
    items = (f"item {{ id: {number} name: '{name}' }}" for number, name in enumerate(CLASSES, start=1))
    (folder / "map.pbtxt").write_text("\n".join(items), encoding="utf-8")
    noise = np.random.default_rng(1)
    rows = []
    for number, place in enumerate((*range(8), *range(4))):
        Image.fromarray(noise.integers(0, 255, (80, 60, 3), np.uint8)).save(folder / f"{number}.png")
        rows.append(f"{number}.png,60,80,{CLASSES[number % 2]},{place},{2 * place},{30 + place},{40 + 5 * place}")
    for name, of_side, shards in (("train", rows[:8], 2), ("test", rows[8:], 1)):
        csv = folder / f"{name}.csv"
        csv.write_text("\n".join([",".join(labels_csv.COLUMNS), *of_side]) + "\n", encoding="utf-8")
        generate_tfrecord.main(
            [
                f"--csv_input={csv}",
                f"--output_path={folder / name}.record",
                f"--image_dir={folder}",
                f"--label_map={folder / 'map.pbtxt'}",
                f"--num_shards={shards}",
            ]
        )
    return folder


@pytest.fixture
def make(data, tmp_path):
    """`make(*arguments, base=...)` makes a config and reads it; `make.text()` is what the last one says."""

    def run(*arguments: str, base: Path | str = SAMPLE):
        if isinstance(base, str):
            (tmp_path / "base.config").write_text(base, encoding="utf-8")
            base = tmp_path / "base.config"
        make_config.main(
            [
                f"--base_config={base}",
                f"--train_record={data / 'train.record'}",
                f"--test_record={data / 'test.record'}",
                f"--output_config={tmp_path / 'made.config'}",
                *arguments,
            ]
        )
        return pipeline_config.read(tmp_path / "made.config")

    run.text = lambda: (tmp_path / "made.config").read_text(encoding="utf-8")
    return run


def test_classes_paths_and_counts_are_the_datas(make, data):
    config = make()
    assert pipeline_config.detector(config).num_classes == 3
    assert config.eval_config.num_examples == 4
    reader, test_reader = pipeline_config.input_readers(config)
    assert list(reader.tf_record_input_reader.input_path) == [f"{data.as_posix()}/train.record-?????-of-00002"]
    assert list(test_reader.tf_record_input_reader.input_path) == [f"{data.as_posix()}/test.record"]
    assert {reader.label_map_path, test_reader.label_map_path} == {f"{data.as_posix()}/map.pbtxt"}
    settings = "".join(line for line in make.text().splitlines() if not line.startswith("#"))
    assert "\\" not in re.sub(r"\\\d{3}", "", settings), "no backslash in a path"


def test_all_else_is_the_base_configs(make):
    made, base = make(), pipeline_config.read(SAMPLE)
    for config in (made, base):
        config.model.ssd.ClearField("num_classes")
        config.eval_config.ClearField("num_examples")
        for reader in pipeline_config.input_readers(config):
            reader.ClearField("tf_record_input_reader")
            reader.ClearField("label_map_path")
    assert made == base


def test_what_training_and_evaluation_check_is_in_order(make, tmp_path):
    config = make("--num_steps=50", "--batch_size=4", "--input_size=96")
    path = tmp_path / "made.config"
    assert not [*checks.check_training(config, path), *checks.check_evaluation(config, path)]


def test_flags_change_what_they_say_and_the_schedule_ends_with_the_training(make, capsys):
    config = make("--num_steps=200", "--batch_size=4", "--input_size=128x96")
    training = config.train_config
    assert (training.num_steps, training.batch_size) == (200, 4)
    assert training.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate.total_steps == 200
    resizer = config.model.ssd.image_resizer.fixed_shape_resizer
    assert (resizer.width, resizer.height) == (128, 96)
    output = capsys.readouterr().out
    assert "200 steps with batch size 4: each image 100.0 times." in output
    assert "train_config.batch_size: 16 -> 4" in output


@pytest.mark.parametrize(("images", "num_steps"), [(80, 1500), (400, 1500), (800, 3000), (999, 3747), (None, 1500)])
def test_more_images_get_more_steps_of_the_default_base(images, num_steps):
    config = pipeline_config.read(files.REPOSITORY_ROOT / "configs" / "ssdlite_mobilenet_v2_small_data.config")
    see_images_often(config, DataRecord("train.record", None, images), make_config.MIN_PASSES)
    assert config.train_config.num_steps == num_steps
    schedule = config.train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    assert schedule.total_steps == num_steps


def test_a_base_that_is_chosen_by_itself_gets_the_passes(data, tmp_path, monkeypatch):
    monkeypatch.setattr(make_config, "MIN_PASSES", 10_000)
    monkeypatch.setattr(checkpoint_files, "exists", lambda prefix: False)
    records = [f"--{side}_record={data / side}.record" for side in ("train", "test")]
    output = tmp_path / "made.config"
    make_config.main([*records, "--fine_tune_checkpoint=none", f"--output_config={output}"])
    assert pipeline_config.read(output).train_config.num_steps == 10_000
    make_config.main([*records, "--fine_tune_checkpoint=none", "--num_steps=70", f"--output_config={output}"])
    assert pipeline_config.read(output).train_config.num_steps == 70


def test_the_header_says_what_it_is_made_of(make, data):
    make("--batch_size=4")
    header = [line for line in make.text().splitlines() if line.startswith("#")]
    assert header[0] == "# Made by scripts/make_config.py from configs/ssd_mobilenet_v1_sample.config,"
    assert f"{data.as_posix()}/train.record-?????-of-00002 (8 images, 8 boxes)" in header[1]
    assert any(re.search(r"python scripts/make_config\.py .*--batch_size=4", line) for line in header)
    assert "# - model.ssd.num_classes: 6 -> 3" in header
    assert "# - train_config.batch_size: 16 -> 4" in header
    assert not [line for line in header if "num_steps:" in line], "what is as in the base is not listed"


def test_the_same_command_gives_the_same_config_and_a_made_one_may_be_the_base(make, tmp_path):
    first = make()
    text = make.text()
    make()
    assert make.text() == text
    (tmp_path / "again.config").write_text(text, encoding="utf-8")
    assert make(base=tmp_path / "again.config") == first


def test_paths_within_the_repository_are_relative_to_its_root(make, monkeypatch, data):
    monkeypatch.setattr(files, "REPOSITORY_ROOT", data)
    make()
    assert 'input_path: "train.record-?????-of-00002"' in make.text()
    assert 'label_map_path: "map.pbtxt"' in make.text()


@pytest.mark.parametrize(
    ("images", "examples", "checkpoint", "name"),
    [
        (None, 9_999, None, "ssd_mobilenet_v1_small_data"),
        (None, 9_999, "ssdlite_mobilenet_v2_coco", "ssdlite_mobilenet_v2_small_data"),
        (None, 10_000, None, "ssd_mobilenet_v1_multi"),
        (9_999, 10_000, None, "ssd_mobilenet_v1_small_data"),  # some images are repeated
        (None, None, None, "ssd_mobilenet_v1_multi"),
    ],
)
def test_few_images_have_a_base_of_their_own(images, examples, checkpoint, name, monkeypatch):
    monkeypatch.setattr(checkpoint_files, "exists", lambda prefix: False)
    record = DataRecord("train.record", {"images": images} if images else None, examples)
    base = make_config.default_base(record, checkpoint)
    assert base.name == f"{name}.config" and base.is_file()


def test_faster_rcnn_with_its_aspect_ratio_and_its_stepwise_schedule(make):
    config = make("--num_steps=100", "--input_size=300", "--fine_tune_checkpoint=none", base=FASTER_RCNN)
    limits = config.model.faster_rcnn.image_resizer.keep_aspect_ratio_resizer
    assert (limits.min_dimension, limits.max_dimension) == (300, 512)
    schedule = config.train_config.optimizer.momentum_optimizer.learning_rate.manual_step_learning_rate.schedule
    assert [item.step for item in schedule] == [60, 90]
    assert config.model.faster_rcnn.num_classes == 3
    assert len(config.eval_input_reader) == 1 and not config.eval_input_reader[0].shuffle
    assert not config.train_config.fine_tune_checkpoint


def test_the_longest_side_can_be_given(make):
    config = make("--input_size=300x400", "--fine_tune_checkpoint=none", base=FASTER_RCNN)
    limits = config.model.faster_rcnn.image_resizer.keep_aspect_ratio_resizer
    assert (limits.min_dimension, limits.max_dimension) == (300, 400)
    with pytest.raises(UsageError, match="400x300 has a longer side below the shorter one"):
        make("--input_size=400x300", "--fine_tune_checkpoint=none", base=FASTER_RCNN)


def test_what_training_would_refuse_is_refused_and_nothing_is_written(make, data, tmp_path):
    (tmp_path / "other.pbtxt").write_text("item { id: 1 name: 'bowl' } item { id: 2 name: 'cup' }", encoding="utf-8")
    with pytest.raises(DataError, match="was made with another label map: cup is 1 in the record, 2 now") as caught:
        make(f"--label_map={tmp_path / 'other.pbtxt'}")
    assert caught.value.consequence.endswith("made.config was not written")
    with pytest.raises(DataError, match="there is no checkpoint 'somewhere/model.ckpt'"):
        make(base=FASTER_RCNN)
    assert not (tmp_path / "made.config").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--train_record=missing.record"], "missing.record: there is no such record"),
        (["--train_record=gs://bucket/train.record"], "names no label map that is there; give --label_map"),
        (["--label_map=missing.pbtxt"], "there is no label map"),
        (["--fine_tune_checkpoint=missing"], "there is no checkpoint missing"),
        (["--fine_tune_checkpoint=gs://bucket/model.ckpt"], "give --fine_tune_checkpoint_type"),
        (["--fine_tune_checkpoint_type=detection"], "goes with a --fine_tune_checkpoint"),
    ],
)
def test_usage_errors(make, arguments, expected):
    with pytest.raises(UsageError, match=re.escape(expected)):
        make(*arguments)


def test_a_base_config_that_is_missing_is_named_with_its_flag(make, capsys):
    with pytest.raises(SystemExit):
        make("--base_config=missing.config")
    assert "--base_config: no file missing.config" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["0", "8", "300x", "axb", "99999", "-3"])
def test_a_size_that_is_none_is_refused(make, capsys, size):
    with pytest.raises(SystemExit):
        make(f"--input_size={size}")
    assert "is not a size such as 320 or 512x384" in capsys.readouterr().err


def test_a_config_that_somebody_wrote_is_not_overwritten(make, tmp_path):
    (tmp_path / "made.config").write_text("model { }", encoding="utf-8")
    with pytest.raises(UsageError, match="exists but is not a config of this script"):
        make()


def test_a_base_that_says_nothing_is_refused(make):
    with pytest.raises(DataError) as caught:
        make(base="# nothing\n")
    assert "model: is missing" in str(caught.value) and "train_config.optimizer: is missing" in str(caught.value)


def test_records_elsewhere_are_named_and_not_looked_into(make, data):
    config = make(
        "--train_record=gs://bucket/train.record",
        "--test_record=gs://bucket/test.record",
        f"--label_map={data / 'map.pbtxt'}",
    )
    assert list(config.train_input_reader.tf_record_input_reader.input_path) == ["gs://bucket/train.record"]
    assert not config.eval_config.HasField("num_examples")


def test_a_class_without_an_object_is_named(make, capsys):
    make()
    assert (
        "train.record-?????-of-00002: holds no object of the class plate, which will not be learnt"
        in capsys.readouterr().err
    )


def test_sizes_and_schedules_that_are_of_another_kind(make):
    with pytest.raises(UsageError, match="the config resizes images by its IdentityResizer"):
        make(
            "--input_size=300",
            base=FASTER_RCNN.replace(
                "keep_aspect_ratio_resizer { min_dimension: 600 max_dimension: 1024 }", "identity_resizer {}"
            ),
        )
    beyond = FASTER_RCNN.replace("step: 900", "step: 90000")
    config = make("--num_steps=10", "--fine_tune_checkpoint=none", base=beyond)
    schedule = config.train_config.optimizer.momentum_optimizer.learning_rate.manual_step_learning_rate.schedule
    assert [item.step for item in schedule] == [600, 90000], "it did not end with the training"
    config = make("--num_steps=1", "--fine_tune_checkpoint=none", base=FASTER_RCNN)
    schedule = config.train_config.optimizer.momentum_optimizer.learning_rate.manual_step_learning_rate.schedule
    assert [item.step for item in schedule] == [1, 2], "strictly rising, as the API demands"
