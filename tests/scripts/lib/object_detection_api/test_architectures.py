"""Every architecture of the configs trains, evaluates, exports and detects, by the scripts, with its real extractor.

Inputs, batches, proposals and, where a config says it, the channels are made small; what builds the graph is not. All
architectures of a run share one process (`tests/architecture_runs.py`). ssd_mobilenet_v1 is in tests/end_to_end, too.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

import generate_tfrecord
from scripts.lib.config import override, pipeline_config
from scripts.lib.core import files
from scripts.lib.dataset import label_map, labels_csv
from scripts.lib.models import exported_model

SIDE = 96
LABEL_MAP = files.default_path("data/apparel_label_map.pbtxt")
CLASSES = list(label_map.read(LABEL_MAP))
QUICK = ("faster_rcnn_inception_v2", "ssd_mobilenet_v1_fpn", "ssdlite_mobilenet_v2_small_data")
SLOW = (
    "faster_rcnn_nas",
    "faster_rcnn_resnet101",
    "ssd_inception_v2",
    "ssd_mobilenet_v1_512",
    "ssd_mobilenet_v1_balanced",
    "ssd_mobilenet_v1_large_batch",
    "ssd_mobilenet_v2",
    "ssdlite_mobilenet_v2",
)
STEPS = ("train", "eval", "export", "fast", "detect")


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    """A folder with train.record and test.record: two pictures each, wide and high, of two classes."""
    folder = tmp_path_factory.mktemp("records")
    noise = np.random.default_rng(1)
    for name in ("train", "test"):
        rows = []
        for number, (width, height) in enumerate([(80, 60), (60, 90)]):
            image = Image.fromarray(noise.integers(0, 255, (height, width, 3), np.uint8))
            image.save(folder / f"{name}_{number}.jpg")
            rows.append(f"{name}_{number}.jpg,{width},{height},{CLASSES[number]},5,5,50,55")
        (folder / "labels.csv").write_text("\n".join([",".join(labels_csv.COLUMNS), *rows]) + "\n", encoding="utf-8")
        generate_tfrecord.main(
            [
                "--csv_input",
                f"{folder}/labels.csv",
                "--output_path",
                f"{folder}/{name}.record",
                "--image_dir",
                f"{folder}",
            ]
        )
    return folder


def small(name: str, records: Path) -> pipeline_config.Message:
    """A config of the project, its architecture unchanged, to be trained for two steps from scratch."""
    config = pipeline_config.read(files.REPOSITORY_ROOT / "configs" / f"{name}.config")
    detector = getattr(config.model, config.model.WhichOneof("model"))
    override.set_input_size(config, SIDE)
    if config.model.HasField("ssd"):
        detector.feature_extractor.depth_multiplier = 0.25
    else:
        detector.first_stage_max_proposals = detector.second_stage_batch_size = 4
    train = config.train_config
    if name == "ssd_mobilenet_v2":  # what the API takes from tensorflow.contrib, and patches put back
        detector.matcher.bipartite_matcher.SetInParent()
        train.data_augmentation_options.add().autoaugment_image.policy_name = "test"
    train.batch_size = min(train.batch_size, 2)
    train.batch_queue_capacity = train.prefetch_queue_capacity = 2
    for field in ("fine_tune_checkpoint", "fine_tune_checkpoint_type", "load_all_detection_checkpoint_vars"):
        train.ClearField(field)
    override.set_num_steps(config, 2)
    for reader, record in ((config.train_input_reader, "train"), (config.eval_input_reader[0], "test")):
        reader.tf_record_input_reader.input_path[:] = [(records / f"{record}.record").as_posix()]
    config.eval_config.num_visualizations = 1
    return config


def run(names: tuple[str, ...], folder: Path, records: Path) -> dict[str, dict[str, dict]]:
    """Architecture -> step -> what came of it."""
    for name in names:
        (folder / f"{name}.config").write_text(text_format.MessageToString(small(name, records)), encoding="utf-8")
    program = files.REPOSITORY_ROOT / "tests" / "architecture_runs.py"
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        [sys.executable, program, folder, *names],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        timeout=3600,
    )
    lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith('{"name"')]
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return {name: {line["step"]: line for line in lines if line["name"] == name} for name in names}


def check(name: str, folder: Path, outcome: dict[str, dict]) -> None:
    """Every step ended well, and left what it is to leave."""
    errors = {step: line["error"] for step, line in outcome.items() if line["error"]}
    assert not errors, "\n".join(f"{name}, {step}: {error}" for step, error in errors.items())
    assert tuple(outcome) == STEPS
    metrics = {
        step: json.loads((folder / name / step / "metrics.json").read_text(encoding="utf-8"))
        for step in ("eval", "fast")
    }
    for step, content in metrics.items():
        assert (content["global_step"], content["num_examples"]) == (2, 2), step
        assert 0 <= content["metrics"]["PascalBoxes_Precision/mAP@0.5IOU"] <= 1
    losses = {key: value for key, value in metrics["eval"]["metrics"].items() if key.startswith("Losses/")}
    assert len(losses) >= 2
    assert all(math.isfinite(loss) for loss in losses.values()), losses
    there = {path.name for path in (folder / name / "exported_model").iterdir()}
    assert {exported_model.FROZEN_GRAPH, exported_model.LABEL_MAP, exported_model.PIPELINE_CONFIG} <= there


@pytest.fixture(scope="module")
def quick(tf, records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("quick")
    return folder, run(QUICK, folder, records)


@pytest.mark.parametrize("name", QUICK)
def test_an_architecture_trains_evaluates_exports_and_detects(name, quick):
    folder, outcomes = quick
    check(name, folder, outcomes[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
@pytest.mark.usefixtures("tf")
def test_a_larger_architecture_does_so_too(name, records, tmp_path):
    check(name, tmp_path, run((name,), tmp_path, records)[name])


def test_every_architecture_is_tested_here_or_end_to_end(repository_root):
    for path in (repository_root / "configs").glob("*.config"):
        model = pipeline_config.read(path).model
        kind = getattr(model, model.WhichOneof("model")).feature_extractor.type
        assert path.stem in (*QUICK, *SLOW) or kind == "ssd_mobilenet_v1", f"{path.name}: {kind} is built in no test"
