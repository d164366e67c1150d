"""Findings as text, and the exceptions that carry them."""

from __future__ import annotations

import pytest

from scripts.lib.core.errors import ERROR, NOTE, WARNING, DataError, Finding, count_by_severity, errors


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


def test_only_errors_are_picked():
    found = findings(WARNING, ERROR, NOTE)
    assert errors(found) == [found[1]]


def test_a_data_error_keeps_all_its_findings_and_shows_each_on_a_line():
    error = DataError(iter([*findings(ERROR), "the disk is full."]), "a.csv was not written")
    assert error.findings == [*findings(ERROR), "the disk is full."]
    assert str(error) == "error: a.xml: is odd.\nthe disk is full."
    assert error.consequence == "a.csv was not written"
