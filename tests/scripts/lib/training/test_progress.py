"""How far a training is: the sentence, and when it is shown."""

from __future__ import annotations

import pytest

from scripts.lib.core import progress
from scripts.lib.training import progress as training_progress
from scripts.lib.training.loop import TrainingStep


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets; both modules look at it."""
    now = [100.0]
    monkeypatch.setattr(training_progress.time, "monotonic", lambda: now[0])
    return now


def walk(shown, clock, steps, seconds_a_step):
    for number in steps:
        clock[0] += seconds_a_step
        shown.after_step(TrainingStep(number, 2.5, {}, None))


def test_says_step_loss_speed_and_time_left(clock, capsys):
    shown = training_progress.TrainingProgress(num_steps=1000, batch_size=16)
    walk(shown, clock, range(1, 121), 0.5)
    assert (
        shown.text(TrainingStep(120, 2.3456, {}, None)) == "step 120/1000: loss 2.346, 32.0 images/s, 7 min 20 s left"
    )
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "step 1/1000: loss 2.500"
    assert 5 <= len(lines) <= 7  # in a log one every ten seconds


def test_the_speed_is_that_of_the_last_minute_and_not_of_a_slow_start(clock):
    shown = training_progress.TrainingProgress(num_steps=1000, batch_size=10)
    walk(shown, clock, range(1, 11), 30)
    walk(shown, clock, range(11, 200), 1)
    assert shown.images_per_second == pytest.approx(10)


def test_the_last_step_and_each_one_where_asked_are_shown(clock, capsys):
    walk(training_progress.TrainingProgress(4, 2), clock, range(1, 5), 0.1)
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["step 1/4", "step 4/4"]
    walk(training_progress.TrainingProgress(4, 2, every_step=True), clock, range(1, 5), 0.1)
    assert len(capsys.readouterr().err.splitlines()) == 4


def test_a_replica_says_its_name_and_a_training_without_end_no_time_left(clock, capsys):
    walk(training_progress.TrainingProgress(0, 2, name="worker/1"), clock, [1], 1)
    assert capsys.readouterr().err == "worker/1: step 1: loss 2.500\n"


def test_in_a_terminal_the_line_is_rewritten_and_makes_room_for_others(monkeypatch, capsys):
    monkeypatch.setattr(progress, "REWRITE_SECONDS", 0)
    line = progress.StatusLine(rewritten=True)
    line.update(lambda: "step 10: loss 2.5")
    line.update(lambda: "step 11")
    line.say("Evaluation at step 10")
    out, err = capsys.readouterr()
    assert out == "Evaluation at step 10\n"
    assert err == "\rstep 10: loss 2.5\rstep 11          \r       \r"
