"""A photo as a model looks at it: uint8 [height, width, 3], red, green, blue, upright."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, Finding, errors
from scripts.lib.images import prepare

if TYPE_CHECKING:
    import numpy as np


def read(path: Path, findings: list[Finding]) -> np.ndarray | None:
    """The photo of a file, or None with a finding that says why not."""
    content = read_bytes(path)
    if isinstance(content, Finding):
        findings.append(content)
        return None
    return decoded(content, files.shown_path(path), findings)


def read_bytes(path: Path) -> bytes | Finding:
    """A photo's file, or what is in the way."""
    file = files.shown_path(path)
    try:
        if path.stat().st_size > prepare.MAX_BYTES:
            limit = f"{prepare.MAX_BYTES / 2**20:.0f} MB"
            return Finding(ERROR, "image-too-large", file, f"the file has more than {limit}", "shrink the image")
        return path.read_bytes()
    except FileNotFoundError:
        return Finding(ERROR, "image-missing", file, "there is no such image", "check its name")
    except (OSError, ValueError) as error:  # ValueError: the name itself
        return Finding(ERROR, "image-unreadable", file, str(getattr(error, "strerror", None) or error))


def decoded(data: bytes, file: str, findings: list[Finding]) -> np.ndarray | None:
    """The photo of a file's content, as `prepare.decoded_pixels` gives it.

    Args:
        data: the file's content.
        file: its name, for the finding.
        findings: gets an error where the photo cannot be read; then None is returned.
    """
    try:
        return prepare.decoded_pixels(data)
    except Exception as error:  # hostile bytes make Pillow's plugins raise nearly anything
        findings += errors(prepare.prepare(data, file)[1]) or [prepare.unreadable(data, file, error)]
        return None
