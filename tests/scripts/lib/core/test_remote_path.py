"""Files on a bucket: as paths, and where the pipeline meets them. TensorFlow reads them from an emulator on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, override, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.errors import UsageError
from scripts.lib.core.remote_path import RemotePath
from scripts.lib.dataset import label_map
from scripts.lib.evaluation import event_files, metrics_file
from scripts.lib.evaluation.metrics_file import Evaluation
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import read, tf_record
from scripts.lib.training import resume
from tests import gcs_emulator, made_model, tiny_training

# Without a bucket.


def test_an_address_behaves_as_a_path_does():
    path = files.path_of("gs://shop/data/train.record-00000-of-00002")
    assert str(path) == path.as_posix() == "gs://shop/data/train.record-00000-of-00002"
    assert (path.name, str(path.parent), str(path.parent.parent)) == (
        "train.record-00000-of-00002",
        "gs://shop/data",
        "gs://shop",
    )
    assert str(path.parent / "a" / "b") == "gs://shop/data/a/b" and str(path / "gs://other/c") == "gs://other/c"
    assert path.with_name("x").name == "x" and RemotePath("gs://b/m.ckpt-1.index").with_suffix("").name == "m.ckpt-1"
    assert RemotePath("gs://b/a/../c//d/") == RemotePath("gs://b/c/d") and RemotePath("gs://b/a") < RemotePath(
        "gs://b/b"
    )
    assert files.shown_path(path) == str(path) and str(tf_record.base_path(path)) == "gs://shop/data/train.record"
    assert str(record_manifest.path_of("gs://b/train.record-?????-of-00010")) == "gs://b/train.record.json"


def test_a_path_on_the_disk_stays_one():
    assert files.path_of("data/train.record") == Path("data/train.record")


def test_who_may_not_read_is_told_of_the_login_and_not_of_the_disk(tf, monkeypatch):
    def denied(*_):
        raise tf.errors.PermissionDeniedError(None, None, "403 Forbidden\nmore")

    monkeypatch.setattr(tf.io.gfile, "exists", denied)
    with pytest.raises(PermissionError) as caught:
        files.path_of("gs://shop/x").exists()
    assert command_line.explain_os_error(caught.value) == (
        "gs://shop/x: may not be read or written (403 Forbidden); see gcloud auth application-default login."
    )


def test_checks_of_a_config_on_the_disk_do_not_import_tensorflow(tmp_path, repository_root):
    config = tiny_training.write(tmp_path, 2)
    code = (
        "import sys; from scripts.lib.config import checks, override, pipeline_config; from scripts.lib.checkpoints import checkpoint_files; "
        f"config = pipeline_config.read({str(config)!r}); "
        f"print(checks.check_training(config, 'c') + checks.check_evaluation(config, 'c')); "
        "override.fill_in_num_examples(config, config.eval_input_reader[0]); "
        f"print(checkpoint_files.latest({str(tmp_path)!r}), 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repository_root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "None False"


# With one.


@pytest.fixture(scope="module")
def bucket(tmp_path_factory, tf):
    with gcs_emulator.running(tmp_path_factory.mktemp("emulator")) as emulator, pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.environment.items():
            patch.setenv(name, value)
        yield emulator


def test_files_are_written_read_listed_and_removed(bucket):
    folder = files.path_of("gs://shop/plain")
    (folder / "größe.txt").write_bytes(b"a\r\nb")
    (folder / "deep/empty").write_bytes(b"")
    assert (folder / "größe.txt").read_text() == "a\nb" and (folder / "größe.txt").stat().st_size == 4
    assert (folder / "deep/empty").read_bytes() == b"" and bucket.read("plain/größe.txt") == b"a\r\nb"
    assert folder.is_dir() and not folder.is_file() and (folder / "deep/empty").is_file()
    assert [path.name for path in folder.iterdir()] == ["deep", "größe.txt"]
    assert [path.name for path in folder.glob("*.txt")] == ["größe.txt"] and not list((folder / "none").glob("*"))
    (folder / "größe.txt").unlink()
    assert bucket.names("plain/") == ["plain/deep/empty"] and not (folder / "größe.txt").exists()


def test_what_is_not_there_is_said_as_of_a_file(bucket):
    for address in ("gs://shop/none", "gs://another/none"):
        with pytest.raises(FileNotFoundError, match="no such file on the bucket"):
            files.path_of(address).read_bytes()
    with pytest.raises(UsageError, match="no pipeline config gs://shop/none.config"):
        pipeline_config.read("gs://shop/none.config")


def test_a_file_that_could_not_be_finished_leaves_the_former_one(bucket):
    address = bucket.write("whole/metrics.json", b"former")
    with pytest.raises(ZeroDivisionError), files.atomic_write(address, "w") as file:
        file.write("half")
        file.write(str(1 / 0))
    assert bucket.read("whole/metrics.json") == b"former"
    metrics_file.write(files.path_of(address), Evaluation(5, 3, {"mAP": 0.5}))
    assert metrics_file.read(address) == Evaluation(5, 3, {"mAP": 0.5})


def test_a_folder_takes_the_place_of_a_former_one(bucket, tmp_path):
    bucket.write("exported/saved_model/old.pb", b"old")
    (tmp_path / "made/saved_model").mkdir(parents=True)
    (tmp_path / "made/saved_model/saved_model.pb").write_bytes(b"new")
    files.replace_folder(tmp_path / "made", files.path_of("gs://shop/exported"))
    assert bucket.names("exported/") == ["exported/saved_model/saved_model.pb"]


def test_the_latest_checkpoint_is_found(bucket):
    for step in (2, 10):
        bucket.write(f"train/model.ckpt-{step}.index", b"x")
    assert checkpoint_files.find("gs://shop/train") == "gs://shop/train/model.ckpt-10"
    bucket.write("train/checkpoint", b'model_checkpoint_path: "gs://elsewhere/model.ckpt-2"\n')
    assert checkpoint_files.find("gs://shop/train/") == "gs://shop/train/model.ckpt-2"
    assert checkpoint_files.find("gs://shop/train/model.ckpt-10.index") == "gs://shop/train/model.ckpt-10"
    assert checkpoint_files.latest_step("gs://shop/train") == 2
    assert str(resume.find_readable("gs://shop/train")[0]) == "gs://shop/train/model.ckpt-2"
    assert resume.find_readable("gs://shop/new") == (None, "")
    with pytest.raises(
        UsageError, match=r"no checkpoint gs://shop/train/model.ckpt-5; .* holds model.ckpt-2, model.ckpt-10"
    ):
        checkpoint_files.find("gs://shop/train/model.ckpt-5")


@pytest.fixture(scope="module")
def config(bucket, tmp_path_factory):
    """A config whose files all are on the bucket."""
    folder = tmp_path_factory.mktemp("config")
    text = tiny_training.write(folder, 2).read_text(encoding="utf-8").replace(folder.as_posix(), "gs://shop/tiny")
    for name in ("train.record", "test.record", "label_map.pbtxt"):
        bucket.write(f"tiny/{name}", (folder / name).read_bytes())
    return pipeline_config.read(bucket.write("tiny/pipeline.config", text.encode()))


def findings_of(config) -> list[str]:
    found = checks.check_training(config, "c") + checks.check_evaluation(config, "c")
    return [finding.message for finding in found]


def test_a_config_with_all_files_on_the_bucket_is_checked_as_one_on_the_disk(bucket, config):
    assert not findings_of(config)
    override.fill_in_num_examples(config, config.eval_input_reader[0])
    assert config.eval_config.num_examples == 12
    assert label_map.read("gs://shop/tiny/label_map.pbtxt") == {"Red": 1, "Green": 2}
    assert sum(1 for _ in read.read("gs://shop/tiny/test.record")) == 12


def test_event_files_are_written_to_the_bucket(bucket):
    event_files.write(event_files.new_path("gs://shop/eval", "fast"), 7, {"mAP": 0.5})
    (name,) = bucket.names("eval/")
    assert "tfevents" in name and len(list(tf_record.read_records(f"gs://shop/{name}"))) == 2


def test_what_is_wrong_on_the_bucket_is_found_before_the_training(bucket, config):
    broken = type(config)()
    broken.CopyFrom(config)
    bucket.write("broken/empty.record", b"")
    bucket.write("broken/label_map.pbtxt", b"item { id: 1 name: 'Red' }")
    broken.train_input_reader.tf_record_input_reader.input_path[:] = [
        "gs://shop/broken/empty.record",
        "gs://shop/none-*",
    ]
    broken.eval_input_reader[0].label_map_path = "gs://shop/broken/label_map.pbtxt"
    broken.train_config.fine_tune_checkpoint = "gs://shop/none/model.ckpt"
    assert findings_of(broken) == [
        "fine_tune_checkpoint: there is no checkpoint 'gs://shop/none/model.ckpt'",
        "train_input_reader: the record 'gs://shop/broken/empty.record' is empty",
        "train_input_reader: there is no record 'gs://shop/none-*'",
        "num_classes is 2, but gs://shop/broken/label_map.pbtxt holds 1 class",
    ]


def test_examples_are_counted_by_the_manifest_where_it_fits(bucket, tmp_path):
    content = made_model.write_record(tmp_path / "x.record", 3).read_bytes()
    for index in range(2):
        bucket.write(f"counted/x.record-0000{index}-of-00002", content)
    pattern = "gs://shop/counted/x.record-?????-of-00002"
    assert pipeline_config.count_examples(pattern) == 6
    shards = [{"file": f"x.record-0000{index}-of-00002", "bytes": len(content)} for index in range(2)]
    manifest = {"version": 1, "classes": {}, "examples": 99, "boxes": 5, "shards": shards}
    bucket.write("counted/x.record.json", json.dumps(manifest).encode())
    assert pipeline_config.count_examples(pattern) == 99
    shards[0]["bytes"] += 1
    bucket.write("counted/x.record.json", json.dumps(manifest).encode())
    assert pipeline_config.count_examples(pattern) == 6
