"""Paths in both spellings, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]


def default_path(relative: str) -> Path:
    """The default of a flag: a path below the repository root, wherever the command is run from."""
    return REPOSITORY_ROOT / relative


def is_url(path: Path | str) -> bool:
    """Whether it is the address of a file elsewhere, such as gs://bucket/train.record."""
    return "://" in str(path)


def display(path: Path | str) -> str:
    """The path as messages spell it: `/` on every platform, relative to the current folder if below it; a URL as is."""
    if is_url(path):
        return str(path)
    path = Path(path)
    with contextlib.suppress(ValueError, OSError):
        path = path.resolve().relative_to(Path.cwd())
    return path.as_posix()


@contextlib.contextmanager
def whole_file(path: Path | str, mode: str = "wb", durable: bool = True, **open_options) -> Iterator[IO]:
    """Opens a file for writing that appears under its name only when the block has ended without an error.

    It is written beside its place, flushed to the disk, and renamed. A process that is killed leaves at most a
    `.<name>.<random>.partial`, which nothing reads; an exception removes that too and leaves an older file of
    the name as it was.

    Args:
        path: the final name; its folder is made where it is missing.
        mode: "wb", or "w" (UTF-8, line ends as written).
        durable: wait until the disk has it; False for one of many files that are quickly made again.
        **open_options: passed to `open`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if "b" not in mode:
        open_options = {"encoding": "utf-8", "newline": "", **open_options}
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:60]}.", suffix=".partial")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, mode, **open_options) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp's 0600 would keep colleagues from reading it
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _umask() -> int:
    """The process's umask, which can be read only by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def replace_folder(made: Path, place: Path) -> None:
    """Moves a finished folder to its place; one that is there already goes only once the new one can take its place.

    Args:
        made: the finished folder, on the same file system.
        place: its final path.
    """
    if not place.exists():
        made.rename(place)
        return
    former = made.with_name(f"{made.name}.former")
    place.rename(former)
    try:
        made.rename(place)
    except BaseException:
        former.rename(place)
        raise
    shutil.rmtree(former)
