"""The label map: class names and their ids, the Object Detection API's `StringIntLabelMap` in text form.

It is the only source of class ids. Format: object_detection/protos/string_int_label_map.proto.
"""

from __future__ import annotations

from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, DataError, Finding, errors
from scripts.lib.core.wording import one_line
from scripts.lib.object_detection_api import protos, text_protos

_EXAMPLE = "write it like data/apparel_label_map.pbtxt"


def read(path: Path | str) -> dict[str, int]:
    """Read a label map.

    Args:
        path: e.g. data/apparel_label_map.pbtxt; UTF-8, with or without a byte order mark.

    Returns:
        Class name -> id, in the order of the ids, which are 1..N without a gap. (The API takes ids below
        `num_classes` + 1 as they come: a class with id 0 or beyond N is never detected, and nothing says so.)

    Raises:
        UsageError: there is no such file.
        DataError: it does not parse, or names or ids break the rules; all such items are listed.
    """
    class_ids, findings = inspect(path)
    if errors(findings):
        raise DataError(findings)
    return class_ids


def inspect(path: Path | str) -> tuple[dict[str, int], list[Finding]]:
    """Like `read`, for a report that goes on: return class name -> id, and the findings."""
    label_map = protos.load("string_int_label_map").StringIntLabelMap()
    try:
        text = text_protos.read_text(path, text_protos.LABEL_MAP)
        warnings = text_protos.parse(text, label_map, path, text_protos.LABEL_MAP)
    except DataError as error:
        return {}, error.findings
    class_ids = {item.name: item.id for item in sorted(label_map.item, key=lambda item: item.id)}
    return class_ids, warnings + _check_items(path, [(item.name, item.id) for item in label_map.item])


def _check_items(path: Path | str, items: list[tuple[str, int]]) -> list[Finding]:
    if not items:
        return [_finding(path, "holds no class", _EXAMPLE)]
    findings = []
    names, ids = [name for name, _ in items], [class_id for _, class_id in items]
    if "" in names:
        findings.append(_finding(path, "an item has no name", "give it one"))
    for name in sorted(set(names) - {""}):
        if one_line(name) != name:
            findings.append(_finding(path, f"the name {name!r} has a control character", "write it without"))
        if names.count(name) > 1:
            findings.append(_finding(path, f"the name {name!r} occurs {names.count(name)} times", "keep one of them"))
    if sorted(ids) != list(range(1, len(ids) + 1)):
        found = ", ".join(f"{name} {class_id}" for name, class_id in items)
        message = f"the ids must be 1 to {len(ids)}, each once; found {found}"
        findings.append(_finding(path, message, "renumber the classes"))
    return findings


def _finding(path: Path | str, message: str, remedy: str) -> Finding:
    return Finding(ERROR, "label-map", files.shown_path(path), message, remedy)
