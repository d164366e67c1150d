"""The commands with which this workflow used Google Cloud ML Engine, as they were, for whoever compares or archives.

The service, later called AI Platform Training, ended on 31 January 2025: `gcloud ml-engine` still takes the commands on
old clients, and the server refuses them.
"""

from __future__ import annotations

ENDED = (
    "ML Engine (AI Platform Training) ended on 31 January 2025: these commands show what was run then, and nothing is "
    "run now. Without --backend ml-engine the same is submitted to Vertex AI, its successor."
)
_PACKAGES = "dist/object_detection-0.1.tar.gz,slim/dist/slim-0.1.tar.gz"
_FILES = ("train.record", "test.record", "apparel_label_map.pbtxt")


def commands(verb: str, job: str, bucket: str, region: str) -> list[list[str]]:
    """The commands of a verb of cloud/submit.py, each as its words.

    Args:
        verb: as in cloud/submit.py.
        job: its name, e.g. imgSeg_1767261600.
        bucket: the bucket's name.
        region: e.g. us-central1.
    """
    config = f"gs://{bucket}/data/ssd_mobilenet_v1_gcs.config"
    train_dir, eval_dir = f"gs://{bucket}/train", f"gs://{bucket}/eval"
    submit = ["gcloud", "ml-engine", "jobs", "submit"]
    return {
        "upload": [
            ["gsutil", "cp", *(f"data/{name}" for name in _FILES), f"gs://{bucket}/data/"],
            ["gsutil", "cp", "configs/ssd_mobilenet_v1_gcs.config", config],
            [
                "gsutil",
                "cp",
                "pretrained/ssd_mobilenet_v1_coco_2017_11_17/model.ckpt.*",
                f"gs://{bucket}/pretrained/ssd_mobilenet_v1_coco_2017_11_17/",
            ],
        ],
        "train": [
            [
                *submit,
                "training",
                job,
                f"--job-dir={train_dir}",
                "--packages",
                _PACKAGES,
                "--module-name",
                "object_detection.train",
                "--region",
                region,
                "--config",
                "cloud/cloud.yml",
                "--",
                f"--train_dir={train_dir}",
                f"--pipeline_config_path={config}",
            ],
        ],
        "eval": [
            [
                *submit,
                "training",
                job,
                f"--job-dir={train_dir}",
                "--packages",
                _PACKAGES,
                "--module-name",
                "object_detection.eval",
                "--region",
                region,
                "--scale-tier",
                "BASIC_GPU",
                "--",
                f"--checkpoint_dir={train_dir}",
                f"--eval_dir={eval_dir}",
                f"--pipeline_config_path={config}",
            ],
        ],
        "logs": [["gcloud", "ml-engine", "jobs", "stream-logs", job]],
        "status": [["gcloud", "ml-engine", "jobs", "describe", job]],
        "cancel": [["gcloud", "ml-engine", "jobs", "cancel", job]],
        "tensorboard": [
            ["gcloud", "auth", "application-default", "login"],
            ["tensorboard", f"--logdir=gs://{bucket}"],
        ],
        "export": [
            ["gsutil", "cp", f"{train_dir}/model.ckpt-STEP.*", "."],
            [
                "python",
                "object_detection/export_inference_graph.py",
                "--input_type",
                "image_tensor",
                "--pipeline_config_path",
                "configs/ssd_mobilenet_v1_gcs.config",
                "--trained_checkpoint_prefix",
                "model.ckpt-STEP",
                "--output_directory",
                "exported_model",
            ],
        ],
        "batch-detect": [
            [
                *submit,
                "prediction",
                job,
                "--model-dir",
                f"gs://{bucket}/exported_model/saved_model",
                "--data-format",
                "TF_RECORD",
                "--input-paths",
                f"gs://{bucket}/data/test.record",
                "--output-path",
                f"gs://{bucket}/detections",
                "--region",
                region,
            ],
        ],
    }[verb]
