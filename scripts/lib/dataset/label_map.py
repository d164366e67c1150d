"""The label map: class names and their ids, the Object Detection API's `StringIntLabelMap` in text form.

It is the only source of class ids. Format: object_detection/protos/string_int_label_map.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from google.protobuf.message import Message

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, WARNING, DataError, Finding, errors
from scripts.lib.core.wording import one_line
from scripts.lib.object_detection_api import protos, text_protos

_EXAMPLE = "write it like data/apparel_label_map.pbtxt"


def read(path: Path | str) -> dict[str, int]:
    """Return class name -> id, in the order of the ids, which are 1 or more; gaps are allowed, as in COCO's 1 to 90.

    Raises:
        UsageError: there is no such file.
        DataError: it does not parse, or names or ids break the rules; all such items are listed.
    """
    return {_name(item): item.id for item in _read_items(path)}


def read_for_records(path: Path | str, keep_ids: bool) -> tuple[dict[str, int], list[Finding]]:
    """Like `read`, but refuse gaps between the ids unless they are to be kept; return the warnings, too."""
    class_ids, findings = inspect(path)
    findings += [] if keep_ids else gaps(class_ids, path)
    if errors(findings):
        raise DataError(findings)
    return class_ids, findings


def display_names(path: Path | str) -> dict[int, str]:
    """Return class id -> the name that people read, its display_name where that is given; raise as `read` does."""
    items = _read_items(path)
    shown = {item.id: item.display_name or _name(item) for item in items}
    is_unique = len(set(shown.values())) == len(shown)
    return shown if is_unique else {item.id: _name(item) for item in items}


def names_by_display(path: Path | str) -> dict[str, str]:
    """Return the name that people read -> the one that annotations and records have; raise as `read` does."""
    names = {class_id: name for name, class_id in read(path).items()}
    return {shown: names[class_id] for class_id, shown in display_names(path).items()}


def spellings(path: Path | str) -> dict[str, int]:
    """Return each name and each display_name -> id: what the API takes for a class's name; raise as `read` does."""
    items = _read_items(path)
    shown = {item.display_name: item.id for item in items if item.display_name}
    return {**shown, **{item.name: item.id for item in items}}


def inspect(path: Path | str) -> tuple[dict[str, int], list[Finding]]:
    """Like `read`, for a report that goes on: return class name -> id, and the findings."""
    items, findings = _inspect_items(path)
    return {_name(item): item.id for item in items}, findings


def gaps(class_ids: Mapping[str, int], path: Path | str) -> list[Finding]:
    """Return an error for ids that are not 1..N: a model that is trained anew would have classes that never occur."""
    highest = max(class_ids.values(), default=0)
    if highest == len(class_ids):
        return []
    missing = sorted(set(range(1, highest)) - set(class_ids.values()))
    some = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
    message = f"has {len(class_ids)} classes with ids up to {highest}; without a class: {some}"
    remedy = f"number the classes 1 to {len(class_ids)}; or, to go on from a model that was trained with this label map"
    return [_finding(path, message, f"{remedy}, give generate_tfrecord.py --keep_label_ids")]


def _read_items(path: Path | str) -> list[Message]:
    items, findings = _inspect_items(path)
    if errors(findings):
        raise DataError(findings)
    return items


def _inspect_items(path: Path | str) -> tuple[list[Message], list[Finding]]:
    """Return the items in the order of their ids, without a background, and what is wrong with them."""
    label_map = protos.load("string_int_label_map").StringIntLabelMap()
    try:
        text = text_protos.read_text(path, text_protos.LABEL_MAP)
        findings = text_protos.parse(text, label_map, path, text_protos.LABEL_MAP)
    except DataError as error:
        return [], error.findings
    items = sorted(label_map.item, key=lambda item: item.id)
    for background in [item for item in items if item.id == 0 and _name(item).lower() == "background"]:
        items.remove(background)
        message = f"the item of id 0, {_name(background)!r}, is left out: the model adds the background by itself"
        findings.append(_finding(path, message, "delete the item", WARNING))
    return items, findings + _check_items(path, items)


def _name(item: Message) -> str:
    """Return an item's name as annotations have it; COCO's and Open Images' are keys of Freebase, such as /m/01g317."""
    return item.display_name if item.display_name and item.name.startswith(("/m/", "/g/")) else item.name


def _check_items(path: Path | str, items: list[Message]) -> list[Finding]:
    if not items:
        return [_finding(path, "holds no class", _EXAMPLE)]
    findings = []
    names, ids = [_name(item) for item in items], [item.id for item in items]
    if "" in names:
        findings.append(_finding(path, "an item has no name", "give it one"))
    for name in sorted(set(names) - {""}):
        if one_line(name) != name:
            findings.append(_finding(path, f"the name {name!r} has a control character", "write it without"))
        if names.count(name) > 1:
            findings.append(_finding(path, f"the name {name!r} occurs {names.count(name)} times", "keep one of them"))
    for class_id in sorted(set(ids)):
        named = ", ".join(repr(name) for name, other in zip(names, ids, strict=True) if other == class_id)
        if class_id < 1:
            message = f"{named} has the id {class_id}; ids begin with 1, and 0 is the background's"
            findings.append(_finding(path, message, f"number the classes 1 to {len(items)}"))
        elif ids.count(class_id) > 1:
            message = f"the id {class_id} is given {ids.count(class_id)} times: {named}"
            findings.append(_finding(path, message, "give each class an id of its own"))
    return findings


def _finding(path: Path | str, message: str, remedy: str, severity: str = ERROR) -> Finding:
    return Finding(severity, "label-map", files.shown_path(path), message, remedy)
