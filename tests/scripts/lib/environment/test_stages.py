"""Stages are announced, timed and summed up."""

from __future__ import annotations

import pytest

from scripts.lib.environment import stages
from scripts.lib.environment.stages import Stages


def test_stages_are_announced_and_summed_up(monkeypatch, capsys):
    clock = iter([0.0, 5.0, 10.0, 75.0])
    monkeypatch.setattr(stages.time, "monotonic", lambda: next(clock))
    run = Stages()
    for title in ("Training", "Evaluating"):
        with run.stage(title):
            pass
    assert capsys.readouterr().out.splitlines()[1:3] == ["=== Training", "=== Training: 5.0 s"]
    rows = [line.split(maxsplit=1) for line in run.table().splitlines()]
    assert rows == [["Training", "5.0 s"], ["Evaluating", "1 min 05 s"], ["total", "1 min 10 s"]]


def test_a_stage_that_fails_says_so_and_is_not_kept(capsys):
    run = Stages()
    with pytest.raises(ValueError), run.stage("Training"):
        raise ValueError
    assert "=== Training: stopped after 0.0 s" in capsys.readouterr().out
    assert run.seconds == {}
