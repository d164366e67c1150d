"""Jobs of Vertex AI: submit a training or an evaluation, follow it, list jobs, cancel one."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from google.protobuf import text_format

from cloud.lib import bucket, gcloud, job_spec, submitted
from cloud.lib.gcloud import Session
from cloud.lib.submitted import VertexJob
from scripts.lib.config import api_limits, checks, pipeline_config
from scripts.lib.config.pipeline_config import Message
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, Finding
from scripts.lib.core.wording import one_line
from scripts.lib.training import cluster

DEFAULT_IMAGE = "REGION-docker.pkg.dev/PROJECT/apparel/trainer:1"
CALCULATOR = "https://cloud.google.com/products/calculator"
POLL_SECS = 15  # between two looks of gcloud at a job's log
LOOK_SECS = 60  # between two looks whether a job that is followed has ended
LAST_LINES_SECS = 30  # to wait for the last lines of its log
_DESCRIBED = {  # of what the service says about a job
    **dict.fromkeys(("state?", "displayName?", "createTime?", "startTime?", "endTime?"), str),
    "error?": {"message?": str},
}
ENDED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED")


@dataclasses.dataclass(frozen=True)
class JobOptions:
    """What a new job is submitted with."""

    name: str  # its display name, and its folder on the bucket
    template: Path  # of the job specification
    image: str  # address of the container; "": DEFAULT_IMAGE in the session's region and project
    service_account: str  # e-mail of the account that the job runs as; "": Vertex AI's own
    program_flags: Sequence[str]  # added to the flags of train.py or eval.py


def submit_training(
    session: Session,
    options: JobOptions,
    bucket_name: str,
    config_path: Path,
    train_dir: str | None,
    machines: tuple[int | None, int | None, bool],
) -> None:
    """Submit a training job, with its files in gs://BUCKET/JOB.

    Args:
        config_path: pipeline config; its files are on the bucket.
        train_dir: address for checkpoints; None for gs://BUCKET/JOB/train.
        machines: workers and parameter servers (None: as many as the template's), and whether there is an evaluator.
    """
    config = bucket.on_bucket(pipeline_config.read(config_path), bucket_name)
    run_dir = f"{bucket.PREFIX}{bucket_name}/{options.name}"
    train_dir = train_dir or f"{run_dir}/train"
    job = VertexJob(
        options.name,
        "train",
        "",
        session.project,
        session.region,
        bucket_name,
        config=f"{run_dir}/pipeline.config",
        train_dir=train_dir,
        eval_dir=f"{train_dir.rpartition('/')[0]}/eval",
        submitted=int(time.time()),
    )
    template = job_spec.with_replicas(job_spec.read_template(options.template), *machines)
    findings: list[Finding | str] = api_limits.check_model(config, config_path)
    findings += api_limits.check_training(config, config_path)
    if not findings:
        findings += checks.check_batch(config, config_path)
    if len(template["workerPoolSpecs"]) > 1:  # a single one trains by itself
        findings += [f"{files.shown_path(config_path)}: {problem}" for problem in cluster.check_sync_replicas(config)]
    if session.online and bucket.listing([job.config]):
        findings.append(f"there is a job {job.name} on the bucket already; give another --job_name")
    readers = [bucket.TRAIN, bucket.EVAL] if machines[-1] else [bucket.TRAIN]
    _submit(session, options, job, template, config, config_path, readers, findings)


def submit_evaluation(session: Session, options: JobOptions, trained: VertexJob) -> None:
    """Submit an evaluation of the latest checkpoint of a training job."""
    config_path = trained.folder / "pipeline.config"
    place = {"project": session.project, "region": session.region}
    job = dataclasses.replace(trained, name=options.name, verb="eval", id="", submitted=int(time.time()), **place)
    findings = []
    if session.online and not bucket.checkpoint_steps(trained.train_dir):
        findings.append(f"{trained.train_dir} has no checkpoint yet; `submit.py status` shows how far the job is")
    template, config = job_spec.read_template(options.template), pipeline_config.read(config_path)
    _submit(session, options, job, template, config, config_path, [bucket.EVAL], findings)


def _submit(
    session: Session,
    options: JobOptions,
    job: VertexJob,
    template: dict,
    config: Message,
    config_path: Path,
    readers: Sequence[str],
    findings: Iterable[Finding | str],
) -> None:
    """Check a job, show it, ask, submit it and remember it. The config of a training is uploaded first."""
    default_image = DEFAULT_IMAGE.replace("REGION", session.region)
    image = options.image or default_image.replace("PROJECT", session.project.replace(":", "/"))
    values = {
        "IMAGE": image,
        "PIPELINE_CONFIG": job.config,
        "TRAIN_DIR": job.train_dir,
        "EVAL_DIR": job.eval_dir,
        "RUN_DIR": job.config.rpartition("/")[0],
        "SERVICE_ACCOUNT": options.service_account,
    }
    spec = job_spec.fill(template, values, options.program_flags)
    findings = [*findings, *job_spec.check(spec, options.template)]
    if job.record.is_file():
        findings.append(f"{files.shown_path(job.folder)} holds a job of this name; give another --job_name")
    if session.online:
        findings += bucket.check_location(job.bucket, session.region)
        findings += check_image(image)
        findings += bucket.check(config, config_path, readers)
    checks.raise_errors(findings, "nothing was submitted")

    spec_text = job_spec.text(spec, f"{job.name}, submitted by cloud/submit.py {job.verb}")
    local_config, local_spec = job.folder / "pipeline.config", job.folder / "job.yaml"
    copy = ["storage", "cp", str(local_config), job.config]
    create = ["ai", "custom-jobs", "create", *session.flags, f"--display-name={job.name}", f"--config={local_spec}"]
    create.append("--format=value(name)")
    print(spec_text)
    print(f"Prices of the machines: {CALCULATOR}")
    has_new_config = job.verb == "train"
    for command in [copy, create] if has_new_config else [create]:
        print(f"> {gcloud.shown(['gcloud', *command])}", flush=True)
    if not session.confirm(f"Submit {job.name}?"):
        return

    with files.atomic_write(local_spec, "w") as file:
        file.write(spec_text)
    try:
        if has_new_config:
            with files.atomic_write(local_config, "w") as file:
                file.write(text_format.MessageToString(config, as_utf8=True))
            gcloud.run(*copy)
        number = gcloud.run(*create).strip().rpartition("/")[2]
    except DataError as error:
        places = f"{files.shown_path(job.folder)} and {job.config.rpartition('/')[0]}"
        state = "the job was not submitted (after a broken connection look at `submit.py status --all`)"
        raise DataError(error.findings, f"{state}; its files are in {places}") from error
    job = dataclasses.replace(job, id=number)
    print(f"Submitted {job.name}, number {number}: {job.console}", flush=True)
    submitted.remember(job)
    print("Next: python cloud/submit.py logs")


def check_image(image: str) -> list[str]:
    """Return a sentence if the Artifact Registry does not have the container; other registries are not asked."""
    match = re.fullmatch(r"([a-z0-9-]+)-docker\.pkg\.dev/([^/]+)/([^/]+)/(.+):([\w.-]+)", image)
    if not match:
        return []
    region, project, repository, package, tag = match.groups()
    place = (f"--project={project}", f"--location={region}", f"--repository={repository}")
    package_flag = f"--package={package.replace('/', '%2F')}"
    tags = gcloud.attempt("artifacts", "tags", "list", *place, package_flag, "--format=value(name.basename())")
    if tags.returncode == 0 and tag in tags.stdout.split():
        return []
    if tags.returncode and not re.search(r"NOT_FOUND|not found", tags.stderr, re.IGNORECASE):
        return [f"{image}: {gcloud.explain(tags.stderr)}"]
    return [f"there is no container {image}; give --image, or build it (cloud/README.md)"]


def follow(session: Session, job: VertexJob) -> None:
    """Show a job's log until the job ends; Ctrl+C stops the following, not the job."""
    describe(session, job)
    command = ["ai", "custom-jobs", "stream-logs", job.id, *session.flags, f"--polling-interval={POLL_SECS}"]
    print(f"> {gcloud.shown(['gcloud', *command])}", flush=True)
    if session.dry_run:
        return
    try:
        with gcloud.running(*command) as process:
            _wait(session, job, process)
    except KeyboardInterrupt:
        print("\nNo longer followed; the job goes on. To end it: python cloud/submit.py cancel")


def _wait(session: Session, job: VertexJob, process: subprocess.Popen) -> None:
    """Wait until `stream-logs` or the job ends: gcloud asks for the job's state only when it starts (SDK 528)."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            if status := process.wait(LOOK_SECS):
                raise DataError([f"gcloud ended with status {status}"], "the log is no longer followed")
            return
        described = describe(session, job)
        if described.get("state") in ENDED:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LAST_LINES_SECS)
            print(f"{job.name}: {_state(described)}")
            return


def show(session: Session, job: VertexJob) -> None:
    """Print a job's state, its times, its latest checkpoint and the command for its curves.

    Raises:
        DataError: the job has failed, with the reason.
    """
    described = describe(session, job)
    print(f"{job.name} ({job.id}): {_state(described)}; {job.console}")
    for name, key in (("submitted", "createTime"), ("started", "startTime"), ("ended", "endTime")):
        if key in described:
            print(f"{name:<10} {described[key]}")
    if job.train_dir:
        steps = bucket.checkpoint_steps(job.train_dir)
        print(f"checkpoint {f'{job.train_dir}/model.ckpt-{steps[-1]}' if steps else f'none yet in {job.train_dir}'}")
        print(f"curves     tensorboard --load_fast=false --logdir={job.train_dir.rpartition('/')[0]}")
    if "error" in described:
        raise DataError([gcloud.explain(f"ERROR: {described['error'].get('message', 'no reason given')}")])


def show_all(session: Session) -> None:
    """Print all jobs of the region, one a line."""
    jobs = gcloud.run_json([{"name": str, **_DESCRIBED}], "ai", "custom-jobs", "list", *session.flags)
    for each in jobs:
        number, title = each["name"].rpartition("/")[2], one_line(each.get("displayName", ""))
        print(f"{number:<20} {each.get('createTime', '')[:19]:<20} {_state(each):<11} {title}")
    if not jobs:
        print(f"There is no job in {session.region} of {session.project}.")


def cancel(session: Session, job: VertexJob) -> None:
    """Stop a job; what it has written stays."""
    described = describe(session, job)
    if described.get("state") in ENDED:
        print(f"{job.name} has ended already ({_state(described)}).")
        return
    command = ["ai", "custom-jobs", "cancel", job.id, *session.flags]
    print(f"> {gcloud.shown(['gcloud', *command])}", flush=True)
    if session.confirm(f"Cancel {job.name}?"):
        gcloud.run(*command)
        print(f"Cancelled {job.name}. Its checkpoints stay in {job.train_dir or 'its train_dir'}.")


def describe(session: Session, job: VertexJob) -> dict:
    """Return the job as Vertex AI describes it."""
    return gcloud.run_json(_DESCRIBED, "ai", "custom-jobs", "describe", job.id, *session.flags)


def _state(described: Mapping) -> str:
    return described.get("state", "unknown").removeprefix("JOB_STATE_").lower()
