"""What a check of a data set found, as text for a person and as JSON for a script."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, NOTE, WARNING, Finding, count_by_severity

VERSION = 1
HEAD = b'{\n  "version": '  # what the JSON begins with
_ORDER = (ERROR, WARNING, NOTE)


def by_kind(findings: Iterable[Finding]) -> list[list[Finding]]:
    """The findings of each kind (severity and code) together: errors first, kinds by name, in the order they came."""
    ordered = sorted(findings, key=_kind)
    return [list(group) for _, group in groupby(ordered, _kind)]


def _kind(finding: Finding) -> tuple[int, str]:
    return _ORDER.index(finding.severity), finding.code


def lines(findings: Iterable[Finding], num_shown: int) -> Iterator[str]:
    """The report's lines: every kind, the first of each in full, how many more there are.

    Args:
        findings: all of them.
        num_shown: findings of a kind that are shown; 0: all.
    """
    for group in by_kind(findings):
        yield f"{group[0].code}: {count_by_severity(group)}"
        shown = group[: num_shown or None]
        yield from (f"  {finding}" for finding in shown)
        if len(group) > len(shown):
            yield f"  ... and {len(group) - len(shown)} more (--num_shown 0 shows all, --json FILE lists all)"
        yield ""


def summary(findings: Sequence[Finding]) -> Iterator[str]:
    """Counts by kind."""
    for group in by_kind(findings):
        yield f"{len(group):7}  {group[0].severity:7}  {group[0].code}"
    yield f"{count_by_severity(findings) or 'nothing found'}"


def write_json(path: Path | str, findings: Sequence[Finding], facts: dict) -> None:
    """Writes all findings, whole or not at all.

    Args:
        path: the file.
        findings: all of them.
        facts: further entries, e.g. numbers of images and boxes.
    """
    content = {
        "version": VERSION,
        **facts,
        "severities": {severity: sum(f.severity == severity for f in findings) for severity in _ORDER},
        "kinds": dict(sorted(Counter(finding.code for finding in findings).items())),
        "findings": [finding.as_json() for group in by_kind(findings) for finding in group],
    }
    # A Linux file name that is no UTF-8 becomes \udcxx, which JSON spells the same way.
    with files.atomic_write(path, "w", errors="backslashreplace") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")
