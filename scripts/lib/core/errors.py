"""What is wrong with a command or with the user's data, and the exceptions that say so.

The checks that make findings are shared by every step, so that one mistake has one wording: what
`check_dataset.py` calls an error is what `generate_tfrecord.py` refuses.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

ERROR = "error"  # a record must not be written with it
WARNING = "warning"  # accepted, but probably not what was meant
NOTE = "note"  # worth knowing


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

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        where = f"{place}: {self.object}" if self.object else place
        sentence = f"{self.severity}: {where}: {self.message}"
        sentence = f"{sentence}; {self.remedy}." if self.remedy else f"{sentence}."
        return _CONTROL_CHARACTER.sub(lambda match: repr(match[0])[1:-1], sentence)  # a name may hold any: one line

    def as_json(self) -> dict[str, str | int | None]:
        return dataclasses.asdict(self)


_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == ERROR]


def count_by_severity(findings: Iterable[Finding | str]) -> str:
    """E.g. "3 errors, 1 warning"; a plain sentence counts as an error."""
    severities = [getattr(finding, "severity", ERROR) for finding in findings]
    counts = ((severities.count(severity), severity) for severity in (ERROR, WARNING, NOTE))
    return ", ".join(f"{count} {severity}{'s' if count != 1 else ''}" for count, severity in counts if count)


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
