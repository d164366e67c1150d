"""Reading pipeline configs and resolving their paths."""

from __future__ import annotations

import re

import pytest

from scripts.lib.checkpoints import pretrained
from scripts.lib.config import checks, override, pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError
from tests.small_project import all_findings, read, write_record

CONFIGS = sorted((files.REPOSITORY_ROOT / "configs").glob("*.config"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_projects_configs_parse_and_are_complete(path):
    config = pipeline_config.read(path)
    assert pipeline_config.detector(config).num_classes in (1, 6)
    assert config.train_config.num_steps > 0
    assert config.train_config.HasField("optimizer")
    assert len(config.eval_input_reader) == 1
    assert re.match(r"#", path.read_text(encoding="utf-8")), "a config begins with what it is for"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_their_checkpoints_are_ones_that_can_be_downloaded(path):
    train_config = pipeline_config.read(path).train_config
    if train_config.fine_tune_checkpoint and not files.is_url(train_config.fine_tune_checkpoint):
        model = pretrained.of_checkpoint(train_config.fine_tune_checkpoint)
        assert model, train_config.fine_tune_checkpoint
        kind = "detection" if train_config.from_detection_checkpoint else train_config.fine_tune_checkpoint_type
        assert kind == model.fine_tune_checkpoint_type


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_their_batch_norm_decay_reaches_the_backbone(path):
    """Without the override an SSD's backbone keeps its own decay whatever conv_hyperparams says."""
    model = pipeline_config.read(path).model
    if model.HasField("ssd") and model.ssd.feature_extractor.conv_hyperparams.batch_norm.decay < 0.999:
        assert model.ssd.feature_extractor.override_base_feature_extractor_hyperparams


def test_a_config_that_fits_has_no_findings(project):
    assert all_findings(*read(project)) == ""


@pytest.mark.parametrize("spelling", ["data\\train.record", "data\\\\train.record", "data/train.record"])
def test_both_slashes(project, spelling):
    config, path = read(project, ("data/train.record", spelling))
    assert list(config.train_input_reader.tf_record_input_reader.input_path) == [
        (project / "data" / "train.record").as_posix()
    ]
    assert all_findings(config, path) == ""


def test_paths_from_the_repository_root_where_the_current_folder_has_none(project):
    config, _ = read(
        project,
        (
            '"data/map.pbtxt" tf_record_input_reader { input_path: "data/train',
            '"data/apparel_label_map.pbtxt" tf_record_input_reader { input_path: "data/train',
        ),
    )
    assert (
        config.train_input_reader.label_map_path == (files.REPOSITORY_ROOT / "data/apparel_label_map.pbtxt").as_posix()
    )


def test_remote_paths_stay(project):
    config, path = read(
        project, ("data/train.record", "gs://bucket/train.record"), ("model.ckpt", "gs://bucket/model.ckpt")
    )
    assert list(config.train_input_reader.tf_record_input_reader.input_path) == ["gs://bucket/train.record"]
    assert checks.check_training(config, path, on_buckets=False) == []


@pytest.mark.parametrize("named", ["model.ckpt.index", "model.ckpt.data-00000-of-00001", "model.ckpt.meta", "."])
def test_a_file_or_folder_is_taken_for_its_checkpoint(project, capsys, named):
    """Case 6."""
    config, path = read(project, ('"model.ckpt"', f'"{named}"'))
    assert config.train_config.fine_tune_checkpoint == (project / "model.ckpt").as_posix()
    assert f"fine_tune_checkpoint: {named} is taken for the checkpoint model.ckpt" in capsys.readouterr().out
    assert all_findings(config, path) == ""


def test_a_checkpoint_of_tensorflow_2_is_said_to_be_one(project):
    """Case 15."""
    (project / "model.ckpt.index").write_bytes(b"\0\1_CHECKPOINTABLE_OBJECT_GRAPH")
    assert "model.ckpt is a checkpoint of TensorFlow 2, not of graph mode; see download" in all_findings(*read(project))


def test_addresses_that_tensorflow_does_not_know(project):
    """Case 32."""
    found = all_findings(*read(project, ("data/train.record", "s3://bucket/train.record")))
    assert found == "error: s3://bucket: TensorFlow reads gs://, not s3://; copy it to this machine's disk."


def test_shards_count_as_one_record(project):
    for index in range(2):
        write_record(project / "data" / f"test.record-{index:05d}-of-00002", index)
    config, path = read(project, ("data/test.record", "data/test.record-?????-of-00002"), ("num_examples: 2", ""))
    assert all_findings(config, path) == ""
    override.fill_in_num_examples(config, config.eval_input_reader[0])
    assert config.eval_config.num_examples == 1


def test_separate_config_files(project):
    for name, text in (
        ("model", "ssd { num_classes: 2 }"),
        ("train", "num_steps: 7"),
        ("input", 'label_map_path: "data/map.pbtxt"'),
    ):
        (project / f"{name}.pbtxt").write_text(text, encoding="utf-8")
    config = pipeline_config.read_parts(model="model.pbtxt", train_config="train.pbtxt", train_input="input.pbtxt")
    assert (pipeline_config.detector(config).num_classes, config.train_config.num_steps) == (2, 7)
    assert config.train_input_reader.label_map_path == (project / "data" / "map.pbtxt").as_posix()


def test_a_written_config_reads_the_same(project):
    config, _ = read(project)
    with pipeline_config.written(config) as path:
        assert pipeline_config.read(path) == config
    assert not path.exists()


def test_a_config_that_does_not_parse_names_file_and_line(project):
    with pytest.raises(DataError, match=r"pipeline\.config:3: .*num_clases"):
        read(project, ("num_classes", "num_clases"))


def test_a_config_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="there is no pipeline config"):
        pipeline_config.read(tmp_path / "none.config")
