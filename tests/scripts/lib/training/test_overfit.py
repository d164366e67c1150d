"""What the overfit check trains on, and with which config."""

from __future__ import annotations

import pytest

from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.records import tf_example, tf_record
from scripts.lib.training import overfit
from scripts.lib.training.loop import TrainingStep
from tests import tiny_training


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return pipeline_config.read(tiny_training.write(tmp_path_factory.mktemp("tiny"), num_steps=50))


def test_the_record_holds_the_first_images_with_an_object_each_once(config, tmp_path):
    source = config.train_input_reader.tf_record_input_reader.input_path[0]
    records = list(tf_record.read_records(source))
    empty = tf_example.Example.FromString(records[0])
    empty.features.feature["image/object/class/label"].int64_list.value[:] = []
    with files.atomic_write(tmp_path / "source") as file:
        for data in (empty.SerializeToString(), records[1], records[1], records[2], records[3]):
            tf_record.write_record(file, data)
    overfit.write_record([str(tmp_path / "source")], 2, tmp_path / "few")
    assert list(tf_record.read_records(tmp_path / "few")) == [records[1], records[2]]


def test_too_few_images_are_said(config, tmp_path):
    source = config.train_input_reader.tf_record_input_reader.input_path[0]
    with pytest.raises(DataError, match="--overfit 13: .*train.record holds 12 images with an object"):
        overfit.write_record([source], 13, tmp_path / "few")
    assert not (tmp_path / "few").exists()


def test_the_config_is_the_users_but_for_what_hinders_learning_by_heart(config, tmp_path):
    small = overfit.small_config(config, tmp_path / "few.record", 6, 400)
    assert not small.train_config.data_augmentation_options
    assert small.train_config.batch_size == 6
    assert small.model.ssd.feature_extractor.conv_hyperparams.batch_norm.decay == pytest.approx(0.9)
    assert small.model.ssd.box_predictor.convolutional_box_predictor.use_dropout is False
    assert small.eval_config.num_examples == 6
    for reader in pipeline_config.input_readers(small):
        assert list(reader.tf_record_input_reader.input_path) == [(tmp_path / "few.record").as_posix()]
    assert small.model.ssd.anchor_generator == config.model.ssd.anchor_generator
    assert config.train_config.data_augmentation_options  # the user's own is untouched


@pytest.mark.parametrize("ap", [0.9, 1.0])
def test_the_verdict_where_it_learned(config, tmp_path, ap):
    small = overfit.small_config(config, tmp_path / "few.record", 6, 400)
    verdict = overfit.verdict(TrainingStep(200, 0.5, {}, None), ap, small)
    assert verdict.startswith(f"The set-up can learn: mAP@0.5 {ap:.3f} on the 6 images")


@pytest.mark.parametrize("best", [0.0, 0.89])
def test_the_verdict_where_it_did_not_names_likely_causes(config, tmp_path, best):
    small = overfit.small_config(config, tmp_path / "few.record", 6, 400)
    with pytest.raises(DataError, match="expected 0.9.*Likely causes.*height: 64 width: 64.*anchors") as caught:
        overfit.verdict(TrainingStep(400, 5.5, {}, None), best, small)
    assert caught.value.consequence == "the set-up did not learn"
