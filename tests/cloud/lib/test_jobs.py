"""Jobs of Vertex AI: the real gcloud against a stand-in for Google Cloud; the server gets what was meant."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import yaml

pytest.importorskip("google.cloud.aiplatform_v1", reason="requirements-cloud.txt is not installed")
pytest.importorskip("object_detection", reason="the Object Detection API is not installed (it reads the configs)")

from cloud import submit
from cloud.lib import bucket, jobs, submitted
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError
from tests.cloud.google_cloud_stub import BUCKET
from tests.cloud.submitted_job import CHECKPOINT, fill_bucket, remember, running_job


def test_training_is_submitted_as_the_template_says_and_remembered(cloud, capsys):
    fill_bucket(cloud)
    assert not submit.main(["train", "--bucket", BUCKET, "--job_name", "imgSeg_5", "--yes", "--", "--num_steps=7"])
    (job,) = cloud.jobs
    assert job["displayName"] == "imgSeg_5"
    sent = job["jobSpec"]
    written = yaml.safe_load((submitted.find(None).folder / "job.yaml").read_text(encoding="utf-8"))
    assert [pool["machineSpec"] for pool in sent["workerPoolSpecs"]] == [
        pool["machineSpec"] for pool in written["workerPoolSpecs"]
    ]
    assert [int(pool["replicaCount"]) for pool in sent["workerPoolSpecs"]] == [1, 5, 3]
    for pool in sent["workerPoolSpecs"]:
        assert pool["containerSpec"] == {
            "imageUri": "us-central1-docker.pkg.dev/demo/apparel/trainer:1",
            "args": [
                f"--pipeline_config_path=gs://{BUCKET}/imgSeg_5/pipeline.config",
                f"--train_dir=gs://{BUCKET}/imgSeg_5/train",
                f"--eval_dir=gs://{BUCKET}/imgSeg_5/eval",
                "--num_steps=7",
            ],
        }
    assert sent["scheduling"]["timeout"] == "86400s"
    assert sent["baseOutputDirectory"] == {"outputUriPrefix": f"gs://{BUCKET}/imgSeg_5"}
    assert "serviceAccount" not in sent
    config = cloud.get(f"gs://{BUCKET}/imgSeg_5/pipeline.config").decode()
    assert "YOUR_BUCKET" not in config and f'"gs://{BUCKET}/data/train.record"' in config
    assert submitted.find(None).id == "100"
    shown = capsys.readouterr().out
    assert "> gcloud ai custom-jobs create --project=demo --region=us-central1 --display-name=imgSeg_5" in shown
    assert shown.count("machineType: n1-standard-8") == 3 and "timeout: 86400s" in shown


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_sent(cloud):
    cloud.buckets[BUCKET]["location"] = "EUROPE-WEST4"
    cloud.images = {"7"}
    with pytest.raises(DataError) as failure:
        submit.main(["train", "--bucket", BUCKET, "--yes", "--workers", "2", "--", "--num_train_stops=7"])
    text = "\n".join(map(str, failure.value.findings))
    assert "is in europe-west4, but the job would run in us-central1" in text
    image = "us-central1-docker.pkg.dev/demo/apparel/trainer:1"
    assert f"there is no container {image}; give --image, or build it (cloud/README.md)" in text
    assert "unknown flag --num_train_stops; did you mean --num_steps?" in text
    assert f"train_input_reader: there is no gs://{BUCKET}/data/train.record; upload it with" in text
    assert f"fine_tune_checkpoint: there is no gs://{BUCKET}/{CHECKPOINT}" in text
    assert failure.value.consequence == "nothing was submitted"
    assert not cloud.jobs and not cloud.objects and not submitted.FOLDER.exists()


def test_a_refused_evaluation_says_why_in_one_sentence(cloud):
    fill_bucket(cloud)
    remember()
    cloud.put(f"gs://{BUCKET}/imgSeg_5/train/model.ckpt-7.index", b"x")
    quota = "aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus"
    cloud.refusal = (429, "RESOURCE_EXHAUSTED", f"The following quota metrics exceed quota limits: {quota}")
    with pytest.raises(DataError) as failure:
        submit.main(["eval", "--yes"])
    (sentence,) = failure.value.findings
    assert sentence.startswith("The project's quota or the region's capacity is too small (The following quota metrics")
    assert failure.value.consequence.startswith("the job was not submitted")

    cloud.refusal = None
    assert not submit.main(["eval", "--yes", "--job_name", "imgSeg_6"])
    (pool,) = cloud.jobs[0]["jobSpec"]["workerPoolSpecs"]
    assert pool["containerSpec"]["command"] == ["python", "scripts/eval.py"]
    assert f"--checkpoint_dir=gs://{BUCKET}/imgSeg_5/train" in pool["containerSpec"]["args"]
    assert submitted.find(None).verb == "eval" and submitted.find(None, "train").name == "imgSeg_5"


def test_what_a_refused_training_leaves_is_said(cloud, monkeypatch, capsys):
    monkeypatch.setattr(jobs, "check_image", lambda *_: [])
    monkeypatch.setattr(bucket, "check", lambda *_: [])
    cloud.refusal = (400, "INVALID_ARGUMENT", "List of found errors: 1.Field: job_spec")
    with pytest.raises(DataError) as failure:
        submit.main(["train", "--bucket", BUCKET, "--job_name", "imgSeg_5", "--yes"])
    assert failure.value.findings[0].startswith("gcloud failed: INVALID_ARGUMENT: List of found errors")
    uploaded = f"gs://{BUCKET}/imgSeg_5/pipeline.config"
    assert cloud.addresses() == {uploaded}
    assert failure.value.consequence == (
        "the job was not submitted (after a broken connection look at `submit.py status --all`); its files are in "
        f"{files.shown_path(submitted.FOLDER / 'imgSeg_5')} and gs://{BUCKET}/imgSeg_5"
    )
    with pytest.raises(UsageError, match="no job was submitted from here"):
        submitted.find(None)
    assert not submit.main(["status", "--all"])
    assert "There is no job in us-central1 of demo." in capsys.readouterr().out


def test_a_job_s_name_is_not_given_twice(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(submitted, "FOLDER", tmp_path)
    remember()
    with pytest.raises(DataError, match="imgSeg_5 holds a job of this name; give another --job_name"):
        submit.main(["eval", "--job_name", "imgSeg_5", "--dry_run"])
    assert submitted.find(None).verb == "train"


def test_status_of_the_latest_job(cloud, capfd):
    remember()
    job = running_job(cloud)
    cloud.put(f"gs://{BUCKET}/imgSeg_5/train/model.ckpt-900.index", b"x")
    cloud.put(f"gs://{BUCKET}/imgSeg_5/train/model.ckpt-1000.index", b"x")
    assert not submit.main(["status"])
    shown = capfd.readouterr().out
    assert "imgSeg_5 (100): running" in shown and "started    2026-01-01T10:05:00Z" in shown
    assert "model.ckpt-1000" in shown and f"tensorboard --load_fast=false --logdir=gs://{BUCKET}/imgSeg_5\n" in shown
    job["error"] = {"code": 8, "message": "RESOURCE_EXHAUSTED: no such machine is left"}
    with pytest.raises(DataError, match="the region's capacity is too small"):
        submit.main(["status"])


def test_cancelling_of_the_latest_job(cloud, capfd):
    remember()
    job = running_job(cloud)
    assert not submit.main(["cancel", "--yes"])
    assert job["state"] == "JOB_STATE_CANCELLED"
    assert not submit.main(["cancel", "--yes"])
    assert "imgSeg_5 has ended already (cancelled)." in capfd.readouterr().out
    assert not submit.main(["status", "--all"])
    assert "100                  2026-01-01T10:00:00  cancelled   imgSeg_5" in capfd.readouterr().out


def test_the_log_of_a_job_is_followed_until_it_ends(cloud, capfd, monkeypatch):
    remember()
    running_job(cloud)
    monkeypatch.setattr(jobs, "LOOK_SECS", 5)
    monkeypatch.setattr(jobs, "POLL_SECS", 1)
    monkeypatch.setattr(jobs, "LAST_LINES_SECS", 0)
    described = iter(["JOB_STATE_RUNNING"])  # then it has ended; gcloud itself is never told so
    monkeypatch.setattr(
        jobs, "describe", lambda session, job: {"state": next(described, None) or ended_after_the_log(cloud)}
    )
    assert not submit.main(["logs"])
    shown = capfd.readouterr().out
    assert "step 20: loss 3.2" in shown and "imgSeg_5: succeeded" in shown


def ended_after_the_log(cloud) -> str:
    return f"JOB_STATE_{'SUCCEEDED' if sum('entries:list' in asked for asked in cloud.asked) > 1 else 'RUNNING'}"


def test_a_log_that_gcloud_cannot_follow_is_a_failure(cloud, monkeypatch):
    job = remember()
    session = SimpleNamespace(flags=())
    with pytest.raises(DataError, match="gcloud ended with status 3"):
        jobs._wait(session, job, SimpleNamespace(wait=lambda secs: 3))
