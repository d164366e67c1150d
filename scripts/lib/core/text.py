"""Read a user's text file as UTF-8, or refuse it with the line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, DataError, Finding

MAX_BYTES = 2**30  # a million boxes take a tenth of it


def read_text(path: Path | str) -> str:
    """Return the file's text without a byte-order mark; line ends as they are.

    Raises:
        DataError: it is not UTF-8, or too large to be a list of boxes.
        OSError: it cannot be opened.
    """
    path, name = Path(path), files.shown_path(path)
    if (size := path.stat().st_size) > MAX_BYTES:
        message = f"has {size / 2**20:.0f} MB, at most {MAX_BYTES / 2**20:.0f} MB are read"
        raise DataError([Finding(ERROR, "text-too-large", name, message, "split it into several files")])
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8: byte 0x{content[error.start]:02x} at position {error.start}"
        line = content.count(b"\n", 0, error.start) + 1
        remedy = "save it as UTF-8 (Excel: CSV UTF-8)"
        raise DataError([Finding(ERROR, "text-encoding", name, message, remedy, line=line)]) from error


def read_rows(path: Path | str) -> list[list[str]]:
    """Return the rows of a CSV file; raise as `read_text` does, or DataError where it is not a CSV."""
    try:
        return list(csv.reader(io.StringIO(read_text(path), newline="")))
    except csv.Error as error:
        raise DataError(
            [Finding(ERROR, "csv", files.shown_path(path), f"is not a CSV: {error}", "save it anew")]
        ) from None
