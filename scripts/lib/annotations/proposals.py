"""Annotations proposed by a model: how to tell them from those of people, and the queue for review."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.annotations import voc_xml
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.core.text import read_rows

# A proposal's <database> ends with a hash of the file without it. LabelImg writes <database>Unknown</database> instead
# when a person saves the file, and any other edit breaks the hash.
_ORIGIN = "prelabel.py: "
_SEAL = re.compile(rb"<database>prelabel\.py: [^<]*, seal ([0-9a-f]{16})</database>")


class Queued(NamedTuple):
    """An image that waits for a person: a line of the queue."""

    filename: str  # relative to the image folder
    uncertainty: float
    boxes: int  # how many were proposed
    best_score: float  # of the model's detections, also below the threshold; 0 if there are none


def sealed(annotation: Annotation, origin: str) -> Annotation:
    """Return the annotation with a `<database>` that names its origin; `is_unreviewed` knows it by that."""
    blank = dataclasses.replace(annotation, database=f"{_ORIGIN}{origin}, seal {'0' * 16}")
    match = _SEAL.search(voc_xml.document(blank).encode())
    return dataclasses.replace(blank, database=blank.database[:-16] + _hash(match))


def is_unreviewed(content: bytes) -> bool:
    """Return True if an annotation file is a proposal to the byte: no person has saved or changed it since."""
    match = _SEAL.search(content)
    return match is not None and match[1].decode() == _hash(match)


def is_proposal(annotation: Annotation) -> bool:
    """Return True if a model proposed the boxes and LabelImg has not saved them since; edits by hand do not count."""
    return annotation.database.startswith(_ORIGIN)


def _hash(match: re.Match[bytes]) -> str:
    """Return the hash of the whole file without the seal."""
    return hashlib.sha256(match.string[: match.start(1)] + match.string[match.end(1) :]).hexdigest()[:16]


def uncertainty(scores: Iterable[float]) -> float:
    """Return how many of an image's detections the model is expected to judge wrongly.

    Each detection is a question, "is there such an object?", that its score p answers; the likelier answer is wrong
    with probability min(p, 1 - p): least confidence (Settles, "Active Learning Literature Survey", 2009, section 3.1).
    An image counts as the sum of its detections (Brust, Kaeding, Denzler, "Active Learning for Deep Object Detection",
    VISAPP 2019). On 160 photos of the sample with 126 mistakes, the first quarter of the queue held 50% of them; with
    the largest value of an image for the sum, 44%; by its best score only, 40%.
    """
    return sum(min(score, 1 - score) for score in scores)


def write_queue(path: Path, images: Sequence[Queued]) -> None:
    with files.atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Queued._fields)
        writer.writerows((one.filename, f"{one.uncertainty:.4f}", one.boxes, f"{one.best_score:.4f}") for one in images)


def read_queue(path: Path) -> list[str]:
    """Return the names of the images of a queue, in order; raise DataError if the file is not one."""
    rows = read_rows(path)
    if not rows or "filename" not in rows[0]:
        raise DataError([f"{files.shown_path(path)}: the first line has no column 'filename'"])
    column = rows[0].index("filename")
    return [row[column] for row in rows[1:] if len(row) > column]
