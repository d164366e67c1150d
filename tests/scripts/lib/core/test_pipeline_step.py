"""A step that runs, fails or is killed."""

from __future__ import annotations

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
