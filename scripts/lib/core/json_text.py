"""Read JSON that somebody else may have written: within limits, and only if it is what the reader expects."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.lib.core import files

if TYPE_CHECKING:
    from scripts.lib.core.remote_path import RemotePath

MAX_BYTES = 2**30
_MAX_DIGITS = 18  # an integer then fits in 64 bits
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_WORDS = {
    bool: "true or false",
    dict: "an object",
    float: "a finite number",
    int: "a whole number",
    list: "a list",
    str: "a text",
    type(None): "null",
}


def parse(text: str | bytes, shape: Any = object) -> Any:
    """Return the content of a JSON text, after a comparison with a shape.

    Args:
        text: bytes are UTF-8; they may begin with a byte-order mark.
        shape: a type (`float` takes every finite number, `object` anything); `[shape]` for a list; `{str: shape}` for
            an object of any names; `{"name": shape}` for one that has these names, and maybe more, or may lack a
            "name?"; a tuple for one of several.

    Raises:
        ValueError: it is not JSON, too deep or too large for its reader, or of another shape. The message is the end of
            a sentence about the text, e.g. "has 'many' as classes.Tops.boxes, expected a whole number".
    """
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        content = json.loads(text, parse_int=_integer)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(content, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("is not usable JSON: lists or objects are nested too deeply in it") from None
    except UnicodeEncodeError:
        raise ValueError("is not usable JSON: it has half of a character (a lone surrogate)") from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    compare(content, shape)
    return content


def read(path: Path | RemotePath | str, shape: Any = object, max_bytes: int = MAX_BYTES) -> Any:
    """Return the content of a JSON file; raise as `parse` does, OSError where it cannot be read."""
    path = files.path_of(path)
    if (size := path.stat().st_size) > max_bytes:
        raise ValueError(f"has {size:,} bytes, expected at most {max_bytes:,}")
    return parse(files.read_bytes(path), shape)


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        raise ValueError(f"the number {digits[:12]}... has {len(digits)} digits")
    return int(digits)


def compare(value: Any, shape: Any, place: str = "") -> None:
    """Raise ValueError where a value, at a place such as "classes.Tops.boxes", is not of the shape."""
    if isinstance(shape, tuple):
        for one in reversed(shape):
            try:
                return compare(value, one, place)
            except ValueError as error:
                mismatch = error
        raise mismatch  # of the first shape
    kind = shape if isinstance(shape, type) else type(shape)
    is_number = kind in (int, float) and isinstance(value, (int, kind)) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) if kind in (int, float) else isinstance(value, kind)):
        where = f" as {place}" if place else ""
        found = _WORDS[type(value)] if isinstance(value, (dict, list)) else f"{value!r:.40}"
        raise ValueError(f"has {found}{where}, expected {_WORDS[kind]}")
    if isinstance(shape, dict):
        parts = dict.fromkeys(value, shape[str]) if str in shape else shape
        if lacking := [name for name in parts if name not in value and not name.endswith("?")]:
            raise ValueError(f"lacks {', '.join(f'{place}.{name}'.lstrip('.') for name in lacking)}")
        for name, part in parts.items():
            name = name if name in value else name.removesuffix("?")
            if name in value:
                compare(value[name], part, f"{place}.{name}".lstrip("."))
    elif isinstance(shape, list):
        for number, item in enumerate(value):
            compare(item, shape[0], f"{place}[{number}]")
