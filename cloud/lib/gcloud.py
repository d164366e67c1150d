"""Run gcloud without a shell, and turn its error messages into one sentence with a remedy."""

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

from scripts.lib.core.errors import DataError, UsageError

ON_WINDOWS = os.name == "nt"
INSTALL = "install the Google Cloud CLI (https://cloud.google.com/sdk/docs/install) and run `gcloud auth login`"


def is_installed() -> bool:
    return shutil.which("gcloud") is not None


def program() -> list[str]:
    """Return the words that start gcloud.

    On Windows gcloud is a batch file. cmd.exe would read its arguments a second time and stumble over `&`, `%` and `^`
    in a folder's name, so the program behind the batch file is started instead.

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
    """Run a gcloud command and return what it prints.

    Raises:
        UsageError: gcloud is not installed.
        DataError: it failed, with one sentence that says why and what to do.
    """
    completed = attempt(*arguments)
    if completed.returncode:
        raise DataError([explain(completed.stderr)])
    return completed.stdout


def run_json(*arguments: str) -> dict | list:
    """Run a gcloud command and return what it prints with --format=json."""
    return json.loads(run(*arguments, "--format=json") or "[]")


def attempt(*arguments: str) -> subprocess.CompletedProcess:
    """Run a gcloud command that may fail, and capture its output as text."""
    text = {"encoding": "utf-8", "errors": "replace"}
    return subprocess.run([*program(), *arguments], check=False, capture_output=True, **text, **_environment())


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen]:
    """Run a gcloud command that writes to this terminal, and stop it at the end of the block."""
    with subprocess.Popen([*program(), *arguments], **_environment()) as process:
        try:
            yield process
        finally:
            process.terminate()


def _environment() -> dict:
    # Nobody would see a question, and gcloud would wait for ever.
    return {"stdin": subprocess.DEVNULL, "env": {**os.environ, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}}


def shown(command: Sequence[str]) -> str:
    """Return a command as one line that bash, PowerShell and cmd read alike."""
    return " ".join(word if re.fullmatch(r"[\w=:./\\-]+", word) else f'"{word}"' for word in command)


def configuration() -> tuple[str, str]:
    """Return the project and the region that gcloud is configured for, "" where it is not.

    Raises:
        UsageError: gcloud is not installed, or not logged in.
    """
    found = run_json("config", "list")
    # Where credentials are switched off (a test server, a proxy that adds them) no account is needed.
    if not found.get("core", {}).get("account") and str(found.get("auth", {}).get("disable_credentials", "")) in "0":
        raise UsageError("gcloud is not logged in; run `gcloud auth login`, then this again")
    return found.get("core", {}).get("project", ""), found.get("ai", {}).get("region", "")


# What gcloud prints -> what it means and what to do. The first match counts; {0} is the pattern's group that matched.
_EXPLANATIONS = {
    r"do not currently have an active account|any credentialed accounts": (
        "gcloud is not logged in: run `gcloud auth login`, then this again."
    ),
    r"(?i:reauthentication|refreshing your current auth tokens)|invalid_grant|UNAUTHENTICATED|HTTPError 401": (
        "gcloud's login has expired or is not accepted: run `gcloud auth login`, then this again."
    ),
    r"(?is)(?:API \[|https://console\.\S+/apis/api/)([\w.-]+googleapis\.com)": (
        "The API {0} is not enabled in this project: run `gcloud services enable {0}`, wait a minute, and run this "
        "again."
    ),
    r"(?i)SERVICE_DISABLED|has not been used in project|it is disabled": (
        "An API that this needs is not enabled in this project: run `gcloud services enable "
        "aiplatform.googleapis.com storage.googleapis.com artifactregistry.googleapis.com`, wait a minute, and run "
        "this again."
    ),
    r"(?i)quota metrics exceed quota limits: (?:aiplatform\.googleapis\.com/)?([^\s\"']+)": (
        "The project's quota for {0} in this region is too small: ask for more (console, IAM & Admin, Quotas), or give "
        "fewer machines (--workers), another GPU (--spec), or another --region."
    ),
    r"(?i)RESOURCE_EXHAUSTED:? ?(.*)|HTTPError 429:? ?(.*)|(?:exceed\w*|insufficient) (?:the )?(quota.*)": (
        "The project's quota or the region's capacity is too small ({0}): ask for more (console, IAM & Admin, "
        "Quotas), or give fewer machines (--workers), another GPU (--spec), or another --region."
    ),
    r"iam\.serviceAccounts\.actAs|permission to act as service account": (
        "Your account may not run jobs as this service account: ask an owner of the project for "
        "roles/iam.serviceAccountUser on it."
    ),
    r"(?i)(?:The specified bucket does not exist|bucket (?:gs://)?(\S+) (?:not found|does not exist)|"
    r"gs://([^/\s]+) not found: 404)": (
        "There is no such bucket ({0}): check --bucket, or make it with "
        "`gcloud storage buckets create gs://BUCKET --location=REGION --uniform-bucket-level-access`."
    ),
    r"(?i)invalid value for \[(?:--)?region\]|region.{0,80}(?:not (?:supported|available)|unsupported|is invalid)": (
        "Vertex AI is not available in this region: give another --region, e.g. us-central1 or europe-west4, and a "
        "bucket in it."
    ),
    r"(?i)PERMISSION_DENIED:? ?(.*)|HTTPError 403:? ?(.*)|does not have ([\w.]+ access.*)": (
        "Your account may not do this ({0}): ask an owner of the project for the roles in cloud/README.md."
    ),
    r"(?i)INVALID_ARGUMENT:? ?(.*)": "Vertex AI rejected the job specification ({0}): correct it (--spec).",
    r"(?i)NOT_FOUND:? ?(.*customJobs.*)": "There is no such job ({0}): `cloud/submit.py status --all` lists the jobs.",
    r"(?i)matched no objects(?: or files)?:?\s*(.*)": "The bucket has nothing at that address ({0}).",
    r"(?i)unable to find the server|name or service not known|name resolution|connection (?:refused|reset|aborted)|"
    r"failed to establish a new connection|timed out|max retries exceeded|network is unreachable|problem reaching": (
        "Google Cloud cannot be reached: check the network and `gcloud config list proxy/`, then run this again."
    ),
    r"(?i)UNAVAILABLE|INTERNAL: |HTTPError 50\d": "Google Cloud does not answer: run this again in a few minutes.",
}


def explain(stderr: str) -> str:
    """Return one sentence with a remedy for what gcloud printed when it failed."""
    stderr = re.sub(r"This command is (un)?authenticated .*", "", stderr)
    for pattern, sentence in _EXPLANATIONS.items():
        match = re.search(pattern, stderr)
        if match:
            groups = [group.strip(" .\"'") for group in match.groups() if group]
            text = sentence.format(*(groups or [""]))
            return text.replace(" ()", "")
    errors = re.findall(r"ERROR: (?:\(gcloud[\w.-]*\) )?(.+)", stderr)
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return f"gcloud failed: {(errors or lines or ['it gave no reason'])[-1]}"
