"""start_tensorboard.py: every folder with event files is a run, in one TensorBoard."""

from __future__ import annotations

import json
import urllib.request

import pytest

from scripts import start_tensorboard
from scripts.lib.core.errors import UsageError
from scripts.lib.evaluation import event_files


def test_training_and_evaluation_are_served_together(tmp_path):
    for name in ("train", "eval"):
        event_files.write(tmp_path / name / "events.out.tfevents.1.a", 5, {"Losses/TotalLoss": 1.0})
    assert [run.name for run in start_tensorboard.find_runs(tmp_path)] == ["eval", "train"]
    url = start_tensorboard.start(tmp_path, "localhost", port=0)
    for _ in range(100):
        with urllib.request.urlopen(f"{url}data/runs", timeout=10) as answer:
            runs = json.load(answer)
        if len(runs) == 2:
            break
    assert sorted(runs) == ["eval", "train"]


def test_a_host_that_is_none_is_named(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    with pytest.raises(UsageError, match=r"--host a\.\.b: "):
        start_tensorboard.start(tmp_path, "a..b", None)


def test_a_folder_without_events_is_named(tmp_path, capsys):
    with pytest.raises(UsageError, match="holds no event file"):
        start_tensorboard.find_runs(tmp_path)
    with pytest.raises(SystemExit):
        start_tensorboard.parse_arguments(["--logdir", str(tmp_path / "none")])
    assert "--logdir: no folder" in capsys.readouterr().err
