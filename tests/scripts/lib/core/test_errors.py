"""Findings as text, and the exceptions that carry them."""

from __future__ import annotations

import pytest

from scripts.lib.core.errors import (
    ERROR,
    NOTE,
    WARNING,
    DataError,
    Finding,
    count_by_severity,
    errors,
    finding_lines,
)


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding(ERROR, "x", "a.xml", "is empty"), "error: a.xml: is empty."),
        (Finding(NOTE, "x", "a.csv", "has a gap", "fill it", line=7), "note: a.csv:7: has a gap; fill it."),
        (
            Finding(WARNING, "x", "a.xml", "is small", "draw it again", "object 2 (Skirts)", 31),
            "warning: a.xml:31: object 2 (Skirts): is small; draw it again.",
        ),
    ],
)
def test_a_finding_names_its_place_its_fault_and_the_remedy(finding, text):
    assert str(finding) == text


def test_control_characters_of_a_name_are_escaped_so_that_a_finding_stays_one_line():
    finding = Finding(ERROR, "x", "a\nb\x1b[31m\u2028\x85größe.xml", "is\tbroken")
    assert str(finding) == "error: a\\nb\\x1b[31m\\u2028\\x85größe.xml: is\\tbroken."
    assert list(finding_lines([finding] * 4))[1] == "    a\\nb\\x1b[31m\\u2028\\x85größe.xml"
    assert len(str(finding).splitlines()) == 1
    assert finding.as_json()["file"] == "a\nb\x1b[31m\u2028\x85größe.xml", "in JSON the name is as it is"


def findings(*severities: str) -> list[Finding]:
    return [Finding(severity, "x", "a.xml", "is odd") for severity in severities]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([], ""),
        (findings(ERROR), "1 error"),
        (findings(NOTE, WARNING, ERROR, WARNING), "1 error, 2 warnings, 1 note"),
        (["a sentence.", *findings(ERROR, NOTE)], "2 errors, 1 note"),
    ],
)
def test_findings_are_counted_by_severity_and_sentences_as_errors(found, text):
    assert count_by_severity(found) == text


HINT = "Of each kind the first 3 are shown; --all shows every one."


def unknown(name, file, number):
    where = f"object {number} ({name})"
    return Finding(ERROR, "unknown-class", file, f"class {name!r} is unknown", "correct it", where)


def test_up_to_three_of_a_kind_are_sentences_errors_first():
    found = [
        Finding(NOTE, "b", "n", "is odd"),
        *(Finding(WARNING, "a", f, "is so") for f in "xyz"),
        unknown("Hat", "e", 1),
    ]
    assert list(finding_lines(["the disk is full.", *found])) == [
        "error: the disk is full.",
        *map(str, [found[4], *found[1:4], found[0]]),
    ]


def test_many_findings_with_one_message_are_one_line_and_three_examples():
    hats = [unknown("Hat", f"{number // 2}.jpg", number) for number in range(9)]
    caps = [unknown("Cap", "c.jpg", number) for number in range(4)]
    lines = list(finding_lines([*caps, *hats, unknown("Bag", "b.jpg", 1)]))
    assert lines == [
        "error: 9 objects in 5 files: class 'Hat' is unknown; correct it.",
        "    0.jpg: object 0 (Hat)",
        "    0.jpg: object 1 (Hat)",
        "    1.jpg: object 2 (Hat)",
        "    and 6 more",
        "error: 4 objects in c.jpg: class 'Cap' is unknown; correct it.",
        "    c.jpg: object 0 (Cap)",
        "    c.jpg: object 1 (Cap)",
        "    c.jpg: object 2 (Cap)",
        "    and 1 more",
        "error: b.jpg: object 1 (Bag): class 'Bag' is unknown; correct it.",
        HINT,
    ]
    assert list(finding_lines(caps, show_all=True)) == list(map(str, caps))


def test_many_findings_with_their_own_messages_are_grouped_by_kind():
    found = [Finding(NOTE, "renamed", f"{n}.xml", f"the image is '{n}.png'") for n in range(343)]
    assert list(finding_lines(found)) == [
        "note: 343 files: renamed.",
        *(f"    {n}.xml: the image is '{n}.png'" for n in range(3)),
        "    and 340 more",
        HINT,
    ]
    rows = [Finding(ERROR, "csv", "a.csv", f"{n} is odd", f"write {n + 1}", line=n) for n in range(1, 7)]
    lines = list(finding_lines(rows))
    assert lines[:2] == ["error: 6 lines in a.csv: csv.", "    a.csv:1: 1 is odd; write 2"] and len(lines) == 6


def test_only_errors_are_picked():
    found = findings(WARNING, ERROR, NOTE)
    assert errors(found) == [found[1]]


def test_a_data_error_keeps_all_its_findings_and_shows_each_on_a_line():
    error = DataError(iter([*findings(ERROR), "the disk is full."]), "a.csv was not written")
    assert error.findings == [*findings(ERROR), "the disk is full."]
    assert str(error) == "error: a.xml: is odd.\nthe disk is full."
    assert error.consequence == "a.csv was not written"
