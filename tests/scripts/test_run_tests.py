"""run_tests.py hands its arguments to pytest and gives back its status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import run_tests
from scripts.lib.environment import venv


@pytest.mark.parametrize("status", [0, 1, 5])
def test_arguments_go_to_pytest_and_its_status_comes_back(monkeypatch, status):
    commands = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(venv, "prepare", lambda *_: Path(sys.executable))
    monkeypatch.setattr(run_tests.subprocess, "run", run)
    arguments = ["-k", "split and not seed", "--slow", "tests/scripts", "-x", "--durations=3"]
    assert run_tests.main(arguments) == status
    assert commands == [[sys.executable, *run_tests.PYTEST, *arguments]]


def test_continuous_integration_runs_it_from_anywhere(repository_root):
    script = (repository_root / ".ci" / "run").read_text(encoding="utf-8")
    assert "python3 scripts/run_tests.py" in script
