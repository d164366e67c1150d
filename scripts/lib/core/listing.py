"""Files below a folder, listed the same way on every platform."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

Suffixes = str | tuple[str, ...]


def names_below(folder: Path | str, suffixes: Suffixes) -> list[str]:
    """The regular files of a folder and its sub-folders that have one of the suffixes, in order of their names.

    Names are relative to the folder, with `/`; they compare character by character, case-sensitively. Links are
    followed. Hidden files and folders are left out (macOS leaves `._name.xml` on foreign disks).

    Args:
        folder: where to look.
        suffixes: in lower case, e.g. ".xml"; upper case in a name does not matter.

    Raises:
        OSError: a folder cannot be read: nothing below it is left out in silence.
    """
    return sorted(_names(os.fspath(folder), suffixes))


def _names(folder: str, suffixes: Suffixes, prefix: str = "", above: tuple[str, ...] = ()) -> Iterator[str]:
    above = (*above, os.path.realpath(folder))
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if os.path.realpath(entry.path) not in above:  # a link back to a folder above would never end
                    yield from _names(entry.path, suffixes, f"{prefix}{entry.name}/", above)
            elif entry.name.lower().endswith(suffixes) and entry.is_file():
                yield prefix + entry.name
