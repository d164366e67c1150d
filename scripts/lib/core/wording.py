"""Words of messages: names that may hold anything, numbers of things."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Control characters, line breaks, and what turns the direction of the text (Unicode 15, section 23.2).
_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_STEERS_TERMINAL = re.compile(f"\r(?!\n)|(?![\t\n\r]){_CONTROL_CHARACTER.pattern}")


def one_line(text: str) -> str:
    """Return the text with every control character and line break escaped as in Python, e.g. `\\n` or `\\x1b`."""
    return _CONTROL_CHARACTER.sub(_escaped, text)


def printable(text: str) -> str:
    """Return the text with every character escaped that could steer a terminal; tabs and line breaks stay."""
    return _STEERS_TERMINAL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return repr(match[0])[1:-1]


def listed(names: Sequence[str], where: str) -> str:
    """Return the names, separated by commas; of more than ten the first three, and where all of them are."""
    if len(names) <= 10:
        return ", ".join(names)
    return f"{', '.join(names[:3])} and {len(names) - 3} more, see {where}"


def counted(number: int, noun: str) -> str:
    """Return e.g. "1 image", "2 boxes", "3 categories"."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{number} {noun}es"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
