"""The log for programs: whole lines, whatever ended the run before."""

from __future__ import annotations

import json

import pytest

from scripts.lib.training import log as training_log
from scripts.lib.training.loop import TrainingStep


def step(number: int, loss: float = 2.0) -> TrainingStep:
    return TrainingStep(number, loss, {"Loss/classification_loss": loss}, 0.004)


def test_a_line_every_so_many_steps_with_all_that_is_known(tmp_path):
    log = training_log.TrainingLog(tmp_path / "train", every=3)
    for number in range(1, 8):
        log.after_step(step(number), images_per_second=41.237)
    lines = training_log.read(tmp_path / "train" / "training_log.jsonl")
    assert [line["step"] for line in lines] == [3, 6]
    assert lines[0].pop("seconds") >= 0
    assert lines[0].pop("time").endswith("Z")
    assert lines[0] == {
        "step": 3,
        "loss": 2.0,
        "losses": {"Loss/classification_loss": 2.0},
        "learning_rate": 0.004,
        "images_per_second": 41.24,
    }


def test_after_a_line_that_was_cut_off_the_next_one_is_whole(tmp_path):
    path = tmp_path / "log.jsonl"
    training_log.append(path, {"step": 1})
    with path.open("ab") as file:
        file.write(b'{"step": 2, "lo')
    training_log.append(path, {"step": 3})
    assert [line["step"] for line in training_log.read(path)] == [1, 3]


def test_a_step_that_was_done_again_counts_as_it_came_last(tmp_path):
    path = tmp_path / "log.jsonl"
    for number, loss in ((10, 5.0), (20, 4.0), (10, 3.0)):
        training_log.append(path, {"step": number, "loss": loss})
    assert training_log.read(path) == [{"step": 10, "loss": 3.0}, {"step": 20, "loss": 4.0}]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_has_not_is_null(tmp_path, value):
    training_log.append(tmp_path / "log.jsonl", {"step": 1, "loss": value, "losses": {"a": value}})
    assert json.loads((tmp_path / "log.jsonl").read_text()) == {"step": 1, "loss": None, "losses": {"a": None}}


def test_without_a_file_there_are_no_lines(tmp_path):
    assert training_log.read(tmp_path / "none.jsonl") == []
