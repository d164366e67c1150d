"""The API's protobuf messages, rebuilt on the current protobuf."""

from __future__ import annotations

import subprocess
import sys

import pytest
from google.protobuf import text_format
from google.protobuf.internal import api_implementation

from scripts.lib.object_detection_api import protos


def test_every_proto_file_of_the_api_loads():
    from pathlib import Path

    folder = Path(protos.load("pipeline").__file__).parent
    names = sorted(path.name.removesuffix("_pb2.py") for path in folder.glob("*_pb2.py"))
    assert len(names) > 30
    for name in names:
        assert protos.load(name).DESCRIPTOR.name == f"object_detection/protos/{name}.proto"


def test_messages_keep_defaults_enums_nested_types_and_text_form():
    optimizer = protos.load("optimizer").Optimizer()
    assert optimizer.use_moving_average is True
    assert optimizer.moving_average_decay == pytest.approx(0.9999)
    config = protos.load("pipeline").TrainEvalPipelineConfig()
    text_format.Parse(
        "model { ssd { num_classes: 6 loss { hard_example_miner { loss_type: CLASSIFICATION } } } }", config
    )
    losses = protos.load("losses")
    assert config.model.ssd.loss.hard_example_miner.loss_type == losses.HardExampleMiner.CLASSIFICATION
    assert type(config).FromString(config.SerializeToString()) == config


def test_runs_on_the_fast_runtime():
    assert api_implementation.Type() == "upb"


def test_does_not_import_tensorflow(repository_root):
    code = "import sys; from scripts.lib.object_detection_api import protos; protos.load('pipeline'); print(sorted(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=repository_root, capture_output=True, text=True, check=True
    )
    assert "'object_detection.protos.pipeline_pb2'" in result.stdout
    assert "'tensorflow'" not in result.stdout


def test_an_unknown_proto_is_an_import_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_thing_pb2"):
        protos.load("no_such_thing")
