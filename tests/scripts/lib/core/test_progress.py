"""Stages of a run, and durations as text."""

from __future__ import annotations

import pytest

from scripts.lib.core import progress
from scripts.lib.core.progress import duration, stage


@pytest.mark.parametrize(
    "seconds, expected",
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (185.2, "3 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (600_000, "166 h 40 min"),
    ],
)
def test_durations_read_well(seconds, expected):
    assert duration(seconds) == expected


def test_a_stage_is_announced_and_timed(monkeypatch, capsys):
    clock = iter([0.0, 65.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with stage("Training"):
        print("step 1")
    assert capsys.readouterr().out.splitlines() == ["", "=== Training", "step 1", "=== Training: 1 min 05 s"]


def test_a_stage_that_fails_says_so(capsys):
    with pytest.raises(ValueError), stage("Training"):
        raise ValueError
    assert "=== Training: stopped after 0.0 s" in capsys.readouterr().out
