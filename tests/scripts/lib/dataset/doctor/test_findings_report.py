"""Findings as JSON, and what to do next."""

from __future__ import annotations

import json

import pytest

from scripts.lib.core.errors import ERROR, NOTE, WARNING, Finding
from scripts.lib.dataset.doctor import findings_report

FINDINGS = [
    Finding(NOTE, "image-converted", "a.gif", "is a GIF"),
    *(Finding(ERROR, "image-missing", f"{number}.jpg", "is missing", "put it there") for number in range(4)),
    Finding(WARNING, "box-tiny", "b.jpg", "is tiny"),
]


def test_the_json_holds_every_finding_and_the_facts(tmp_path):
    findings_report.write_json(tmp_path / "a.json", [*FINDINGS, Finding(NOTE, "odd", "\udcff", "ü")], {"images": 6})
    assert (tmp_path / "a.json").read_bytes().startswith(findings_report.HEAD)
    report = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert report["images"] == 6 and report["severities"] == {"error": 4, "warning": 1, "note": 2}
    assert [Finding(**entry) for entry in report["findings"]][:4] == FINDINGS[1:5]
    assert report["findings"][-1]["file"] == "\udcff"


@pytest.mark.parametrize(
    ("kinds", "from_csv", "expected"),
    [
        ([], True, ["next: python generate_tfrecord.py"]),
        ([(WARNING, "box-tiny")], False, ["read the warnings; then: python xml_to_csv.py"]),
        (
            [(ERROR, "image-missing")] * 9,
            True,
            ["9 annotated images are not in samples", "correct the errors", "or leave"],
        ),
    ],
)
def test_next_steps_depend_on_what_was_found(kinds, from_csv, expected):
    findings = [Finding(severity, code, "a", "is so") for severity, code in kinds]
    steps = findings_report.next_steps(findings, 5, "samples", from_csv)
    assert len(steps) == len(expected) and all(map(str.startswith, steps, expected))
