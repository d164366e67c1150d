"""The checks of a config and its files, which spare hours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf import text_format

from scripts.lib.config import checks
from scripts.lib.core.errors import WARNING, DataError, Finding
from scripts.lib.object_detection_api import protos
from scripts.lib.records import manifest
from tests.small_project import MODEL, RESIZER, all_findings, read, write_record


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            [("num_classes: 2", "num_classes: 1")],
            "num_classes is 1, but .*map.pbtxt holds 2 classes; write num_classes: 2",
        ),
        ([(MODEL, "")], "model: is missing or empty"),
        ([("model.ckpt", "other.ckpt")], "there is no checkpoint 'other.ckpt'"),
        (
            [("model.ckpt", "runs [1]/model.ckpt")],
            r"'runs \[1\]/model.ckpt' has a \[, which TensorFlow takes for a pattern",
        ),
        (
            [("data/train.record", "data [1]/train.record")],
            r"the folder of 'data \[1\]/train.record' has a \[, which Ten",
        ),
        ([("data/train.record", "data/none.record")], "train_input_reader: there is no record 'data/none.record'"),
        ([("data/map.pbtxt", "data/none.pbtxt")], "label_map_path: there is no file 'data/none.pbtxt'"),
        (
            [("num_examples: 2", "num_examples: 3")],
            "is 3, but the record holds 2 images: some images would count twice",
        ),
        (
            [("num_examples: 2", "num_examples: 1")],
            "is 1, but the record holds 2 images: some images would never be seen",
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
    assert "'a' has the id 0" in findings


def test_all_mistakes_are_reported_once_and_together(project):
    config, path = read(project, ("num_classes: 2", "num_classes: 3"), ("model.ckpt", "other.ckpt"))
    findings = checks.check_training(config, path) + checks.check_evaluation(config, path)
    with pytest.raises(DataError) as error:
        checks.raise_errors(findings, "nothing was done")
    assert len(error.value.findings) == len(set(error.value.findings)) == 2
    assert error.value.consequence == "nothing was done"


def test_case_4_ids_with_gaps_are_right_where_num_classes_covers_them(project):
    (project / "data" / "map.pbtxt").write_text("item { id: 1 name: 'Red' } item { id: 4 name: 'Green' }")
    label_map = str(project / "data" / "map.pbtxt")
    found = {}
    for number in (3, 4, 90):
        config, path = read(project, ("num_classes: 2", f"num_classes: {number}"))
        findings, class_ids = checks.check_label_map(config, label_map, path)
        assert class_ids == {"Red": 1, "Green": 4}
        found[number] = [(one.severity, one.message.partition(", ")[0]) for one in findings]
    assert found == {3: [("error", "num_classes is 3")], 4: [], 90: [("warning", "num_classes is 90")]}


EXTRACTOR = "feature_extractor.conv_hyperparams"
PREDICTOR = "box_predictor.convolutional_box_predictor.conv_hyperparams"
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
        (RESIZER, resizer),
        ("num_steps: 100", f"num_steps: 100 batch_size: {batch_size}"),
    )
    findings = all_findings(config, path)
    assert ("warning" in findings) == warns
    assert ("write batch_size: 1, or pad_to_max_dimension: true" in findings) == warns


@pytest.mark.parametrize(
    ("frozen", "extractor", "predictor", "warns_of"),
    [
        ("", True, True, []),
        ("freeze_batchnorm: true", True, True, [EXTRACTOR, PREDICTOR]),
        ("freeze_batchnorm: true", False, True, [PREDICTOR]),
        ("freeze_batchnorm: true", False, False, []),
    ],
)
def test_batch_norm_that_freeze_batchnorm_does_not_freeze_is_warned_of(frozen, extractor, predictor, warns_of):
    hyperparams = "conv_hyperparams { batch_norm { train: %s } }"
    parts = [hyperparams % str(train).lower() for train in (extractor, predictor)]
    text = "model { ssd { %s feature_extractor { %s } box_predictor { convolutional_box_predictor { %s } } } }"
    text += " train_config { fine_tune_checkpoint: 'model.ckpt' }"
    config = text_format.Parse(text % (frozen, *parts), protos.load("pipeline").TrainEvalPipelineConfig())
    found = [one.message.rpartition(" of ")[2] for one in checks.check_frozen(config, "a.config")]
    assert found == [" and ".join(warns_of)] * bool(warns_of)


def test_what_is_frozen_at_random_is_warned_of():
    text = "model { ssd { feature_extractor { conv_hyperparams { batch_norm { train: false } } } } }"
    text += " train_config { freeze_variables: 'FeatureExtractor/' }"
    config = text_format.Parse(text, protos.load("pipeline").TrainEvalPipelineConfig())
    (found,) = checks.check_frozen(config, "a.config")
    by = f"{EXTRACTOR}.batch_norm and train_config.freeze_variables"
    assert found.message == f"without a fine_tune_checkpoint, what starts at random is frozen by {by}"
    config.train_config.fine_tune_checkpoint = "model.ckpt"
    assert checks.check_frozen(config, "a.config") == []


@pytest.mark.parametrize("trains", [True, False])
def test_hyperparameters_overrule_freeze_batchnorm_in_the_api(tf, trains):
    """As ssd_meta_arch.py nests the two; batch norm that is trained updates its averages."""
    import tf_slim
    from object_detection.builders import hyperparams_builder

    text = f"regularizer {{ l2_regularizer {{}} }} batch_norm {{ train: {str(trains).lower()} }}"
    text += " initializer { truncated_normal_initializer {} }"
    scope = hyperparams_builder.build(text_format.Parse(text, protos.load("hyperparams").Hyperparams()), True)
    with tf.Graph().as_default():
        with tf_slim.arg_scope([tf_slim.batch_norm], is_training=False), tf_slim.arg_scope(scope()):
            tf_slim.conv2d(tf.zeros([1, 8, 8, 3]), 4, 3)
        assert bool(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == trains


def test_training_is_held_against_the_memory_there_is(project, monkeypatch):
    monkeypatch.setattr(checks.memory, "check", lambda config, path: [f"memory of {path.name}"])
    config, path = read(project)
    assert checks.check_training(config, path) == ["memory of pipeline.config"]
    monkeypatch.setattr(checks, "check_input", lambda *_: [])
    remote, path = read(project, ("data/train.record", "gs://bucket/train.record"))
    assert checks.check_training(remote, path, on_buckets=False) == [], "it is not read for an estimate"


def write_manifest(record: Path, count: int, class_ids: dict[str, int], boxes: int = 9) -> None:
    content = {
        "examples": count,
        "boxes": boxes,
        "classes": {name: {"id": class_id, "boxes": boxes} for name, class_id in class_ids.items()},
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
        checks.raise_errors(checks.check_training(config, path), "the training was not started")
    with pytest.raises(
        DataError, match="test.record: was made with another label map: c is 2 in the record, missing now"
    ):
        checks.raise_errors(checks.check_evaluation(config, path), "nothing was evaluated")


def test_case_21_records_that_share_images_are_refused_for_training_and_evaluation(project):
    for name in ("train", "test"):
        size = (project / "data" / f"{name}.record").stat().st_size
        content = {
            "examples": 2,
            "boxes": 2,
            "classes": {"a": {"id": 1, "boxes": 2, "examples": 2}},
            "shards": [{"file": f"{name}.record", "examples": 2, "bytes": size}],
            "inputs": {"images": {"files": {"same.jpg": "12", f"{name}.jpg": "34"}}},
        }
        (project / "data" / f"{name}.record.json").write_text(manifest.text(content), encoding="utf-8")
    config, path = read(project)
    for findings in (checks.check_training(config, path), checks.check_evaluation(config, path)):
        assert [one.message for one in findings if one.code == "record-not-apart"] == [
            "1 of its 2 images are in data/train.record, too: it would test what was learnt by heart"
        ]
    config.eval_input_reader[0].CopyFrom(config.train_input_reader)  # as somebody who means it
    assert "record-not-apart" not in [one.code for one in checks.check_training(config, path)]


def test_a_record_that_changed_since_is_refused(project):
    write_manifest(project / "data" / "train.record", 8, {"a": 1, "b": 2})
    write_record(project / "data" / "train.record", 7)
    assert re.search(
        "train.record: the file has .* bytes; its manifest says .* make the record again", all_findings(*read(project))
    )


def test_a_record_without_objects_is_a_warning_and_does_not_hide_other_checks(project, capsys):
    write_manifest(project / "data" / "test.record", 2, {"a": 1, "b": 2}, boxes=0)
    config, path = read(project)
    findings = checks.check_evaluation(config, path)
    checks.raise_errors(findings, "nothing was evaluated")
    assert "warning: data/test.record: holds no object" in capsys.readouterr().err
    assert "is 3, but the record holds 2 images" in all_findings(*read(project, ("num_examples: 2", "num_examples: 3")))


def test_a_record_is_not_held_against_a_label_map_that_cannot_be_read(project):
    write_manifest(project / "data" / "train.record", 8, {"b": 1, "a": 2})
    (project / "data" / "map.pbtxt").write_text("item {", encoding="utf-8")
    assert "another label map" not in all_findings(*read(project))


def test_warnings_are_printed_and_errors_raised(capsys):
    warning = Finding(WARNING, "x", "a.config", "is odd")
    checks.raise_errors([warning, warning], "nothing was submitted")
    assert capsys.readouterr().err == "warning: a.config: is odd.\n"
    with pytest.raises(DataError) as failure:
        checks.raise_errors([warning, "there is no bucket"], "nothing was submitted")
    assert failure.value.findings == [warning, "there is no bucket"]
