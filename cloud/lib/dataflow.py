"""Detection on a catalogue as a job of Dataflow: check it, show the command, and run cloud/detect_beam.py."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Sequence

import google.auth

from cloud.lib import bucket, gcloud, jobs
from cloud.lib.session import Session
from scripts.lib.core import files
from scripts.lib.models import exported_model


@dataclasses.dataclass(frozen=True)
class BatchDetection:
    """Bucket, addresses and machines of a batch detection; `program_flags` are further flags of detect_beam.py."""

    bucket: str
    input: str
    model: str
    output_path: str
    image: str
    machine_type: str
    max_num_workers: int
    program_flags: Sequence[str]


def submit(session: Session, detection: BatchDetection) -> int:
    """Check the addresses and the container, ask, and run the pipeline; return its exit status.

    Raises:
        DataError: something is missing on Google Cloud; all of it is listed.
    """
    if session.online:
        jobs.refuse(_check(session, detection), "nothing was submitted")
    command = [
        "cloud/detect_beam.py",
        f"--input={detection.input}",
        f"--model={detection.model}",
        f"--output_path={detection.output_path}",
        "--runner=DataflowRunner",
        *session.flags,
        f"--temp_location={bucket.PREFIX}{detection.bucket}/tmp",
        f"--sdk_container_image={detection.image}",
        f"--job_name=imgseg-{int(time.time())}",
        f"--max_num_workers={detection.max_num_workers}",
        f"--machine_type={detection.machine_type}",
        "--experiments=no_use_multiple_sdk_containers",  # one process, and so one model, on a machine
        "--number_of_worker_harness_threads=2",
        *detection.program_flags,
    ]
    machines = f"up to {detection.max_num_workers} x {detection.machine_type}"
    print(f"Machines: {machines}, until the job ends. Prices: {jobs.CALCULATOR}")
    print(f"> {gcloud.shown(['python', *command])}", flush=True)
    if not session.confirm("Submit to Dataflow?"):
        return 0
    return subprocess.run([sys.executable, *command], cwd=files.REPOSITORY_ROOT, check=False).returncode


def _check(session: Session, detection: BatchDetection) -> list[str]:
    problems = bucket.check_location(detection.bucket, session.region)
    try:
        google.auth.default()
    except google.auth.exceptions.DefaultCredentialsError:
        problems.append("Beam does not use gcloud's login; run `gcloud auth application-default login`")
    problems += jobs.check_image(detection.image, [f"--tag={detection.image}"])
    if not bucket.listing([f"{detection.model}/{exported_model.ONNX}"]):
        parent = detection.model.rpartition("/")[0]
        problems.append(
            f"there is no {exported_model.ONNX} in {detection.model}; make it with scripts/export_model.py, and copy "
            f"the folder there with: gcloud storage cp --recursive exported_model {parent}/"
        )
    if not bucket.listing([detection.input, f"{detection.input}/**"], limit=1):
        problems.append(f"--input {detection.input}: there is nothing at this address")
    return problems
