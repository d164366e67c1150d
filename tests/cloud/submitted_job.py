"""A job that was submitted from this machine, its config, and what the bucket holds for it."""

from __future__ import annotations

from cloud.lib import submitted
from scripts.lib.core import files
from tests.cloud.google_cloud_stub import BUCKET, Cloud

LABEL_MAP = files.default_path("data/apparel_label_map.pbtxt")
CHECKPOINT = "pretrained/ssd_mobilenet_v1_coco_2017_11_17/model.ckpt"


def fill_bucket(cloud: Cloud) -> None:
    """Put what configs/ssd_mobilenet_v1_gcs.config names on the bucket."""
    for name in ("data/train.record", "data/test.record", f"{CHECKPOINT}.index"):
        cloud.put(f"gs://{BUCKET}/{name}", b"some bytes")
    cloud.put(f"gs://{BUCKET}/data/apparel_label_map.pbtxt", LABEL_MAP.read_bytes())


def remember(verb: str = "train", number: str = "100", name: str = "imgSeg_5") -> submitted.VertexJob:
    run_dir = f"gs://{BUCKET}/{name}"
    job = submitted.VertexJob(
        name,
        verb,
        number,
        "demo",
        "us-central1",
        BUCKET,
        f"{run_dir}/pipeline.config",
        f"{run_dir}/train",
        f"{run_dir}/eval",
        submitted=5,
    )
    submitted.remember(job)
    config = files.default_path("configs/ssd_mobilenet_v1_gcs.config").read_text(encoding="utf-8")
    (job.folder / "pipeline.config").write_text(config.replace("YOUR_BUCKET", BUCKET), encoding="utf-8")
    return job


def running_job(cloud: Cloud, state: str = "JOB_STATE_RUNNING") -> dict:
    """Put the job of `remember` on the server."""
    job = {
        "name": "projects/demo/locations/us-central1/customJobs/100",
        "displayName": "imgSeg_5",
        "state": state,
        "createTime": "2026-01-01T10:00:00Z",
        "startTime": "2026-01-01T10:05:00Z",
    }
    cloud.jobs.append(job)
    return job
