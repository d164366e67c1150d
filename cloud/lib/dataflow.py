"""Detection on a catalogue as a job of Dataflow: check it, show the command, and run cloud/detect_beam.py."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

from cloud.lib import bucket, gcloud, jobs
from cloud.lib.gcloud import Session
from scripts.lib.config import checks
from scripts.lib.core import files
from scripts.lib.models import exported_model


def submit(
    session: Session,
    bucket_name: str,
    input_path: str,
    model: str,
    output_path: str,
    image: str,
    program_flags: Sequence[str],
) -> int:
    """Check the addresses and the container, ask, and run the pipeline; return its exit status.

    `program_flags` are further flags of detect_beam.py, or others instead of those below.

    Raises:
        DataError: something is missing on Google Cloud; all of it is listed.
    """
    if session.online:
        checks.raise_errors(_check(session, bucket_name, input_path, model, image), "nothing was submitted")
    command = [
        "cloud/detect_beam.py",
        f"--input={input_path}",
        f"--model={model}",
        f"--output_path={output_path}",
        "--runner=DataflowRunner",
        *session.flags,
        f"--temp_location={bucket.PREFIX}{bucket_name}/tmp",
        f"--sdk_container_image={image}",
        f"--job_name=imgseg-{int(time.time())}",
        "--max_num_workers=10",
        "--machine_type=e2-standard-4",
        "--experiments=no_use_multiple_sdk_containers",  # one process, and so one model, on a machine
        "--number_of_worker_harness_threads=2",
        *program_flags,
    ]
    print(f"Prices of the machines, until the job ends: {jobs.CALCULATOR}")
    print(f"> {gcloud.shown(['python', *command])}", flush=True)
    if not session.confirm("Submit to Dataflow?"):
        return 0
    return subprocess.run([sys.executable, *command], cwd=files.REPOSITORY_ROOT, check=False).returncode


def _check(session: Session, bucket_name: str, input_path: str, model: str, image: str) -> list[str]:
    import google.auth

    problems = bucket.check_location(bucket_name, session.region)
    try:
        google.auth.default()
    except google.auth.exceptions.DefaultCredentialsError:
        problems.append("Beam does not use gcloud's login; run `gcloud auth application-default login`")
    problems += jobs.check_image(image)
    if not bucket.listing([f"{model}/{exported_model.ONNX}"]):
        problems.append(
            f"there is no {exported_model.ONNX} in {model}; make it with scripts/export_model.py, and copy "
            f"the folder there with: gcloud storage cp --recursive exported_model {model.rpartition('/')[0]}/"
        )
    if not bucket.listing([input_path, f"{input_path}/**"], limit=1):
        problems.append(f"--input {input_path}: there is nothing at this address")
    return problems
