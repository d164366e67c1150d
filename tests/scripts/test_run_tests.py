"""run_tests.py hands its arguments to pytest and gives back its status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import run_tests
from scripts.lib.environment import venv


def run_with(monkeypatch, arguments: list[str], status: int) -> list[list[str]]:
    """Run the script, whose child process ends with this status; return the commands that it ran."""
    commands = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(venv, "prepare", lambda *_: Path(sys.executable))
    monkeypatch.setattr(run_tests.subprocess, "run", run)
    assert run_tests.main(arguments) == status
    return commands


@pytest.mark.parametrize("status", [0, 1, 5])
def test_arguments_go_to_pytest_and_its_status_comes_back(monkeypatch, status):
    arguments = ["-k", "split and not seed", "--slow", "tests/scripts", "-x", "--durations=3"]
    assert run_with(monkeypatch, arguments, status) == [[sys.executable, *run_tests.PYTEST, *arguments]]


@pytest.mark.parametrize(("arguments", "name"), [(["--api"], ""), (["--api", "utils.ops"], "utils.ops")])
def test_the_tests_of_the_api_run_instead_where_they_are_asked_for(monkeypatch, arguments, name):
    program = [sys.executable, "-m", "tests.object_detection_api.suite"]
    assert run_with(monkeypatch, arguments, 1) == [[*program, name]]


def test_continuous_integration_runs_it_from_anywhere(repository_root):
    script = (repository_root / ".ci" / "run").read_text(encoding="utf-8")
    assert "python3 scripts/run_tests.py" in script


def test_a_worker_that_dies_ends_the_run_instead_of_hanging(tmp_path):
    """As under memory pressure: the system kills a worker. Two more files are waiting to be run then."""
    dies = "import os, signal\ndef test_1(): pass\ndef test_2(): os._exit(9)\ndef test_3(): pass\n"
    (tmp_path / "test_a.py").write_text(dies, encoding="utf-8")
    for name in "bc":
        (tmp_path / f"test_{name}.py").write_text("def test_1(): pass\ndef test_2(): pass\n", encoding="utf-8")
    command = [sys.executable, *run_tests.PYTEST, "-n", "2", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=200)
    assert done.returncode == 1
    assert "crashed while running 'test_a.py::test_2'" in done.stdout
