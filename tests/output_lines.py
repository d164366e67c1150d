"""Every line that a command prints, accounted for."""

from __future__ import annotations

import re

# Shown every ten seconds; how many there are depends on the machine.
PROGRESS = re.compile(r"\w+: \d+/\d+ \w+, .* a second, .*|step \d+(/\d+)?: loss .*")


def assert_lines(text: str, *patterns: str) -> None:
    """Assert that the lines match the patterns one by one; lines of progress may stand between them."""
    lines = [line for line in text.splitlines() if not PROGRESS.fullmatch(line)]
    matched = [re.fullmatch(pattern, line) for pattern, line in zip(patterns, lines, strict=False)]
    assert len(lines) == len(patterns) and all(matched), text
