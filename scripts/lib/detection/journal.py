"""The journal of detect.py: one line of JSON per image, from which an interrupted run goes on.

Lines are only ever appended, so that an interruption leaves at most half a line at the end. All other results are made
from the journal when the run ends; they do not depend on how often it was stopped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from scripts.lib.core import files, json_text
from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import Finding, UsageError

HEAD = b'{"models": [{"name": "'  # what the file begins with


class ImageResult(NamedTuple):
    """The detections of an image, or why it could not be read."""

    name: str  # in the results
    output_name: str  # relative path of files made from it
    version: str  # changes when the image does
    width: int  # pixels, upright; 0 where it could not be read
    height: int
    detections: list[Detection]  # best first
    error: Finding | None = None

    def to_line(self) -> bytes:
        row = self._asdict()
        row["detections"] = [
            (found.class_name, round(found.score, 6), *(round(pixels, 2) for pixels in found[2:]))
            for found in self.detections
        ]
        row["error"] = self.error and self.error.as_json()
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> ImageResult:
        """Raise ValueError, TypeError or KeyError where `to_line` did not write the line."""
        row = json_text.parse(line, {"name": str, "detections": [list], "error": (dict, type(None))})
        row["detections"] = [Detection(*found) for found in row["detections"]]
        row["error"] = row["error"] and Finding(**row["error"])
        return cls(**row)


class Journal:
    """A journal file, open for further lines; the settings, on which the results depend, are its first line.

    With `resume` it goes on with an existing file: a UsageError if that has other settings.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], resume: bool):
        self._offsets: dict[str, int] = {}
        self._end = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file: IO[bytes] = path.open("r+b" if resume and path.is_file() else "w+b")
        settings = json.loads(json.dumps(settings))
        for number, line in enumerate(self._file):
            try:
                if not line.endswith(b"\n"):
                    break
                if number == 0:
                    _check_settings(path, json_text.parse(line, dict), settings)
                else:
                    self._offsets[ImageResult.from_line(line).name] = self._end
            except (ValueError, TypeError, KeyError):
                break
            self._end += len(line)
        self._file.seek(self._end)
        self._file.truncate()  # half a line
        if not self._end:
            self._append(json.dumps(settings, ensure_ascii=False).encode() + b"\n")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._offsets)

    def append(self, image: ImageResult) -> None:
        self._offsets[image.name] = self._end
        self._append(image.to_line())

    def _append(self, line: bytes) -> None:
        with files.naming(self._path):
            self._file.write(line)
            self._file.flush()
        self._end += len(line)

    def get(self, name: str) -> ImageResult | None:
        """Return the last entry of that name; the journal stays open for more."""
        if name not in self._offsets:
            return None
        self._file.seek(self._offsets[name])
        image = ImageResult.from_line(self._file.readline())
        self._file.seek(self._end)
        return image


def _check_settings(path: Path, found: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    if different := [name for name in settings if found.get(name) != settings[name]]:
        raise UsageError(
            f"--resume: {files.shown_path(path)} is from a run with other {', '.join(different)}; "
            "give the same settings again, or leave out --resume to start a new run"
        )
