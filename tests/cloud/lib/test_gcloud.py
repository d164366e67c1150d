"""What gcloud says when it fails, in one sentence with a remedy; commands as every shell reads them."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from cloud.lib import gcloud
from scripts.lib.core.errors import DataError, UsageError

SAID = {
    "ERROR: (gcloud.ai.custom-jobs.create) You do not currently have an active account selected.": "gcloud auth login",
    "ERROR: (gcloud.storage.cp) There was a problem refreshing your current auth tokens: Reauthentication failed.": "gcloud auth login",
    "ERROR: (gcloud.ai.custom-jobs.create) PERMISSION_DENIED: Vertex AI API has not been used in project 12 before or it "
    "is disabled. Enable it by visiting https://console.developers.google.com/apis/api/aiplatform.googleapis.com/overview": "gcloud services enable aiplatform.googleapis.com",
    "ERROR: (gcloud.ai.custom-jobs.create) RESOURCE_EXHAUSTED: The following quota metrics exceed quota limits: "
    "aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus": "exceed quota limits: aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus): ask for more",
    "ERROR: (gcloud.ai.custom-jobs.create) RESOURCE_EXHAUSTED: Insufficient capacity": "(Insufficient capacity): ask for more",
    "ERROR: (gcloud.storage.buckets.describe) gs://nobucket not found: 404.": "no such bucket (nobucket)",
    "ERROR: (gcloud.storage.cp) HTTPError 404: The specified bucket does not exist.": "gcloud storage buckets create",
    "ERROR: (gcloud.ai.custom-jobs.create) PERMISSION_DENIED: Permission 'aiplatform.customJobs.create' denied": "(Permission 'aiplatform.customJobs.create' denied): ask an owner",
    "ERROR: (gcloud.ai.custom-jobs.create) PERMISSION_DENIED: You do not have permission to act as service account: a@b": "act as service account: a@b): ask an owner of the project for the roles in cloud/README.md",
    "ERROR: (gcloud.ai.custom-jobs.create) INVALID_ARGUMENT: Machine type 'n1-nonsense' is not supported.": "gcloud failed: INVALID_ARGUMENT: Machine type 'n1-nonsense' is not supported.",
    "ERROR: (gcloud.ai.custom-jobs.describe) NOT_FOUND: The customJobs 999 does not exist. This command is "
    "unauthenticated because the [auth/disable_credentials] property is True.": "gcloud failed: NOT_FOUND: The customJobs 999 does not exist.",
    "ERROR: (gcloud.storage.cat) The following URLs matched no objects or files:\ngs://b/none": "matched no objects or files: gs://b/none",
    "ERROR: gcloud crashed (ConnectionError): HTTPSConnectionPool: Max retries exceeded with url: /v1/": "Max retries exceeded with url: /v1/",
    "WARNING: something\nERROR: (gcloud.ai) A new kind of failure.": "gcloud failed: A new kind of failure.",
    "": "gcloud failed: it gave no reason",
}


@pytest.mark.parametrize("said", SAID)
def test_a_failure_becomes_one_sentence_with_a_remedy(said):
    sentence = gcloud.explain(said)
    assert SAID[said] in sentence
    assert "\n" not in sentence and "{" not in sentence


def test_commands_are_shown_as_every_shell_reads_them():
    command = ["gcloud", "x", "--format=value(name)", "a b", "--substitutions=_A=b,_C=d", "gs://b/model.ckpt-1.*"]
    shown = 'gcloud x "--format=value(name)" "a b" "--substitutions=_A=b,_C=d" "gs://b/model.ckpt-1.*"'
    assert gcloud.shown(command) == shown


def test_the_batch_file_of_windows_is_not_used(monkeypatch, tmp_path):
    sdk = tmp_path / "A & B" / "google-cloud-sdk"
    (sdk / "bin").mkdir(parents=True)
    (sdk / "bin" / "gcloud.cmd").touch()
    bundled = sdk / "platform" / "bundledpython" / "python.exe"
    bundled.parent.mkdir(parents=True)
    bundled.touch()
    (sdk / "lib").mkdir()
    (sdk / "lib" / "gcloud.py").touch()
    monkeypatch.setattr(gcloud.files, "ON_WINDOWS", True)
    monkeypatch.delenv("CLOUDSDK_PYTHON", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: str(sdk / "bin" / "gcloud.cmd"))
    assert gcloud.program() == [str(bundled.resolve()), "-S", str(sdk.resolve() / "lib" / "gcloud.py")]
    (sdk / "lib" / "gcloud.py").unlink()
    assert gcloud.program() == [str(sdk / "bin" / "gcloud.cmd")]


def test_who_is_not_logged_in_is_told_how(monkeypatch):
    monkeypatch.setattr(gcloud, "run_json", lambda *_: {"core": {"project": "demo"}})
    with pytest.raises(UsageError, match="not logged in; run `gcloud auth login`"):
        gcloud.configuration()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("WARNING: update available", "is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ('{"location": "us"}', "has an object, expected a list"),
        ('[{"bucket": "b"}]', "lacks [0].name"),
    ],
)
def test_case_32_an_answer_that_was_not_asked_for_is_a_sentence(monkeypatch, answer, reason):
    monkeypatch.setattr(gcloud, "run", lambda *_: answer)
    with pytest.raises(DataError) as refused:
        gcloud.run_json([{"bucket": str, "name": str}], "storage", "list")
    assert str(refused.value) == f"the answer of gcloud storage list {reason}; update gcloud (gcloud components update)"


DEMO = gcloud.Session("demo", "us-central1")


@pytest.mark.parametrize(
    ("given", "configured", "expected"),
    [
        (("p", "r"), ("q", "s"), ("p", "r")),
        ((None, None), ("q", "s"), ("q", "s")),
        (("p", None), ("", ""), ("p", gcloud.DEFAULT_REGION)),
    ],
)
def test_flags_come_before_gcloud_s_configuration(monkeypatch, given, configured, expected):
    monkeypatch.setattr(gcloud, "is_installed", lambda: True)
    monkeypatch.setattr(gcloud, "configuration", lambda: configured)
    opened = gcloud.open_session(*given, dry_run=False, yes=True)
    assert (opened.project, opened.region, opened.online) == (*expected, True)
    assert opened.flags == (f"--project={expected[0]}", f"--region={expected[1]}")


def test_without_a_project_nothing_is_done(monkeypatch):
    monkeypatch.setattr(gcloud, "is_installed", lambda: False)
    with pytest.raises(UsageError, match="no Google Cloud project; give --project"):
        gcloud.open_session(None, None, dry_run=True, yes=False)


def test_without_gcloud_only_a_dry_run_goes_on(monkeypatch, capsys):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert not gcloud.open_session("demo", None, dry_run=True, yes=False).online
    assert "nothing on Google Cloud was checked" in capsys.readouterr().err
    with pytest.raises(UsageError, match="gcloud is not installed.*cloud.google.com/sdk/docs/install"):
        gcloud.open_session("demo", None, dry_run=False, yes=False)


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
    assert not gcloud.Session("demo", "us-central1", dry_run=True, yes=True).confirm("Submit?")
    assert capsys.readouterr().out == "Nothing was changed (--dry_run).\n"
