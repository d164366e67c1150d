"""A photo as a model looks at it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from scripts.lib import files, image_bytes
from scripts.lib.findings import ERROR, Finding, errors

if TYPE_CHECKING:
    import numpy as np


def pixels(data: bytes, file: str, findings: list[Finding]) -> np.ndarray | None:
    """What is on a photo, uint8 [height, width, 3] as `image_bytes.decoded_pixels` gives it.

    Args:
        data: the file's content.
        file: its name, for the finding.
        findings: gets an error where the photo cannot be read; then None is returned.
    """
    try:
        return image_bytes.decoded_pixels(data)
    except Exception as error:  # hostile bytes make Pillow's plugins raise nearly anything
        findings += errors(image_bytes.prepare(data, file)[1]) or [image_bytes.unreadable(data, file, error)]
        return None


def read(path: Path, findings: list[Finding]) -> Image.Image | None:
    """The upright RGB image, or None with a finding that says why not."""
    try:
        data = path.read_bytes()
        return image_bytes.decoded_upright(data)
    except FileNotFoundError:
        missing = Finding(ERROR, "image-missing", files.display(path), "there is no such image", "check its name")
        findings.append(missing)
    except OSError as error:
        if error.filename:  # the file could not be read at all
            findings.append(Finding(ERROR, "image-unreadable", files.display(path), str(error.strerror)))
        else:
            findings += errors(image_bytes.prepare(data, files.display(path))[1])
    except Exception:  # hostile bytes make Pillow's plugins raise nearly anything
        findings += errors(image_bytes.prepare(data, files.display(path))[1])
    return None
