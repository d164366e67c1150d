"""What this machine remembers of the jobs that it has submitted: runs/cloud/JOB/job.json, beside the job's files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import UsageError

FOLDER = files.default_path("runs/cloud")
_NAME = "job.json"


@dataclasses.dataclass(frozen=True)
class Job:
    """A job of Vertex AI.

    Attributes:
        name: its display name, e.g. imgSeg_1767261600.
        verb: "train" or "eval".
        id: the number that the server gave it.
        project, region, bucket: where it runs.
        config: the pipeline config's address.
        train_dir, eval_dir: addresses of folders.
        submitted: seconds since 1970.
    """

    name: str
    verb: str
    id: str
    project: str
    region: str
    bucket: str
    config: str
    train_dir: str
    eval_dir: str
    submitted: int

    @property
    def console(self) -> str:
        """The job's page in the browser."""
        return (
            "https://console.cloud.google.com/vertex-ai/locations/"
            f"{self.region}/training/{self.id}?project={self.project}"
        )


def folder_of(name: str) -> Path:
    return FOLDER / name


def remember(job: Job) -> None:
    with files.atomic_write(folder_of(job.name) / _NAME, "w") as file:
        json.dump(dataclasses.asdict(job), file, indent=2)


def is_known(name: str) -> bool:
    return (folder_of(name) / _NAME).is_file()


def find(name: str | None, verb: str | None = None) -> Job:
    """A job by its name or number; None: the latest.

    Args:
        name: as `Job.name` or `Job.id`.
        verb: of which kind it has to be.

    Raises:
        UsageError: this machine has submitted none, or none like that.
    """
    jobs = sorted(_all(), key=lambda job: job.submitted)
    matching = [job for job in jobs if verb in (None, job.verb) and name in (None, job.name, job.id)]
    if matching:
        return matching[-1]
    wanted = " ".join(filter(None, ("no", verb, "job", name)))
    there = ", ".join(job.name for job in jobs[-5:]) or "none"
    raise UsageError(
        f"{wanted} was submitted from here ({files.shown_path(FOLDER)} holds {there}); give --job, or for logs, status "
        "and cancel the number that `submit.py status --all` shows, with --project and --region"
    )


def _all() -> list[Job]:
    jobs = []
    for path in FOLDER.glob(f"*/{_NAME}"):
        try:
            jobs.append(Job(**json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError):
            continue  # of another version, or cut short by hand
    return jobs
