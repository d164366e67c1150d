"""Pipeline configs: reading them, resolving their paths, and every check that spares hours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.lib.checkpoints import pretrained
from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.records import manifest, tf_record

CONFIGS = sorted((files.REPOSITORY_ROOT / "configs").glob("*.config"))


def write_record(path: Path, count: int) -> None:
    with path.open("wb") as file:
        for _ in range(count):
            tf_record.write_record(file, b"example")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with records of 8 and 2 images, a label map of 2 classes, a checkpoint, and a config that fits."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    write_record(tmp_path / "data" / "train.record", 8)
    write_record(tmp_path / "data" / "test.record", 2)
    (tmp_path / "data" / "map.pbtxt").write_text("item { id: 1 name: 'a' } item { id: 2 name: 'b' }", encoding="utf-8")
    (tmp_path / "model.ckpt.index").write_bytes(b"")
    return tmp_path


CONFIG = """
model { ssd { num_classes: 2 } }
train_config {
  optimizer { adam_optimizer { learning_rate { cosine_decay_learning_rate { total_steps: 100 warmup_steps: 60 } } } }
  fine_tune_checkpoint: "model.ckpt"
  num_steps: 100
}
train_input_reader { label_map_path: "data/map.pbtxt" tf_record_input_reader { input_path: "data/train.record" } }
eval_config { num_examples: 2 }
eval_input_reader { label_map_path: "data/map.pbtxt" tf_record_input_reader { input_path: "data/test.record" } }
"""


def read(project: Path, *changes: tuple[str, str]):
    text = CONFIG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = project / "pipeline.config"
    path.write_text(text, encoding="utf-8")
    return pipeline_config.read(path), path


def all_findings(config, path) -> str:
    findings = pipeline_config.check_training(config, path) + pipeline_config.check_evaluation(config, path)
    return "\n".join(map(str, findings))


# ------------------------------------------------------------------------------------------- reading and its paths


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_projects_configs_parse_and_are_complete(path):
    config = pipeline_config.read(path)
    assert pipeline_config.num_classes(config) in (1, 6)
    assert config.train_config.num_steps > 0
    assert config.train_config.HasField("optimizer")
    assert len(config.eval_input_reader) == 1
    assert re.match(r"#", path.read_text(encoding="utf-8")), "a config begins with what it is for"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_their_checkpoints_are_ones_that_can_be_downloaded(path):
    train_config = pipeline_config.read(path).train_config
    if train_config.fine_tune_checkpoint and not pipeline_config.is_remote(train_config.fine_tune_checkpoint):
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
    assert pipeline_config.check_training(config, path, on_buckets=False) == []


def test_shards_count_as_one_record(project):
    for index in range(2):
        write_record(project / "data" / f"test.record-{index:05d}-of-00002", index)
    config, path = read(project, ("data/test.record", "data/test.record-?????-of-00002"), ("num_examples: 2", ""))
    assert all_findings(config, path) == ""
    pipeline_config.count_eval_examples(config, config.eval_input_reader[0])
    assert config.eval_config.num_examples == 1


def test_separate_config_files(project):
    for name, text in (
        ("model", "ssd { num_classes: 2 }"),
        ("train", "num_steps: 7"),
        ("input", 'label_map_path: "data/map.pbtxt"'),
    ):
        (project / f"{name}.pbtxt").write_text(text, encoding="utf-8")
    config = pipeline_config.read_parts(model="model.pbtxt", train_config="train.pbtxt", train_input="input.pbtxt")
    assert (pipeline_config.num_classes(config), config.train_config.num_steps) == (2, 7)
    assert config.train_input_reader.label_map_path == (project / "data" / "map.pbtxt").as_posix()


def test_a_written_config_reads_the_same(project):
    config, _ = read(project)
    with pipeline_config.written(config) as path:
        assert pipeline_config.read(path) == config
    assert not path.exists()


# -------------------------------------------------------------------------------------------------------- mistakes


def test_a_config_that_does_not_parse_names_file_and_line(project):
    with pytest.raises(DataError, match=r"pipeline\.config:2: .*num_clases"):
        read(project, ("num_classes", "num_clases"))


def test_a_config_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="there is no config"):
        pipeline_config.read(tmp_path / "none.config")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            [("num_classes: 2", "num_classes: 3")],
            "num_classes is 3, yet .*map.pbtxt holds 2 classes; write num_classes: 2",
        ),
        ([("model { ssd { num_classes: 2 } }", "")], "has no model"),
        ([("model.ckpt", "other.ckpt")], "there is no checkpoint 'other.ckpt'"),
        ([("data/train.record", "data/none.record")], "train_input_reader: there is no record 'data/none.record'"),
        ([("data/map.pbtxt", "data/none.pbtxt")], "label_map_path: there is no file 'data/none.pbtxt'"),
        (
            [("num_examples: 2", "num_examples: 3")],
            "is 3, yet the record holds 2 images: some images would count twice",
        ),
        (
            [("num_examples: 2", "num_examples: 1")],
            "is 1, yet the record holds 2 images: some images would never be seen",
        ),
        (
            [('label_map_path: "data/map.pbtxt" tf_record_input_reader { input_path: "data/test.record" }', "")],
            "eval_input_reader.label_map_path is missing",
        ),
    ],
)
def test_what_is_refused(project, changes, says):
    assert re.search(says, all_findings(*read(project, *changes)))


def test_empty_and_damaged_records_and_label_maps(project):
    write_record(project / "data" / "train.record", 0)
    content = (project / "data" / "test.record").read_bytes()
    (project / "data" / "test.record").write_bytes(content[:-1])
    (project / "data" / "map.pbtxt").write_text("item { id: 0 name: 'a' }", encoding="utf-8")
    findings = all_findings(*read(project))
    assert "train.record' is empty" in findings
    assert "test.record: it ends at byte" in findings
    assert "the ids must be 1 to 1" in findings


def test_all_mistakes_are_reported_once_and_together(project):
    config, path = read(project, ("num_classes: 2", "num_classes: 3"), ("model.ckpt", "other.ckpt"))
    findings = pipeline_config.check_training(config, path) + pipeline_config.check_evaluation(config, path)
    with pytest.raises(DataError) as error:
        pipeline_config.raise_errors(findings, "nothing was done")
    assert len(error.value.findings) == len(set(error.value.findings)) == 2
    assert error.value.consequence == "nothing was done"


# ------------------------------------------------------------------------------------------- batches and their memory

KEEP = "keep_aspect_ratio_resizer { min_dimension: 600 max_dimension: 1024 %s }"


@pytest.mark.parametrize(
    ("batch_size", "resizer", "warns"),
    [
        (2, KEEP % "", True),
        (1, KEEP % "", False),
        (2, KEEP % "pad_to_max_dimension: true", False),
        (2, "fixed_shape_resizer { height: 300 width: 300 }", False),
    ],
)
def test_images_of_several_shapes_in_one_batch_are_warned_of(project, batch_size, resizer, warns):
    config, path = read(
        project,
        ("ssd { num_classes: 2 }", f"ssd {{ num_classes: 2 image_resizer {{ {resizer} }} }}"),
        ("num_steps: 100", f"num_steps: 100 batch_size: {batch_size}"),
    )
    findings = all_findings(config, path)
    assert ("warning" in findings) == warns
    assert ("write batch_size: 1, or pad_to_max_dimension: true" in findings) == warns


def test_training_is_held_against_the_memory_there_is(project, monkeypatch):
    monkeypatch.setattr(pipeline_config.training_memory, "check", lambda config, path: [f"memory of {path.name}"])
    config, path = read(project)
    assert pipeline_config.check_training(config, path) == ["memory of pipeline.config"]
    monkeypatch.setattr(pipeline_config, "check_input", lambda *_: [])
    remote, path = read(project, ("data/train.record", "gs://bucket/train.record"))
    assert pipeline_config.check_training(remote, path, on_buckets=False) == [], "it is not read for an estimate"


# ------------------------------------------------------------------------------------- the manifest beside a record


def write_manifest(record: Path, count: int, class_ids: dict[str, int], boxes: int = 9) -> None:
    content = {
        "examples": count,
        "boxes": boxes,
        "classes": {name: {"id": class_id} for name, class_id in class_ids.items()},
        "shards": [{"file": record.name, "examples": count, "bytes": record.stat().st_size}],
    }
    manifest.path_of(record).write_text(manifest.text(content), encoding="utf-8")


def test_records_that_fit_their_manifests_pass(project):
    write_manifest(project / "data" / "train.record", 8, {"a": 1, "b": 2})
    write_manifest(project / "data" / "test.record", 2, {"a": 1, "b": 2})
    assert all_findings(*read(project)) == ""


def test_a_record_of_another_label_map_is_refused_for_training_and_evaluation(project):
    write_manifest(project / "data" / "train.record", 8, {"b": 1, "a": 2})
    write_manifest(project / "data" / "test.record", 2, {"a": 1, "c": 2})
    config, path = read(project)
    with pytest.raises(
        DataError, match="train.record: was made with another label map: b is 1 in the record, 2 now, a is"
    ):
        pipeline_config.raise_errors(pipeline_config.check_training(config, path), "the training was not started")
    with pytest.raises(
        DataError, match="test.record: was made with another label map: c is 2 in the record, missing now"
    ):
        pipeline_config.raise_errors(pipeline_config.check_evaluation(config, path), "nothing was evaluated")


def test_a_record_that_changed_since_is_refused(project):
    write_manifest(project / "data" / "train.record", 8, {"a": 1, "b": 2})
    write_record(project / "data" / "train.record", 7)
    assert re.search(
        "train.record: the file has .* bytes; its manifest says .* make the record again", all_findings(*read(project))
    )


def test_a_record_without_objects_is_a_warning_and_does_not_hide_other_checks(project, capsys):
    write_manifest(project / "data" / "test.record", 2, {"a": 1, "b": 2}, boxes=0)
    config, path = read(project)
    findings = pipeline_config.check_evaluation(config, path)
    pipeline_config.raise_errors(findings, "nothing was evaluated")
    assert "warning: data/test.record: holds no object at all" in capsys.readouterr().err
    assert "is 3, yet the record holds 2 images" in all_findings(*read(project, ("num_examples: 2", "num_examples: 3")))


def test_a_record_is_not_held_against_a_label_map_that_cannot_be_read(project):
    write_manifest(project / "data" / "train.record", 8, {"b": 1, "a": 2})
    (project / "data" / "map.pbtxt").write_text("item {", encoding="utf-8")
    assert "another label map" not in all_findings(*read(project))


# -------------------------------------------------------------------------------------------------------- changes


def test_more_steps_stretch_a_schedule_that_ended_with_the_training(project):
    config, _ = read(project)
    pipeline_config.override_num_steps(config, 30)
    schedule = config.train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    assert (config.train_config.num_steps, schedule.total_steps, schedule.warmup_steps) == (30, 30, 15)


def test_a_schedule_of_its_own_length_stays(project):
    config, _ = read(project, ("total_steps: 100", "total_steps: 500"))
    pipeline_config.override_num_steps(config, 30)
    schedule = config.train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    assert (schedule.total_steps, schedule.warmup_steps) == (500, 60)
