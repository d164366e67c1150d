"""Read text protos, which people write by hand: pipeline configs and label maps."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, WARNING, DataError, Finding, UsageError
from scripts.lib.object_detection_api import protos

CONFIG, LABEL_MAP = "pipeline config", "label map"
_KINDS = {CONFIG: ("pipeline", "TrainEvalPipelineConfig"), LABEL_MAP: ("string_int_label_map", "StringIntLabelMap")}
_DEEPEST = 8  # no field that one would misplace lies deeper
_MAX_BYTES = 20 * 2**20  # the label map of Open Images has 50 KB
_TWICE = re.compile(r'should not have multiple "(\w+)" fields|Field "\w+" is specified along with field "(\w+)"')
_UNKNOWN_VALUE = re.compile(r'Enum type "([\w.]+)" has no value (?:with number|named) (.*?)\.?$')
_TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(\w*)\s*:?\s*([{<])|[}>]""")


def read_text(path: Path | str, kind: str) -> str:
    """Read a file of a kind, `CONFIG` or `LABEL_MAP`.

    Raises:
        UsageError: there is no such regular file.
        DataError: it is empty, or not text.
    """
    path = files.path_of(path)
    shown = files.shown_path(path)
    if not files.is_url(path) and path.exists() and not path.is_file():
        found = "a folder" if path.is_dir() else "a pipe or device, which might never end"
        raise UsageError(f"the {kind} {shown} is {found}; give a file")
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= _MAX_BYTES else b""
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"there is no {kind} {shown}") from None
    except UnicodeDecodeError as error:
        if b"\0" in content and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataError([_finding(path, kind, f"is not a {kind}, but binary", _example(kind))]) from None
        raise DataError([_finding(path, kind, f"is not UTF-8 (byte {error.start})", "save it as UTF-8")]) from None
    if size > _MAX_BYTES:
        raise DataError([_finding(path, kind, f"is not a {kind}: it has {size:,} bytes", _example(kind))])
    if not text.strip():
        raise DataError([_finding(path, kind, "is empty", _example(kind))])
    return text.replace("\r\n", "\n")


def parse(text: str, message: Message, path: Path | str, kind: str) -> list[Finding]:
    """Parse text into an empty message; return a warning for each field that another one replaces, as in the API.

    Raises:
        DataError: it does not parse; the line and the field are named.
    """
    try:
        text_format.Parse(text, message)
        return []
    except text_format.ParseError as error:
        first, replaced = error, _TWICE.search(str(error))
    message.Clear()
    try:
        text_format.Merge(text, message)  # as the API does
    except text_format.ParseError as error:
        raise DataError([_explain(error, text, message, path, kind)]) from error
    what = "is there twice" if replaced[1] else f"replaces {replaced[2]}, which is there, too"
    reason = f"{_path_at(text, first)} {what}; the last one counts"
    return [_finding(path, kind, reason, "remove the other", first.GetLine(), WARNING)]


def _explain(error: text_format.ParseError, text: str, message: Message, path: Path | str, kind: str) -> Finding:
    """Return what is wrong, and what was probably meant."""
    reason = str(error).split(" : ", 1)[-1].strip(". ")  # protobuf's own message starts with "line:column : "
    remedy, field = _example(kind), _path_at(text, error)
    if " has no field named " in reason:
        above, _, name = field.rpartition(".")
        descriptor = message.DESCRIPTOR
        for part in filter(None, above.split(".")):
            known = descriptor.fields_by_name.get(part)  # None within a list of messages, whose name _path_at misses
            descriptor = known.message_type if known else descriptor
        others = [other for other in _KINDS if other != kind and name in _root(other).fields_by_name]
        places = list(_places(message.DESCRIPTOR, name))[:3]
        near = difflib.get_close_matches(name, descriptor.fields_by_name, 1)
        reason = f"{field}: there is no such field"
        if others and not above and not near:
            reason, remedy = f"is a {others[0]}, not a {kind}", f"give a {kind}"
        elif places:
            remedy = f"put it in {' or '.join(places)}"
        elif near:
            remedy = f"perhaps {near[0]} is meant"
    elif match := _UNKNOWN_VALUE.search(reason):
        values = descriptor_pool.Default().FindEnumTypeByName(match[1]).values_by_name
        reason, remedy = f"{field}: there is no value {match[2]}", f"write one of {', '.join(values)}"
    elif "Value out of range" in reason or "Couldn't parse" in reason:
        reason, remedy = f"{field}: {reason.rpartition(': ')[0].rpartition(': ')[2]}", "correct the value"
        reason += f" ({str(error).rpartition(': ')[2]})"
    else:
        reason = f"is not a {kind}: {reason}"
    return _finding(path, kind, reason, remedy, error.GetLine())


def _path_at(text: str, error: text_format.ParseError) -> str:
    """Return the path of the field where the parser stopped, e.g. "train_config.batch_size"."""
    lines = text.split("\n")[: error.GetLine()]
    end = len("\n".join([*lines[:-1], ""])) + error.GetColumn() - 1
    above: list[str] = []
    for token in itertools.takewhile(lambda token: token.end() <= end, _TOKEN.finditer(text)):
        if token[2]:
            above.append(token[1])
        elif token[0] in "}>" and above:
            above.pop()
    before, at = re.search(r"(\w+)\s*:\s*$", text[:end]), re.match(r"\w+", text[end:])
    found = before or at or re.search(r"(\w+)\s*$", text[:end])  # the value, the name, or the brace behind it
    return ".".join(filter(None, [*above, found[0].rstrip(": \n") if found else ""]))


def _places(descriptor: Descriptor, name: str, above: str = "") -> Iterator[str]:
    """Yield the paths of the messages at or below one that have a field of this name."""
    if above and name in descriptor.fields_by_name:
        yield above
    for field in descriptor.fields:
        if field.message_type and above.count(".") < _DEEPEST:
            yield from _places(field.message_type, name, f"{above}.{field.name}".lstrip("."))


def _root(kind: str) -> Descriptor:
    module, name = _KINDS[kind]
    return getattr(protos.load(module), name).DESCRIPTOR


def _example(kind: str) -> str:
    return "see the configs in configs/" if kind == CONFIG else "write it like data/apparel_label_map.pbtxt"


def _finding(
    path: Path | str, kind: str, reason: str, remedy: str, line: int | None = None, severity: str = ERROR
) -> Finding:
    return Finding(severity, kind.replace(" ", "-"), files.shown_path(path), reason, remedy, line=line)
