"""The class map: a CSV `theirs,ours` that turns the classes of another data set into one's own."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from scripts.lib.annotations.parsing import error_in
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.core.errors import DataError, Finding
from scripts.lib.core.text import read_rows


def read(path: Path) -> dict[str, str]:
    """Return our name for each of their classes, "" to leave it out; raise DataError if a line is wrong."""
    lines = enumerate(read_rows(path), start=1)
    rows = [(number, [field.strip() for field in fields]) for number, fields in lines if fields]
    if not rows or rows[0][1] != ["theirs", "ours"]:
        raise DataError([error_in(path, "class-map", "the first line is not 'theirs,ours'", "add that line", line=1)])
    counts = Counter(fields[0] for _, fields in rows)
    wrong = [number for number, fields in rows if len(fields) != 2 or not fields[0] or counts[fields[0]] > 1]
    if wrong:
        message = "is not 'theirs,ours', or names a class again"
        raise DataError([error_in(path, "class-map", message, "correct the line", line=number) for number in wrong])
    return {theirs: ours for _, (theirs, ours) in rows[1:]}


def rename(annotations: Iterable[Annotation], class_map: Mapping[str, str]) -> tuple[list[Annotation], list[Finding]]:
    """Return the annotations with our class names, and an error for each whose classes the map lacks.

    Objects of a class that is mapped to an empty name are left out.
    """
    renamed, findings = [], []
    for annotation in annotations:
        if unknown := sorted({box.name for box in annotation.objects} - class_map.keys()):
            message = f"the class map has no line for {', '.join(map(repr, unknown))}"
            remedy = "add it to --class_map; an empty second field leaves the class out"
            findings.append(error_in(annotation.source, "class-map", message, remedy, annotation.filename))
            continue
        objects = [dataclasses.replace(box, name=class_map[box.name]) for box in annotation.objects]
        renamed.append(dataclasses.replace(annotation, objects=[box for box in objects if box.name]))
    return renamed, findings
