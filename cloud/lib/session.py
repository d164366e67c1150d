"""Project and region of a command on Google Cloud, and whether it may change anything there."""

from __future__ import annotations

import contextlib
import dataclasses
import sys

from cloud.lib import gcloud
from scripts.lib.core.errors import UsageError

DEFAULT_REGION = "us-central1"  # of all jobs; --region, the job's own region and gcloud's ai/region come first


@dataclasses.dataclass(frozen=True)
class Session:
    """Project and region of a command, and what the user allows.

    Attributes:
        project, region: on Google Cloud.
        dry_run: check and show everything, change nothing.
        yes: do not ask before a change.
        online: False if gcloud is missing; a dry run then checks local files only.
    """

    project: str
    region: str
    dry_run: bool = False
    yes: bool = False
    online: bool = True

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
    online = gcloud.is_installed() or not dry_run
    configured_project, configured_region = gcloud.configuration() if online else ("", "")
    if not online:
        print(f"warning: gcloud is missing, so nothing on Google Cloud was checked; {gcloud.INSTALL}.", file=sys.stderr)
    project = project or configured_project
    if not project:
        raise UsageError("no Google Cloud project; give --project, or set it: gcloud config set project PROJECT")
    return Session(project, region or configured_region or DEFAULT_REGION, dry_run, yes, online)
