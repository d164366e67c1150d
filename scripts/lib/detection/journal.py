"""What detect.py has found so far: one line of JSON a photo, from which an interrupted run goes on.

Lines are only ever appended. Whatever an interruption leaves, up to half a line at the end, the lines before it are
whole; all other results are made from them when the run ends, so that they do not depend on how often it was stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from scripts.lib.core import files
from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import Finding, UsageError


class ImageResult(NamedTuple):
    """A photo that was looked at.

    Attributes:
        name: in the results.
        output_name: relative path of files made from it.
        version: changes when the photo does.
        width, height: pixels, upright; 0 where it could not be read.
        detections: best first.
        error: why it could not be read.
    """

    name: str
    output_name: str
    version: str
    width: int
    height: int
    detections: list[Detection]
    error: Finding | None = None

    def line(self) -> bytes:
        row = self._asdict()
        row["detections"] = [
            (found.class_name, round(found.score, 6), *(round(pixels, 2) for pixels in found[2:]))
            for found in self.detections
        ]
        row["error"] = self.error and self.error.as_json()
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> ImageResult:
        """Raises ValueError, TypeError or KeyError where the line is none of ours."""
        row = json.loads(line)
        row["detections"] = [Detection(*found) for found in row["detections"]]
        row["error"] = row["error"] and Finding(**row["error"])
        return cls(**row)


class Journal:
    """The file, open for further lines.

    Args:
        path: of the file.
        settings: what the results depend on; the first line.
        resume: go on with a file that is there; otherwise it is begun anew.

    Raises:
        UsageError: the file that is to be gone on with has other settings.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], resume: bool):
        self._offsets: dict[str, int] = {}
        self._end = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = path.open("r+b" if resume and path.is_file() else "w+b")
        self._take_up(path, settings)
        self._file.seek(self._end)
        self._file.truncate()  # half a line
        if not self._end:
            self._append(json.dumps(settings, ensure_ascii=False).encode() + b"\n")

    def _take_up(self, path: Path, settings: Mapping[str, Any]) -> None:
        """Reads what an earlier run has left."""
        for number, line in enumerate(self._file):
            try:
                if not line.endswith(b"\n"):
                    break
                if number == 0:
                    _check_settings(path, json.loads(line), settings)
                else:
                    self._offsets[ImageResult.of_line(line).name] = self._end
            except (ValueError, TypeError, KeyError, AttributeError):
                break
            self._end += len(line)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._offsets

    def __len__(self) -> int:
        return len(self._offsets)

    def append(self, seen: ImageResult) -> None:
        """Adds a photo; it is safe from the end of the process at once."""
        self._offsets[seen.name] = self._end
        self._append(seen.line())

    def _append(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        self._end += len(line)

    def read(self, name: str) -> ImageResult:
        """The last entry of that name; the journal stays open for more."""
        self._file.seek(self._offsets[name])
        seen = ImageResult.of_line(self._file.readline())
        self._file.seek(self._end)
        return seen

    def read_all(self, names: Iterable[str]) -> Iterator[ImageResult]:
        return map(self.read, names)


def _check_settings(path: Path, found: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    different = [name for name in settings if found.get(name) != json.loads(json.dumps(settings[name]))]
    if different:
        raise UsageError(
            f"--resume: {files.shown_path(path)} is of a run with another {', '.join(different)}; "
            "give the same again, or leave --resume out to begin anew"
        )
