"""From which checkpoint a training goes on, whatever killed the run before it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import files
from scripts.lib.core.errors import DataError

_HALF_WRITTEN = re.compile(r"model\.ckpt-\d+_temp(_[0-9a-f]{32})?")  # where TensorFlow prepares a checkpoint
_KEPT = 5  # checkpoints of which TensorFlow's saver then removes the oldest


def find_readable(train_dir: Path | str, mend: bool = True) -> Path | None:
    """The checkpoint to go on from, which TensorFlow will find, too; None: the training starts from the beginning.

    It is the one that the folder's `checkpoint` file names. Where that file, or what it names, is missing or damaged,
    it is the newest one that TensorFlow can read to its end: this is said, and the `checkpoint` file is written anew.
    Damaged checkpoints stay where they are; what a killed run left of one that it was about to write is removed.

    Args:
        train_dir: the training's folder.
        mend: False for a replica that does not save: it leaves the folder alone.

    Raises:
        DataError: the `checkpoint` file tells of checkpoints, and none can be read.
    """
    folder = Path(train_dir)
    if files.is_url(train_dir):  # where a checkpoint appears whole or not at all
        return checkpoint_files.latest(train_dir)
    if not folder.is_dir():
        return None
    if not mend:
        return checkpoint_files.latest(folder)
    remove_half_written(folder)
    named = checkpoint_files.latest(folder)
    fault = checkpoint_files.fault(named) if named else "it names none that is there"
    if named and not fault:
        return named
    by_step = [prefix for prefix in checkpoint_files.prefixes(folder) if checkpoint_files.step_of(prefix) is not None]
    readable = [prefix for prefix in by_step if prefix != named and not checkpoint_files.fault(prefix)]
    state = folder / "checkpoint"
    what = f"{files.shown_path(named)} cannot be read ({fault})" if named else f"{files.shown_path(state)}: {fault}"
    if readable:
        _write_state(state, readable[-_KEPT:])
        if named or by_step[-1] != readable[-1] or state.exists():
            print(f"{what}; going on from the newest that can, {readable[-1].name}.", flush=True)
        return readable[-1]
    if state.exists():
        raise DataError(
            [
                f"{what}, nor can any other checkpoint of {files.shown_path(folder)}; "
                "put back a copy, or give another --train_dir to start from the beginning"
            ],
            "the training was not started",
        )
    if by_step:
        print(f"{by_step[-1].name} was not written to its end; starting from the beginning.", flush=True)
    return None


def remove_half_written(folder: Path) -> None:
    """Removes the folders of checkpoints that a killed run did not finish; no reader knows them."""
    for path in folder.glob("model.ckpt-*_temp*"):
        if _HALF_WRITTEN.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _write_state(path: Path, prefixes: list[Path]) -> None:
    """The `checkpoint` file (tensorflow/python/training/checkpoint_state.proto), the newest checkpoint last."""
    names = [f'all_model_checkpoint_paths: "{prefix.name}"\n' for prefix in prefixes]
    with files.atomic_write(path, "w") as file:
        file.writelines([f'model_checkpoint_path: "{prefixes[-1].name}"\n', *names])
