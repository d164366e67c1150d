"""Upload and export: the real gcloud against a stand-in for Google Cloud."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("google.cloud.aiplatform_v1", reason="requirements-cloud.txt is not installed")
pytest.importorskip("object_detection", reason="the Object Detection API is not installed (it reads the configs)")

from cloud import submit
from cloud.lib import submitted, transfer
from scripts.lib.config import checks, pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from tests.cloud.google_cloud_stub import BUCKET
from tests.cloud.submitted_job import LABEL_MAP, remember


def test_upload_copies_what_is_missing_or_different(cloud, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(files, "REPOSITORY_ROOT", tmp_path)
    made = {"data/train.record": b"train\n", "data/test.record": b"test\r\n", "data/map.pbtxt": b"item {}\n"}
    for name, content in made.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    for check in ("check_training", "check_evaluation"):
        monkeypatch.setattr(checks, check, lambda *_, **__: [])
    config = tmp_path / "gcs.config"
    reader = "{ tf_record_input_reader { input_path: '%s' } label_map_path: 'gs://YOUR_BUCKET/data/map.pbtxt' }"
    config.write_text(
        f"train_input_reader {reader % 'gs://YOUR_BUCKET/data/train.record'}\n"
        f"eval_input_reader {reader % (tmp_path / 'data/test.record').as_posix()}\n"
    )
    cloud.put(f"gs://{BUCKET}/data/train.record", made["data/train.record"])
    cloud.put(f"gs://{BUCKET}/data/test.record", b"other")
    assert not submit.main(["upload", "--bucket", f"gs://{BUCKET}/", "--pipeline_config_path", str(config), "--yes"])
    assert {name: cloud.get(f"gs://{BUCKET}/{name}") for name in made} == made
    assert not any(asked.startswith("DELETE") for asked in cloud.asked)
    shown = capsys.readouterr().out
    assert "data/train.record (there already)" in shown
    assert f"Next: python cloud/submit.py train --bucket {BUCKET} --pipeline_config_path {config}" in shown
    asked = len([each for each in cloud.asked if "upload" in each])
    assert not submit.main(["upload", "--bucket", BUCKET, "--pipeline_config_path", str(config), "--yes"])
    assert len([each for each in cloud.asked if "upload" in each]) == asked


def test_export_fetches_the_checkpoint_and_runs_the_exporter(cloud, monkeypatch, tmp_path):
    job = remember()
    for step in (900, 1000):
        for suffix in ("index", "data-00000-of-00001"):
            cloud.put(f"gs://{BUCKET}/imgSeg_5/train/model.ckpt-{step}.{suffix}", b"%d" % step)
    cloud.put(f"gs://{BUCKET}/data/apparel_label_map.pbtxt", LABEL_MAP.read_bytes())
    commands = []
    run = SimpleNamespace(run=lambda command, **_: commands.append(command) or SimpleNamespace(returncode=0))
    monkeypatch.setattr(transfer, "subprocess", run)
    monkeypatch.chdir(tmp_path)
    assert not submit.main(["export", "--yes", "--output_dir", "out"])
    assert (job.folder / "train" / "model.ckpt-1000.data-00000-of-00001").read_bytes() == b"1000"
    assert not (job.folder / "train" / "model.ckpt-900.index").exists()
    assert f"--trained_checkpoint_prefix={job.folder / 'train' / 'model.ckpt-1000'}" in commands[0]
    assert f"--output_directory={tmp_path / 'out'}" in commands[0]
    config = pipeline_config.read(job.folder / "export.config")
    assert pipeline_config.label_map_path(config) == (job.folder / "label_map.pbtxt").as_posix()


def test_a_step_without_a_checkpoint_is_refused_with_those_there_are(cloud):
    remember()
    for step in (900, 1000):
        cloud.put(f"gs://{BUCKET}/imgSeg_5/train/model.ckpt-{step}.index", b"x")
    with pytest.raises(DataError) as failure:
        submit.main(["export", "--yes", "--step", "950"])
    assert failure.value.findings == [f"gs://{BUCKET}/imgSeg_5/train has no checkpoint of step 950; found 900, 1000"]
    assert failure.value.consequence == "nothing was exported" and not (submitted.find(None).folder / "train").exists()
