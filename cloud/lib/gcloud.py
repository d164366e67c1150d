"""Run gcloud without a shell, for a project and a region, and turn its error messages into one sentence."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.lib.core import files, json_text
from scripts.lib.core.errors import DataError, UsageError

DEFAULT_REGION = "us-central1"  # of all jobs; --region, the job's own region and gcloud's ai/region come first
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
    if not files.ON_WINDOWS:
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


def run_json(shape: Any, *arguments: str) -> Any:
    """Run a gcloud command and return what it prints with --format=json, of the shape; see `json_text.parse`."""
    try:
        return json_text.parse(run(*arguments, "--format=json") or "[]", shape)
    except ValueError as error:
        command = shown(["gcloud", *arguments])
        raise DataError([f"the answer of {command} {error}; update gcloud (gcloud components update)"]) from None


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
    values = {"core?": {str: object}, "auth?": {str: object}, "ai?": {str: object}}
    found = run_json(values, "config", "list")
    # Where credentials are switched off (a test server, a proxy that adds them) no account is needed.
    if not found.get("core", {}).get("account") and str(found.get("auth", {}).get("disable_credentials", "")) in "0":
        raise UsageError("gcloud is not logged in; run `gcloud auth login`, then this again")
    return found.get("core", {}).get("project", ""), found.get("ai", {}).get("region", "")


@dataclasses.dataclass(frozen=True)
class Session:
    """Project and region of a command, and what the user allows."""

    project: str
    region: str
    dry_run: bool = False  # check and show everything, change nothing
    yes: bool = False  # do not ask before a change
    online: bool = True  # False if gcloud is missing; a dry run then checks local files only

    @property
    def flags(self) -> tuple[str, str]:
        """gcloud's flags for the project and the region."""
        return f"--project={self.project}", f"--region={self.region}"

    def confirm(self, question: str) -> bool:
        """Ask whether to go on, unless --yes was given; return False for a dry run.

        Raises:
            UsageError: there is no terminal to ask at.
        """
        if self.dry_run:
            print("Nothing was changed (--dry_run).")
            return False
        if self.yes:
            return True
        if not sys.stdin.isatty():
            raise UsageError("there is no terminal to ask at; give --yes")
        with contextlib.suppress(EOFError):
            if input(f"{question} [y/N] ").strip().lower() in ("y", "yes"):
                return True
        print("Nothing was changed.")
        return False


def open_session(project: str | None, region: str | None, dry_run: bool, yes: bool) -> Session:
    """Return the session for a project and a region; None stands for gcloud's own.

    Raises:
        UsageError: gcloud is missing or not logged in, or there is no project.
    """
    online = is_installed() or not dry_run
    configured_project, configured_region = configuration() if online else ("", "")
    if not online:
        print(f"warning: gcloud is missing, so nothing on Google Cloud was checked; {INSTALL}.", file=sys.stderr)
    project = project or configured_project
    if not project:
        raise UsageError("no Google Cloud project; give --project, or set it: gcloud config set project PROJECT")
    return Session(project, region or configured_region or DEFAULT_REGION, dry_run, yes, online)


# What gcloud prints -> what it means and what to do. The first match counts; {0} is the pattern's group that matched.
_EXPLANATIONS = {
    r"do not currently have an active account|any credentialed accounts|invalid_grant|UNAUTHENTICATED|HTTPError 401|"
    r"(?i:reauthentication|refreshing your current auth tokens)": (
        "gcloud is not logged in, or its login has expired: run `gcloud auth login`, then this again."
    ),
    r"(?is)(?:API \[|https://console\.\S+/apis/api/)([\w.-]+googleapis\.com)": (
        "The API {0} is not enabled in this project: run `gcloud services enable {0}`, wait a minute, and run this "
        "again."
    ),
    r"(?i)RESOURCE_EXHAUSTED:? ?(.*)|HTTPError 429:? ?(.*)|(?:exceed\w*|insufficient) (?:the )?(quota.*)": (
        "The project's quota or the region's capacity is too small ({0}): ask for more (console, IAM & Admin, "
        "Quotas), or give fewer machines (--workers), another GPU (--spec), or another --region."
    ),
    r"(?i)(?:The specified bucket does not exist|bucket (?:gs://)?(\S+) (?:not found|does not exist)|"
    r"gs://([^/\s]+) not found: 404)": (
        "There is no such bucket ({0}): check --bucket, or make it with "
        "`gcloud storage buckets create gs://BUCKET --location=REGION --uniform-bucket-level-access`."
    ),
    r"(?i)PERMISSION_DENIED:? ?(.*)|HTTPError 403:? ?(.*)|does not have ([\w.]+ access.*)": (
        "Your account may not do this ({0}): ask an owner of the project for the roles in cloud/README.md."
    ),
}


def explain(stderr: str) -> str:
    """Return one sentence for what gcloud printed when it failed, with a remedy for the usual failures."""
    stderr = re.sub(r"This command is (un)?authenticated .*", "", stderr)
    for pattern, sentence in _EXPLANATIONS.items():
        if match := re.search(pattern, stderr):
            group = next(filter(None, match.groups()), "").strip(" .\"'")
            return sentence.format(group).replace(" ()", "")
    reason = re.sub(r".*ERROR: (\(gcloud[\w.-]*\) )?|\n- .*", "", stderr, flags=re.DOTALL)  # without details in YAML
    return f"gcloud failed: {' '.join(reason.split()) or 'it gave no reason'}"
