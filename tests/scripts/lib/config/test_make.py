"""Making a config: the checkpoint to start from, and the description of what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lib.checkpoints import pretrained
from scripts.lib.config import make, pipeline_config
from scripts.lib.config.make import DataRecord
from scripts.lib.core import files
from scripts.lib.core.errors import UsageError
from tests.small_project import read


def write_checkpoint(folder: Path, prefix: str, names: bytes) -> Path:
    """Write what can be seen of a checkpoint without TensorFlow."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{prefix}.index").write_bytes(b"\0\x00\x0c" + names)
    (folder / f"{prefix}.data-00000-of-00001").write_bytes(b"")
    return folder / prefix


@pytest.mark.parametrize(
    ("names", "kind"),
    [(b"FeatureExtractor/MobilenetV1/", "detection"), (b"MobilenetV1/Conv2d_0/", "classification")],
)
def test_the_type_is_seen_in_the_checkpoint(project, names, kind):
    prefix = write_checkpoint(project / "train", "model.ckpt-7", names)
    training = read(project, ("num_steps", "from_detection_checkpoint: true num_steps"))[0].train_config
    make.start_from(training, "train", None)
    assert training.fine_tune_checkpoint == prefix.as_posix()
    assert training.fine_tune_checkpoint_type == kind
    assert training.load_all_detection_checkpoint_vars == (kind == "detection")
    assert not training.HasField("from_detection_checkpoint")
    make.start_from(training, str(prefix), "classification")
    assert training.fine_tune_checkpoint_type == "classification"
    assert not training.load_all_detection_checkpoint_vars


def test_from_scratch_nothing_of_a_checkpoint_is_left(project):
    training = read(project)[0].train_config
    make.start_from(training, make.FROM_SCRATCH, None)
    assert not training.fine_tune_checkpoint and not training.fine_tune_checkpoint_type


@pytest.mark.parametrize("name", ["mobilenet_v1_1.0_224", "mobilenet_v1_1.0_224.tgz"])
def test_a_pretrained_model_is_named_by_its_name(project, monkeypatch, name):
    monkeypatch.setattr(pretrained, "FOLDER", project / "pretrained")
    training = read(project)[0].train_config
    make.start_from(training, name, None)
    assert training.fine_tune_checkpoint.endswith("pretrained/mobilenet_v1_1.0_224/mobilenet_v1_1.0_224.ckpt")
    assert training.fine_tune_checkpoint_type == "classification"


def test_a_checkpoint_that_is_missing_or_on_a_bucket(project):
    training = read(project)[0].train_config
    with pytest.raises(UsageError, match="there is no checkpoint missing"):
        make.start_from(training, "missing", None)
    with pytest.raises(UsageError, match="give --fine_tune_checkpoint_type"):
        make.start_from(training, "gs://shop/model.ckpt", None)
    make.start_from(training, "gs://shop/model.ckpt", "detection")
    assert training.fine_tune_checkpoint == "gs://shop/model.ckpt"


def test_the_first_base_whose_checkpoint_is_there_is_taken_and_better_ones_say_what_they_need(project):
    prefixes = {
        name: f"pretrained/{name}/model.ckpt" for name in ("ssdlite_mobilenet_v2_coco", "ssd_mobilenet_v2_coco")
    }
    paths = []
    for name, prefix in prefixes.items():
        _, path = read(project, ('fine_tune_checkpoint: "model.ckpt"', f'fine_tune_checkpoint: "{prefix}"'))
        paths.append(path.rename(project / f"{name}.config"))
    better, last = paths
    chosen, sentences = make.best_base(paths)
    assert chosen == last, "none is there: the last, which names its own command when it is checked"
    assert sentences == [
        "ssdlite_mobilenet_v2_coco.config would be the better start, but pretrained/ssdlite_mobilenet_v2_coco/model.ckpt "
        "is not here: python scripts/download_model.py ssdlite_mobilenet_v2_coco fetches it, then run this command again"
    ]
    assert make.best_base(paths, "ssdlite_mobilenet_v2_coco") == (better, [])
    assert make.best_base(paths, make.FROM_SCRATCH) == (last, [])
    write_checkpoint(project / "pretrained/ssd_mobilenet_v2_coco", "model.ckpt", b"")
    assert make.best_base(paths)[0] == last
    write_checkpoint(project / "pretrained/ssdlite_mobilenet_v2_coco", "model.ckpt", b"")
    assert make.best_base(paths) == (better, [])


def test_differences_name_each_field_with_both_values(project):
    base, _ = read(project)
    config = type(base).FromString(base.SerializeToString())
    config.train_config.num_steps = 7
    config.eval_config.ClearField("num_examples")
    config.eval_input_reader[0].shuffle = False
    assert make.differences(base, config) == [
        "train_config.num_steps: 100 -> 7",
        "eval_input_reader[0].shuffle: not set -> false",
        "eval_config.num_examples: 2 -> not set",
    ]
    assert make.differences(base, base) == []


def test_the_text_is_a_config_again_and_a_line_break_does_not_end_its_comment(project, monkeypatch):
    config, path = read(project)
    text = make.text(config, path, "a\nmodel {", "python scripts/make_config.py", ["x: 1 -> 2"])
    assert "# for a model {:\n" in text
    assert "# - x: 1 -> 2\n" in text
    (project / "made.config").write_text(text, encoding="utf-8")
    assert pipeline_config.read(project / "made.config") == config
    monkeypatch.setattr(files, "REPOSITORY_ROOT", project)
    assert make.portable_copy(config).train_input_reader.label_map_path == "data/map.pbtxt"


@pytest.mark.parametrize(
    ("examples", "expected"),
    [(80, "100 steps with batch size 2: each image 2.5 times."), (None, "100 steps with batch size 2.")],
)
def test_passes_say_how_often_an_image_is_seen(project, examples, expected):
    config, _ = read(project, ("num_steps: 100", "num_steps: 100 batch_size: 2"))
    assert make.passes(config, DataRecord("train.record", None, examples)) == expected
