"""A photo as a model looks at it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from scripts.lib import files, image_bytes
from scripts.lib.findings import ERROR, Finding, errors


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
