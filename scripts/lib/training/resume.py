"""Finds the checkpoint from which a training goes on, whatever killed the run before it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import files
from scripts.lib.core.errors import DataError

_HALF_WRITTEN = re.compile(r"model\.ckpt-\d+_temp(_[0-9a-f]{32})?")  # where TensorFlow prepares a checkpoint
_KEPT = 5  # checkpoints that TensorFlow's saver keeps


def find_readable(train_dir: Path | str, repair: bool = True) -> tuple[Path | None, str]:
    """Return the checkpoint to go on from, None for the beginning, and a note for the user, which may be empty.

    It is the one that the folder's `checkpoint` file names. Where that file, or what it names, is missing or damaged,
    it is the newest one that TensorFlow can read, and the `checkpoint` file is written again, so that the trainer finds
    the same. Damaged checkpoints stay; the half-written files of a killed run are removed.

    Args:
        train_dir: the training's folder.
        repair: False for a process that does not save: it changes nothing in the folder.

    Raises:
        DataError: the `checkpoint` file names checkpoints, but none can be read.
    """
    if files.is_url(train_dir) or not repair:  # on a bucket a checkpoint appears whole or not at all
        return checkpoint_files.latest(train_dir), ""
    folder = Path(train_dir)
    if not folder.is_dir():
        return None, ""
    remove_half_written(folder)
    named = checkpoint_files.latest(folder)
    fault = checkpoint_files.fault(named) if named else "it names none that is there"
    if named and not fault:
        if not checkpoint_files.names_its_own(folder):  # moved or copied: TensorFlow would look in its former place
            write_state(folder, [named])
        return named, ""
    state = folder / "checkpoint"
    what = f"{files.shown_path(named)} cannot be read ({fault})" if named else f"{files.shown_path(state)}: {fault}"
    by_step = [prefix for prefix in checkpoint_files.prefixes(folder) if checkpoint_files.step_of(prefix) is not None]
    readable = [prefix for prefix in by_step if prefix != named and not checkpoint_files.fault(prefix)]
    if readable:
        write_state(folder, readable[-_KEPT:])
        return readable[-1], f"{what}; going on from the newest that can, {readable[-1].name}."
    if state.exists():
        problem = (
            f"{what}, nor can any other checkpoint of {files.shown_path(folder)}; "
            "put back a copy, or give another --train_dir to start from the beginning"
        )
        raise DataError([problem], "the training was not started")
    return None, f"{by_step[-1].name} was not written to its end; starting from the beginning." if by_step else ""


def remove_half_written(folder: Path) -> None:
    """Remove checkpoints that a killed run did not finish; no reader knows them."""
    for path in folder.glob("model.ckpt-*_temp*"):
        if _HALF_WRITTEN.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def write_state(folder: Path, prefixes: list[Path]) -> None:
    """Write the `checkpoint` file of a folder (tensorflow/python/training/checkpoint_state.proto), the newest last."""
    names = [f'all_model_checkpoint_paths: "{prefix.name}"\n' for prefix in prefixes]
    with files.atomic_write(folder / "checkpoint", "w") as file:
        file.writelines([f'model_checkpoint_path: "{prefixes[-1].name}"\n', *names])
