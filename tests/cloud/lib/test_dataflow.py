"""Batch detection on Dataflow: what is checked, and the command that is run."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest

pytest.importorskip("google.cloud.aiplatform_v1", reason="requirements-cloud.txt is not installed")

from cloud import submit
from cloud.lib import dataflow, jobs
from scripts.lib.core.errors import DataError
from tests.cloud.google_cloud_stub import BUCKET

IMAGE = "us-central1-docker.pkg.dev/demo/apparel/beam:7"
PLACES = [f"--{name}=gs://{BUCKET}/{name}" for name in ("input", "model", "output_path")]
COMMAND = ["batch-detect", "--bucket", BUCKET, "--image", IMAGE, *PLACES]


def test_what_is_missing_is_said_before_anything_starts(cloud, monkeypatch, tmp_path):
    monkeypatch.setattr(dataflow, "subprocess", None)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(DataError) as failure:
        submit.main([*COMMAND, "--yes"])
    login, container, model, images = failure.value.findings
    assert login == "Beam does not use gcloud's login; run `gcloud auth application-default login`"
    assert container == f"there is no container {IMAGE}; give --image, or build it (cloud/README.md)"
    assert model.startswith(f"there is no model.onnx in gs://{BUCKET}/model; make it with scripts/export_model.py")
    assert images == f"--input gs://{BUCKET}/input: there is nothing at this address"


def test_the_pipeline_runs_once_all_is_there_and_its_status_is_returned(cloud, monkeypatch, tmp_path):
    commands = []
    run = SimpleNamespace(run=lambda command, **_: commands.append(command) or SimpleNamespace(returncode=3))
    monkeypatch.setattr(dataflow, "subprocess", run)
    user = {"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}
    (tmp_path / "login.json").write_text(json.dumps(user))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "login.json"))
    monkeypatch.setattr(jobs, "check_image", lambda image: [])
    cloud.put(f"gs://{BUCKET}/model/model.onnx", b"x")
    for name in ("a", "b"):
        cloud.put(f"gs://{BUCKET}/input/2024/{name}.jpg", b"x")
    assert submit.main([*COMMAND, "--yes"]) == 3
    assert commands[0][1] == "cloud/detect_beam.py" and f"--sdk_container_image={IMAGE}" in commands[0]


def test_batch_detection_goes_to_dataflow(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not submit.main([*COMMAND, "--project=demo", "--dry_run", "--", "--num_shards=100"])
    prices, command, _ = capsys.readouterr().out.splitlines()
    assert prices.startswith("Prices of the machines, until the job ends: https://cloud.google.com")
    assert f"--input=gs://{BUCKET}/input" in command and "--runner=DataflowRunner" in command
    assert f"--temp_location=gs://{BUCKET}/tmp" in command and command.endswith("--num_shards=100")
    assert "--machine_type=e2-standard-4" in command and "--max_num_workers=10" in command
