"""Training, evaluation and export where everything lies on a bucket: records, label map, config, and what is made.

The commands run as a user runs them, in processes of their own; see tests/gcs_emulator.py for the bucket.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests import gcs_emulator, tiny_training

RUN = "gs://shop/run"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory, tf):
    folder = tmp_path_factory.mktemp("bucket")
    with gcs_emulator.running(folder) as emulator:
        text = tiny_training.write(folder, num_steps=2).read_text(encoding="utf-8")
        for name in ("train.record", "test.record", "label_map.pbtxt"):
            emulator.write(f"data/{name}", (folder / name).read_bytes())
        emulator.write("run/pipeline.config", text.replace(folder.as_posix(), "gs://shop/data").encode())
        yield emulator


def run(bucket, root, script: str, *flags: str) -> str:
    """Runs a script; returns what it printed."""
    command = [sys.executable, f"scripts/{script}.py", f"--pipeline_config_path={RUN}/pipeline.config", *flags]
    environment = {**os.environ, **bucket.environment}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(bucket, repository_root):
    return run(bucket, repository_root, "train", f"--train_dir={RUN}/train")


def test_training_writes_checkpoints_and_events(bucket, trained):
    assert f"Done: the checkpoint of step 2 is in {RUN}/train." in trained
    names = bucket.names("run/train/")
    assert {"run/train/checkpoint", "run/train/pipeline.config", "run/train/model.ckpt-2.index"} <= set(names)
    assert any("tfevents" in name for name in names) and b'"model.ckpt-2"' in bucket.read(
        "run/train/checkpoint"
    ).replace(b"gs://shop/run/train/", b"")


@pytest.mark.slow
def test_a_training_that_is_done_is_not_done_again(bucket, trained, repository_root):
    before = bucket.names("run/train/")
    assert "holds a checkpoint of step 2" in run(bucket, repository_root, "train", f"--train_dir={RUN}/train")
    assert bucket.names("run/train/") == before


@pytest.mark.slow
def test_evaluation_reads_them_and_writes_its_results(bucket, trained, repository_root):
    flags = ("--run_once", f"--checkpoint_dir={RUN}/train", f"--eval_dir={RUN}/eval")
    assert "Step 2, 12 images" in run(bucket, repository_root, "eval", *flags)
    result = json.loads(bucket.read("run/eval/metrics.json"))
    assert (result["global_step"], result["num_examples"]) == (2, 12)
    assert any("tfevents" in name for name in bucket.names("run/eval/"))


@pytest.mark.slow
def test_the_export_goes_to_the_bucket(bucket, trained, repository_root):
    flags = (
        "--input_type=image_tensor",
        f"--trained_checkpoint_prefix={RUN}/train",
        f"--output_directory={RUN}/exported",
    )
    assert f"The exported model is in {RUN}/exported" in run(bucket, repository_root, "export_inference_graph", *flags)
    names = {name.removeprefix("run/exported/") for name in bucket.names("run/exported/")}
    assert {"frozen_inference_graph.pb", "label_map.pbtxt", "pipeline.config", "saved_model/saved_model.pb"} <= names
    assert bucket.read("run/exported/label_map.pbtxt") == bucket.read("data/label_map.pbtxt")
