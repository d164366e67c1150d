"""Findings of a data set as text, as JSON, and as next steps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, NOTE, WARNING, Finding, count_by_severity, errors

VERSION = 1
HEAD = b'{\n  "version": '  # what the JSON begins with
_ORDER = (ERROR, WARNING, NOTE)


def by_kind(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Group the findings by kind (severity and code): errors first, kinds by name, in the order they came."""
    ordered = sorted(findings, key=_kind)
    return [list(group) for _, group in groupby(ordered, _kind)]


def _kind(finding: Finding) -> tuple[int, str]:
    return _ORDER.index(finding.severity), finding.code


def lines(findings: Iterable[Finding], num_shown: int) -> Iterator[str]:
    """Yield every kind, `num_shown` findings of each (0: all), and how many more there are."""
    for group in by_kind(findings):
        yield f"{group[0].code}: {count_by_severity(group)}"
        shown = group[: num_shown or None]
        yield from (f"  {finding}" for finding in shown)
        if len(group) > len(shown):
            yield f"  ... and {len(group) - len(shown)} more (--num_shown 0 shows all, --json FILE lists all)"
        yield ""


def summary(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the counts by kind."""
    for group in by_kind(findings):
        yield f"{len(group):7}  {group[0].severity:7}  {group[0].code}"
    yield f"{count_by_severity(findings) or 'nothing found'}"


def write_json(path: Path | str, findings: Sequence[Finding], facts: dict) -> None:
    """Write all findings, whole or not at all; `facts` are further entries, e.g. numbers of images and boxes."""
    content = {
        "version": VERSION,
        **facts,
        "severities": {severity: sum(f.severity == severity for f in findings) for severity in _ORDER},
        "kinds": dict(sorted(Counter(finding.code for finding in findings).items())),
        "findings": [finding.as_json() for group in by_kind(findings) for finding in group],
    }
    # A Linux file name that is not UTF-8 becomes \udcxx, which JSON spells the same way.
    with files.atomic_write(path, "w", errors="backslashreplace") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")


def next_steps(findings: Sequence[Finding], num_images: int, image_dir: str, from_csv: bool) -> list[str]:
    """Return what to do about the findings.

    Args:
        findings: of the data set.
        num_images: in the image folder.
        image_dir: the image folder.
        from_csv: the labels were read from the labels CSV.
    """
    steps = []
    missing = sum(finding.code == "image-missing" for finding in errors(findings))
    if missing > num_images:
        steps.append(f"{missing} annotated images are not in {image_dir}: is it the right --image_dir?")
    if errors(findings):
        scripts = "generate_tfrecord.py refuses" if from_csv else "xml_to_csv.py and generate_tfrecord.py refuse"
        steps.append(f"correct the errors, which {scripts}")
        steps.append("or leave out images with errors in image, box or class: generate_tfrecord.py --skip_invalid")
    if any(finding.code == "duplicate-across-split" for finding in findings):
        steps.append("split with: python split_dataset.py --group_by duplicates")
    if not errors(findings):
        begin = "read the warnings; then: " if findings else "next: "
        steps.append(f"{begin}python {'generate_tfrecord.py' if from_csv else 'xml_to_csv.py'}")
    return steps
