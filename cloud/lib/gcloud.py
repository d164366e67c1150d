"""Runs gcloud, without a shell, and turns what it says when it fails into one sentence with a remedy.

Credentials, project and region are those that gcloud is configured for; nothing here reads or keeps any.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.core.errors import DataError, UsageError

ON_WINDOWS = os.name == "nt"
INSTALL = "install the Google Cloud CLI (https://cloud.google.com/sdk/docs/install) and run `gcloud auth login`"
# A question on the terminal that nobody sees would wait for ever.
ENVIRONMENT = {"CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}


def is_installed() -> bool:
    return shutil.which("gcloud") is not None


def program() -> list[str]:
    """What starts gcloud.

    On Windows gcloud is a batch file, whose arguments cmd.exe would read a second time (`&`, `%` and `^` in a folder's
    name); the program behind it is started instead, as the batch file does.

    Raises:
        UsageError: gcloud is not installed.
    """
    found = shutil.which("gcloud")
    if found is None:
        raise UsageError(f"gcloud is not installed, or its folder is not on PATH; {INSTALL}")
    if not ON_WINDOWS:
        return [found]
    sdk = Path(found).resolve().parents[1]
    if not (sdk / "lib" / "gcloud.py").is_file():  # a package manager's stand-in for the batch file
        return [found]
    bundled = sdk / "platform" / "bundledpython" / "python.exe"
    python = os.environ.get("CLOUDSDK_PYTHON") or (bundled if bundled.is_file() else sys.executable)
    return [str(python), "-S", str(sdk / "lib" / "gcloud.py")]


def run(*arguments: str) -> str:
    """Runs a gcloud command and returns what it prints.

    Raises:
        UsageError: gcloud is not installed.
        DataError: it failed; says in one sentence why, and what to do.
    """
    completed = attempt(*arguments)
    if completed.returncode:
        raise DataError([explain(completed.stderr)])
    return completed.stdout


def run_json(*arguments: str) -> dict | list:
    """What a gcloud command prints with --format=json."""
    return json.loads(run(*arguments, "--format=json") or "[]")


def attempt(*arguments: str, **options) -> subprocess.CompletedProcess:
    """Runs a gcloud command, whether it fails or not; `options` go to `subprocess.run`, the default is to capture."""
    options = options or {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
    return subprocess.run([*program(), *arguments], check=False, **_environment(), **options)


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen]:
    """A gcloud command that writes to this terminal; it ends with the block."""
    with subprocess.Popen([*program(), *arguments], **_environment()) as process:
        try:
            yield process
        finally:
            process.terminate()


def _environment() -> dict:
    return {"stdin": subprocess.DEVNULL, "env": {**os.environ, **ENVIRONMENT}}


def shown(command: Sequence[str]) -> str:
    """A command as one line that bash, PowerShell and cmd read alike: words that one of them would split are quoted."""
    return " ".join(word if re.fullmatch(r"[\w=:./\\-]+", word) else f'"{word}"' for word in command)


class Configuration(NamedTuple):
    """What gcloud is configured for; empty strings where it is not."""

    project: str
    region: str


def configuration() -> Configuration:
    """Project and region that gcloud is configured for.

    Raises:
        UsageError: gcloud is not installed, or has no account to act for.
    """
    found = run_json("config", "list")
    # Where credentials are switched off, nobody is asked for any: a test server, or a proxy that adds them.
    if not found.get("core", {}).get("account") and str(found.get("auth", {}).get("disable_credentials", "")) in "0":
        raise UsageError("gcloud is not logged in; run `gcloud auth login`, then this again")
    return Configuration(found.get("core", {}).get("project", ""), found.get("ai", {}).get("region", ""))


# What gcloud says -> what it means and what to do. The first that is found counts; {0}, {1}: the pattern's groups.
_EXPLANATIONS = {
    r"do not currently have an active account|any credentialed accounts": (
        "gcloud is not logged in: run `gcloud auth login`, then this again."
    ),
    r"(?i:reauthentication|refreshing your current auth tokens)|invalid_grant|UNAUTHENTICATED|HTTPError 401": (
        "gcloud's login has expired or is not accepted: run `gcloud auth login`, then this again."
    ),
    r"(?is)(?:API \[|https://console\.\S+/apis/api/)([\w.-]+googleapis\.com)": (
        "The API {0} is not switched on in this project: run `gcloud services enable {0}`, wait a minute, and run this "
        "again."
    ),
    r"(?i)SERVICE_DISABLED|has not been used in project|it is disabled": (
        "An API that this needs is not switched on in this project: run `gcloud services enable "
        "aiplatform.googleapis.com storage.googleapis.com artifactregistry.googleapis.com`, wait a minute, and run "
        "this again."
    ),
    r"(?i)quota metrics exceed quota limits: (?:aiplatform\.googleapis\.com/)?([^\s\"']+)": (
        "The project's quota for {0} in this region is too small: ask for more (console, IAM & Admin, Quotas), or give "
        "fewer machines (--workers), another GPU (--spec), or another --region."
    ),
    r"(?i)RESOURCE_EXHAUSTED:? ?(.*)|HTTPError 429:? ?(.*)|(?:exceed\w*|insufficient) (?:the )?(quota.*)": (
        "The project's quota, or what the region has left, does not suffice ({0}): ask for more (console, IAM & Admin, "
        "Quotas), or give fewer machines (--workers), another GPU (--spec), or another --region."
    ),
    r"iam\.serviceAccounts\.actAs|permission to act as service account": (
        "Your account may not let jobs run as this service account: an owner of the project gives you "
        "roles/iam.serviceAccountUser on it."
    ),
    r"(?i)(?:The specified bucket does not exist|bucket (?:gs://)?(\S+) (?:not found|does not exist)|"
    r"gs://([^/\s]+) not found: 404)": (
        "There is no such bucket ({0}): check --bucket, or make it with "
        "`gcloud storage buckets create gs://BUCKET --location=REGION --uniform-bucket-level-access`."
    ),
    r"(?i)invalid value for \[(?:--)?region\]|region.{0,80}(?:not (?:supported|available)|unsupported|is invalid)": (
        "Vertex AI is not to be had in this region: give another --region, e.g. us-central1 or europe-west4, and a "
        "bucket in it."
    ),
    r"(?i)PERMISSION_DENIED:? ?(.*)|HTTPError 403:? ?(.*)|does not have ([\w.]+ access.*)": (
        "Your account may not do this ({0}): an owner of the project gives it the roles in cloud/README.md."
    ),
    r"(?i)INVALID_ARGUMENT:? ?(.*)": (
        "Vertex AI refuses the job specification ({0}): correct it (--spec) and submit it again."
    ),
    r"(?i)NOT_FOUND:? ?(.*customJobs.*)": (
        "There is no such job ({0}): `python cloud/submit.py status --all` lists those there are."
    ),
    r"(?i)matched no objects(?: or files)?:?\s*(.*)": "Nothing lies at that address on the bucket ({0}).",
    r"(?i)unable to find the server|name or service not known|name resolution|connection (?:refused|reset|aborted)|"
    r"failed to establish a new connection|timed out|max retries exceeded|network is unreachable|problem reaching": (
        "Google Cloud cannot be reached: check the network and `gcloud config list proxy/`, then run this again."
    ),
    r"(?i)UNAVAILABLE|INTERNAL: |HTTPError 50\d": (
        "Google Cloud does not answer at the moment: run this again in a few minutes."
    ),
}


def explain(said: str) -> str:
    """One sentence for what gcloud says when it fails."""
    said = re.sub(r"This command is (un)?authenticated .*", "", said)
    for pattern, sentence in _EXPLANATIONS.items():
        match = re.search(pattern, said)
        if match:
            groups = [group.strip(" .\"'") for group in match.groups() if group]
            text = sentence.format(*(groups or [""]))
            return text.replace(" ()", "")
    errors = re.findall(r"ERROR: (?:\(gcloud[\w.-]*\) )?(.+)", said)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"gcloud failed: {(errors or lines or ['it said nothing'])[-1]}"
