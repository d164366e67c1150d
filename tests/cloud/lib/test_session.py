"""Project and region of a command, and the question before a change."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cloud.lib import gcloud, session
from scripts.lib.core.errors import UsageError

DEMO = session.Session("demo", "us-central1")


@pytest.mark.parametrize(
    ("given", "configured", "expected"),
    [
        (("p", "r"), ("q", "s"), ("p", "r")),
        ((None, None), ("q", "s"), ("q", "s")),
        (("p", None), ("", ""), ("p", session.DEFAULT_REGION)),
    ],
)
def test_flags_come_before_gcloud_s_configuration(monkeypatch, given, configured, expected):
    monkeypatch.setattr(gcloud, "is_installed", lambda: True)
    monkeypatch.setattr(gcloud, "configuration", lambda: configured)
    opened = session.open_session(*given, dry_run=False, yes=True)
    assert (opened.project, opened.region, opened.online) == (*expected, True)
    assert opened.flags == (f"--project={expected[0]}", f"--region={expected[1]}")


def test_without_a_project_nothing_is_done(monkeypatch):
    monkeypatch.setattr(gcloud, "is_installed", lambda: False)
    with pytest.raises(UsageError, match="no Google Cloud project; give --project"):
        session.open_session(None, None, dry_run=True, yes=False)


def test_without_gcloud_only_a_dry_run_goes_on(monkeypatch, capsys):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert not session.open_session("demo", None, dry_run=True, yes=False).online
    assert "nothing on Google Cloud was checked" in capsys.readouterr().err
    with pytest.raises(UsageError, match="gcloud is not installed.*cloud.google.com/sdk/docs/install"):
        session.open_session("demo", None, dry_run=False, yes=False)


def test_nobody_is_asked_without_a_terminal(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(UsageError, match="give --yes"):
        DEMO.confirm("Submit?")


@pytest.mark.parametrize(("answer", "goes_on"), [("y", True), ("YES", True), ("", False), ("n", False)])
def test_only_yes_goes_on(monkeypatch, answer, goes_on):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert DEMO.confirm("Submit?") is goes_on


def test_a_dry_run_changes_nothing_even_with_yes(capsys):
    assert not session.Session("demo", "us-central1", dry_run=True, yes=True).confirm("Submit?")
    assert capsys.readouterr().out == "Nothing was changed (--dry_run).\n"
