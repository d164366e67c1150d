"""Runs the scripts as a user does: as commands, from a folder of their own, with paths they were not made in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def run_script(repository_root, tmp_path_factory) -> Run:
    """`run_script(script, *arguments, status=0)` runs one and checks its exit status."""
    elsewhere = tmp_path_factory.mktemp("current folder")

    def run(script: str, *arguments: object, status: int = 0, cwd: Path = elsewhere) -> subprocess.CompletedProcess:
        command = [sys.executable, str(repository_root / script), *map(str, arguments)]
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, encoding="utf-8", timeout=900)
        assert result.returncode == status, (
            f"{script} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}"
        )
        assert "Traceback" not in result.stderr, result.stderr
        return result

    return run


@pytest.fixture(scope="module")
def repository_copy(repository_root, tmp_path_factory) -> Path:
    """A copy of the repository, without tests and pages, for commands that are run in it."""
    folder = tmp_path_factory.mktemp("Fotos für Größe M") / "apparel"  # neither spaces nor umlauts may matter
    folder.mkdir()
    made = shutil.ignore_patterns("__pycache__", "*.record*", "*.csv", "sample")
    for name in ("scripts", "configs", "data"):
        shutil.copytree(repository_root / name, folder / name, ignore=made)
    for path in (*repository_root.glob("*.py"), *repository_root.glob("*.txt")):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="session")
def short_config(repository_root) -> Callable[..., str]:
    """`short_config(folder, num_steps=3)`: the sample's config, shrunk to train within seconds, for records in a folder."""

    def make(folder: Path, num_steps: int = 3) -> str:
        text = (repository_root / "configs" / "ssd_mobilenet_v1_sample.config").read_text(encoding="utf-8")
        for old, new in (
            ("runs/quickstart/", f"{folder.as_posix()}/"),
            ("data/apparel_label_map.pbtxt", (repository_root / "data" / "apparel_label_map.pbtxt").as_posix()),
            ("batch_size: 16", "batch_size: 4"),
            ("height: 160", "height: 96"),
            ("width: 160", "width: 96"),
            ("num_steps: 1000", f"num_steps: {num_steps}"),
            ("warmup_steps: 50", "warmup_steps: 1"),
            ("use_moving_average: false", "use_moving_average: true moving_average_decay: 0.5"),
            ("total_steps: 1000", f"total_steps: {num_steps}"),
        ):
            assert old in text, old
            text = text.replace(old, new)
        return text

    return make
