"""What is wrong with a command or with the user's data, and the exceptions that say so.

The checks that make findings are shared by every step, so that one mistake has one wording: what
`check_dataset.py` calls an error is what `generate_tfrecord.py` refuses.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from scripts.lib.core.wording import counted, one_line

ERROR = "error"  # a record must not be written with it
WARNING = "warning"  # accepted, but probably not what was meant
NOTE = "note"  # worth knowing
SEVERITIES = (ERROR, WARNING, NOTE)

EXAMPLES = 3  # findings of a kind that are shown; more are counted


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        severity: ERROR, WARNING or NOTE.
        code: what kind of finding it is, e.g. "box-outside-image"; stable, for scripts that read the JSON.
        file: the file at fault, as the user named it, with `/`.
        message: what was found and what was expected, a sentence without its full stop.
        remedy: what to do about it, likewise.
        object: which object of the file, e.g. "object 2 (Skirts)", counted from 1; empty for the whole file.
        line: line in the file, counted from 1, or None where that says nothing.
    """

    severity: str
    code: str
    file: str
    message: str
    remedy: str = ""
    object: str = ""
    line: int | None = None

    @property
    def place(self) -> str:
        """File, line and object."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.object}" if self.object else place

    def __str__(self) -> str:
        return _sentence(f"{self.severity}: {self.place}: {self.message}", self.remedy)

    def as_json(self) -> dict[str, str | int | None]:
        return dataclasses.asdict(self)


def _sentence(what: str, remedy: str) -> str:
    return one_line(f"{what}; {remedy}." if remedy else f"{what}.")


def errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == ERROR]


def count_by_severity(findings: Iterable[Finding | str]) -> str:
    """E.g. "3 errors, 1 warning"; a plain sentence counts as an error."""
    numbers = Counter(getattr(finding, "severity", ERROR) for finding in findings)
    return ", ".join(counted(numbers[severity], severity) for severity in SEVERITIES if numbers[severity])


def by_kind(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Group findings by kind (severity and code): errors first, kinds by name, each in the order they came."""
    groups = defaultdict(list)
    for finding in findings:
        groups[SEVERITIES.index(finding.severity), finding.code].append(finding)
    return [groups[kind] for kind in sorted(groups)]


def finding_lines(findings: Iterable[Finding | str], show_all: bool = False) -> Iterator[str]:
    """Yield findings as lines of text: errors, then warnings, then notes.

    More than `EXAMPLES` of a kind become one line with their number and the remedy, and the first of them below it.
    Those of one kind with the same message, such as the same unknown class, are counted apart from the others. Plain
    sentences count as errors, and are not grouped; with `show_all` nothing is.
    """
    findings, is_grouped = list(findings), False
    yield from (f"error: {finding}" for finding in findings if isinstance(finding, str))
    for kind in by_kind(finding for finding in findings if isinstance(finding, Finding)):
        for group in _by_message(kind):
            if show_all or len(group) <= EXAMPLES:
                yield from map(str, group)
            else:
                is_grouped = True
                yield from _group_lines(group)
    if is_grouped:
        yield f"Of each kind the first {EXAMPLES} are shown; --all shows every one."


def _by_message(kind: Sequence[Finding]) -> list[list[Finding]]:
    """Divide findings of a kind into those of each message that is frequent, the most frequent first, and the rest."""
    groups = defaultdict(list)
    for finding in kind:
        groups[finding.message].append(finding)
    frequent = sorted((group for group in groups.values() if len(group) > EXAMPLES), key=len, reverse=True)
    rest = [finding for finding in kind if len(groups[finding.message]) <= EXAMPLES]
    return [*frequent, rest] if rest else frequent


def _group_lines(group: Sequence[Finding]) -> Iterator[str]:
    """Yield how many findings a group has, what they say, and the first of them."""
    first, examples = group[0], group[:EXAMPLES]
    messages, remedies, files = ({getattr(one, name) for one in group} for name in ("message", "remedy", "file"))
    where = first.file if len(files) == 1 else counted(len(files), "file")
    what = "object" if all(one.object for one in group) else "line" if all(one.line for one in group) else ""
    extent = where if len(files) == len(group) else f"{counted(len(group), what or 'time')} in {where}"
    said = first.message if len(messages) == 1 else first.code
    yield _sentence(f"{first.severity}: {extent}: {said}", first.remedy if len(remedies) == 1 else "")
    for one in examples:
        message = f": {one.message}" if len(messages) > 1 else ""
        yield one_line(f"    {one.place}{message}" + (f"; {one.remedy}" if one.remedy and len(remedies) > 1 else ""))
    yield f"    and {len(group) - len(examples)} more"


class UsageError(Exception):
    """The command was called wrongly: a flag, a path that does not exist. Ends with exit status 2."""


class DataError(Exception):
    """The user's data is at fault. Ends with exit status 1.

    Args:
        findings: every mistake of the run, as `Finding`s or as finished sentences; all are shown.
        consequence: what was therefore not done, e.g. "data/labels.csv was not written".
    """

    def __init__(self, findings: Iterable[Finding | str], consequence: str = ""):
        self.findings = list(findings)
        self.consequence = consequence
        super().__init__("\n".join(map(str, self.findings)))
