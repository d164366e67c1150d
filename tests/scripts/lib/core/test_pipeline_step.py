"""A step that runs, fails or is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.core import files, pipeline_step
from scripts.lib.core.errors import DataError
from scripts.lib.core.pipeline_step import PipelineStep

PYTHON = Path(sys.executable)


def test_a_failing_step_is_named_with_its_command_and_status(tmp_path, monkeypatch, capfd):
    (tmp_path / "fails.py").write_text("raise SystemExit(3)", encoding="utf-8")
    monkeypatch.setattr(files, "REPOSITORY_ROOT", tmp_path)
    with pytest.raises(DataError, match=r"Training failed \(exit status 3\): .*fails.py --flag ['\"]a b['\"]"):
        pipeline_step.run(PipelineStep("Training", "fails.py", ["--flag", "a b"]), PYTHON, "it stops here")
    assert "fails.py --flag" in capfd.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals of this kind")
def test_a_killed_step_is_told_from_a_failed_one(tmp_path, monkeypatch):
    (tmp_path / "dies.py").write_text("import os; os.kill(os.getpid(), 9)", encoding="utf-8")
    monkeypatch.setattr(files, "REPOSITORY_ROOT", tmp_path)
    with pytest.raises(DataError, match="killed by signal 9; was memory short"):
        pipeline_step.run(PipelineStep("Training", "dies.py", []), PYTHON, "it stops here")


SAVES = """
import pathlib, time
try:
    print("began", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.6)  # longer than subprocess.run lets a process live
    pathlib.Path("saved").touch()
"""
RUNS = """
import pathlib, sys
from scripts.lib.core import command_line, files, pipeline_step
files.REPOSITORY_ROOT = pathlib.Path(sys.argv[1])
step = pipeline_step.PipelineStep("Training", "saves.py", [])
command_line.run(lambda _: pipeline_step.run(step, pathlib.Path(sys.executable), "it stops here"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals of this kind")
def test_a_step_that_is_interrupted_ends_in_its_own_time(tmp_path, repository_root):
    (tmp_path / "saves.py").write_text(SAVES, encoding="utf-8")
    command = [sys.executable, "-c", RUNS, tmp_path]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=repository_root, start_new_session=True, text=True, **streams) as process:
        while "began" not in process.stdout.readline():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl+C in a terminal: both processes get it
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "interrupted\n")
    assert (tmp_path / "saved").exists()
