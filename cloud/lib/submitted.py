"""The jobs that were submitted from this machine: runs/cloud/JOB/job.json, beside the job's files."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

from scripts.lib.core import files, json_text
from scripts.lib.core.errors import UsageError

FOLDER = files.default_path("runs/cloud")


@dataclasses.dataclass(frozen=True)
class VertexJob:
    """A job of Vertex AI."""

    name: str  # its display name, e.g. imgSeg_1767261600
    verb: str  # "train" or "eval"
    id: str  # the number that the server gave it; empty before it is submitted
    project: str
    region: str
    bucket: str  # its name, without gs://
    config: str  # address of the pipeline config
    train_dir: str  # address of a folder, as eval_dir
    eval_dir: str
    submitted: int  # seconds since 1970

    @property
    def folder(self) -> Path:
        """The job's folder on this machine."""
        return FOLDER / self.name

    @property
    def record(self) -> Path:
        """The file that remembers the job."""
        return self.folder / "job.json"

    @property
    def console(self) -> str:
        """Address of the job's page in the browser."""
        place = f"https://console.cloud.google.com/vertex-ai/locations/{self.region}"
        return f"{place}/training/{self.id}?project={self.project}"


_SHAPE = {field.name: int if field.name == "submitted" else str for field in dataclasses.fields(VertexJob)}


def remember(job: VertexJob) -> None:
    with files.atomic_write(job.record, "w") as file:
        json.dump(dataclasses.asdict(job), file, indent=2)


def find(name: str | None, verb: str | None = None, project: str | None = None, region: str | None = None) -> VertexJob:
    """Return the latest job that matches, with the given project and region in place of its own.

    Args:
        name: its name or number; None: any.
        verb: "train" or "eval"; None: any. A job that was submitted elsewhere has none, and is found only by its number
            with project and region.
        project, region: None keeps the job's.

    Raises:
        UsageError: no such job was submitted from this machine.
    """
    jobs = []
    for path in FOLDER.glob("*/job.json"):
        with contextlib.suppress(ValueError, TypeError):  # of another version, or edited by hand
            jobs.append(VertexJob(**json_text.read(path, _SHAPE)))
    jobs.sort(key=lambda job: job.submitted)
    matching = [job for job in jobs if verb in (None, job.verb) and name in (None, job.name, job.id)]
    if matching:
        job = matching[-1]
        return dataclasses.replace(job, project=project or job.project, region=region or job.region)
    if name and name.isdecimal() and project and region and verb is None:
        return VertexJob(name, "", name, project, region, "", "", "", "", submitted=0)
    wanted = " ".join(filter(None, ("no", verb, "job", name)))
    there = ", ".join(job.name for job in jobs[-5:]) or "none"
    raise UsageError(
        f"{wanted} was submitted from here ({files.shown_path(FOLDER)} holds {there}); give --job, or for logs, status "
        "and cancel the number that `submit.py status --all` shows, with --project and --region"
    )
