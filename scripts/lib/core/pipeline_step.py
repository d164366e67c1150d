"""A step of a longer run: one of the repository's scripts, in a process of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.core import command_line, files
from scripts.lib.core.errors import DataError


class PipelineStep(NamedTuple):
    """One command of the pipeline; paths are absolute, or relative to the repository's root."""

    title: str
    script: str
    arguments: Sequence[str | Path]


def command_text(python: Path, *arguments: str | Path) -> str:
    """Return the command line as a user types it in the repository root."""
    root = files.REPOSITORY_ROOT
    program = str(python.relative_to(root)) if root in python.parents else str(python)
    return command_line.shell_text(program, *arguments)


def run(step: PipelineStep, python: Path, consequence: str) -> None:
    """Show the command and run it; raise DataError with step, command and exit status if it fails."""
    text = command_text(python, step.script, *step.arguments)
    print(f"> {text}", flush=True)
    with subprocess.Popen([python, step.script, *step.arguments], cwd=files.REPOSITORY_ROOT) as process:
        try:
            status = process.wait()
        except KeyboardInterrupt:  # Ctrl+C reaches the step, too, and train.py saves a checkpoint before it ends
            process.wait()
            raise
    if status:
        how = f"exit status {status}" if status > 0 else f"killed by signal {-status}; was memory short?"
        raise DataError([f"{step.title} failed ({how}): {text}"], consequence)
