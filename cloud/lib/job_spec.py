"""Job specifications for Vertex AI: fill in a template, and find mistakes that the service would find late or never.

Format: google.cloud.aiplatform.v1.CustomJobSpec in YAML, camelCase
(https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec).
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, DataError, Finding, UsageError

POOLS = ("master", "workers", "parameter servers", "evaluator")  # Vertex AI tells pools apart by their order
MASTER, WORKERS, PARAMETER_SERVERS, EVALUATOR = range(4)
EXAMPLE = "see cloud/vertex_training.yaml"
MAX_TIMEOUT_SECS = 7 * 24 * 3600  # also the default
# GPU -> the machine types that it goes with, and how many of it a machine may have
# (https://cloud.google.com/compute/docs/gpus). Those of newer GPUs are left to Vertex AI.
_GPU_MACHINES = {
    "NVIDIA_TESLA_T4": ("n1-", (1, 2, 4)),
    "NVIDIA_TESLA_P4": ("n1-", (1, 2, 4)),
    "NVIDIA_TESLA_P100": ("n1-", (1, 2, 4)),
    "NVIDIA_TESLA_V100": ("n1-", (1, 2, 4, 8)),
    "NVIDIA_L4": ("g2-standard-", (1, 2, 4, 8)),
}
_IMAGE = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev/[\w.:-]+/[\w.-]+/[\w./-]+(:[\w.-]+|@sha256:[0-9a-f]{64})")

FlagReader = Callable[[Sequence[str], Sequence[str]], object]
"""Reads a container's command and arguments; raises SystemExit or UsageError if its program would reject them."""


def read_template(path: Path) -> dict:
    """Return the content of a YAML template.

    Raises:
        DataError: it is not YAML, or has no list of worker pools.
    """
    import yaml

    try:
        template = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark, reason = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
        finding = _error(path, f"is not YAML: {reason}", EXAMPLE, line=mark.line + 1 if mark else None)
        raise DataError([finding]) from error
    pools = template.get("workerPoolSpecs") if isinstance(template, dict) else None
    if not isinstance(pools, list) or not all(isinstance(pool or {}, dict) for pool in pools):
        raise DataError([_error(path, "has no list workerPoolSpecs of objects", EXAMPLE)])
    return {**template, "workerPoolSpecs": [pool or {} for pool in pools]}


def with_replicas(template: dict, counts: Mapping[int, int]) -> dict:
    """Return a copy of the template with other numbers of replicas: pool -> replicas; 0 leaves the pool out.

    Raises:
        UsageError: a pool would be missing before one that stays.
    """
    spec = copy.deepcopy(template)
    pools = spec["workerPoolSpecs"]
    for pool, count in counts.items():
        if pool < len(pools):
            pools[pool]["replicaCount"] = count
        elif count:
            raise UsageError(f"the job specification has no pool for {POOLS[pool]}; {EXAMPLE}")
    kept = [number for number, pool in enumerate(pools) if pool.get("replicaCount", 1)]
    if kept != list(range(len(kept))):
        missing = next(number for number in range(len(pools)) if number not in kept)
        raise UsageError(
            f"a job with {POOLS[kept[-1]]} also needs {POOLS[missing]}, because Vertex AI tells pools apart by their "
            "order; to evaluate beside a single machine, submit a job of its own (submit.py eval)"
        )
    spec["workerPoolSpecs"] = [pools[number] for number in kept]
    return spec


def fill(template: dict, values: Mapping[str, str], program_flags: Sequence[str] = ()) -> dict:
    """Return a copy of the template with every ${NAME} replaced; entries without a value are left out.

    Args:
        template: as `read_template` returns it.
        values: NAME -> value.
        program_flags: added to the arguments of every container.

    Raises:
        DataError: a ${NAME} of the template has no value; all are listed.
    """
    content = json.dumps(template, default=str)
    names = {match["named"] or match["braced"] for match in string.Template.pattern.finditer(content)} - {None}
    if unknown := sorted(names - set(values)):
        known = ", ".join(sorted(values))
        raise DataError([f"the job specification has {', '.join(unknown)}, but only {known} are known"])
    content = string.Template(content).safe_substitute({name: json.dumps(each)[1:-1] for name, each in values.items()})
    spec = json.loads(content, object_hook=lambda entries: {k: v for k, v in entries.items() if v not in ("", None)})
    for pool in spec["workerPoolSpecs"]:
        container = pool.get("containerSpec")
        if isinstance(container, dict) and isinstance(container.get("args", []), list):
            container["args"] = [*container.get("args", []), *program_flags]
    return spec


def text(spec: dict, comment: str) -> str:
    """Return the specification as YAML, below a comment line."""
    import yaml

    return f"# {comment}\n{yaml.safe_dump(spec, sort_keys=False, width=120)}"


def machines(spec: dict) -> str:
    """Return one line with the machines of a job and its time limit."""
    pools = []
    for pool in spec["workerPoolSpecs"]:
        machine = pool["machineSpec"]
        gpu = f" with {machine.get('acceleratorCount')} {machine.get('acceleratorType')}"
        line = f"{pool.get('replicaCount', 1)} x {machine['machineType']}"
        pools.append(line + gpu * ("acceleratorType" in machine))
    timeout = spec.get("scheduling", {}).get("timeout", f"{MAX_TIMEOUT_SECS}s")
    return f"{', '.join(pools)}; stopped after {float(timeout.removesuffix('s')) / 3600:g} hours at the latest"


def check(spec: dict, path: Path | str, read_flags: FlagReader) -> list[Finding]:
    """Return what is wrong with a specification that `fill` has made from the template at `path`."""
    pools = spec["workerPoolSpecs"]
    if not pools or len(pools) > len(POOLS):
        return [_error(path, f"has {len(pools)} worker pools", f"write 1 to {len(POOLS)}: {', '.join(POOLS)}")]
    findings = _check_against_api(spec, path)
    if findings:
        return findings  # the checks below rely on the fields' types
    if len(pools) == WORKERS + 1:
        message = "has workers, but no parameter servers to hold their variables"
        findings.append(_error(path, message, "add a third pool, or leave the second out (--workers 0)"))
    containers: list[dict] = []
    for number, pool in enumerate(pools):
        where = f"workerPoolSpecs[{number}] ({POOLS[number]})"
        if not pool:
            findings.append(_error(path, "is empty, which gcloud rejects", "leave it out", where))
            continue
        findings += _check_pool(pool, number, where, path)
        container = pool.get("containerSpec", {})
        if container not in containers:
            findings += _check_container(container, where, path, read_flags)
        containers.append(container)
    timeout = spec.get("scheduling", {}).get("timeout", f"{MAX_TIMEOUT_SECS}s")
    if not 0 < float(timeout.removesuffix("s")) <= MAX_TIMEOUT_SECS:
        findings.append(_error(path, f"timeout is {timeout}", f"write up to {MAX_TIMEOUT_SECS}s, 7 days", "scheduling"))
    return findings


def _check_against_api(spec: dict, path: Path | str) -> list[Finding]:
    """Compare field names, types and enum values with the API's own message type.

    Raises:
        UsageError: the library that has the type is not installed.
    """
    try:
        from google.cloud.aiplatform_v1.types import CustomJobSpec
    except ImportError as error:
        remedy = "install it with: python -m pip install -r requirements-cloud.txt"
        raise UsageError(f"google-cloud-aiplatform, which knows the format of a job, is missing; {remedy}") from error
    from google.protobuf.json_format import ParseError

    try:
        CustomJobSpec.from_json(json.dumps(spec, default=str), ignore_unknown_fields=False)
    except ParseError as error:
        reason = re.sub(r"\s+", " ", str(error)).replace("google.cloud.aiplatform.v1.", "").rstrip(".")
        return [_error(path, f"is not a CustomJobSpec: {reason}", EXAMPLE)]
    return []


def _check_pool(pool: dict, number: int, where: str, path: Path | str) -> Iterator[Finding]:
    replicas = int(pool.get("replicaCount", 1))
    if replicas < 1 or (number in (MASTER, EVALUATOR) and replicas > 1):
        expected = "1" if number in (MASTER, EVALUATOR) else "at least 1, or leave the pool out"
        yield _error(path, f"replicaCount is {replicas}", f"write {expected}", where)
    machine = pool.get("machineSpec", {})
    machine_type, gpu, count = (machine.get(key) for key in ("machineType", "acceleratorType", "acceleratorCount"))
    if not machine_type:
        yield _error(path, "machineType is missing", "write one such as n1-standard-8", where)
    if count and not gpu:
        yield _error(path, f"acceleratorCount is {count}, but acceleratorType is missing", "name it", where)
    if gpu == "NVIDIA_TESLA_K80":
        remedy = "write NVIDIA_TESLA_T4, or NVIDIA_L4 on a g2-standard machine"
        yield _error(path, f"{gpu} was retired on 1 May 2024", remedy, where)
    if gpu and gpu.startswith("TPU"):
        yield _error(path, f"{gpu} is not a GPU: the legacy trainer runs on GPUs and CPUs", "name a GPU", where)
    if gpu in _GPU_MACHINES:
        prefix, counts = _GPU_MACHINES[gpu]
        if machine_type and not machine_type.startswith(prefix):
            yield _error(path, f"{gpu} does not go with {machine_type}", f"write a machineType {prefix}...", where)
        if count not in counts:
            yield _error(path, f"acceleratorCount is {count}", f"write one of {', '.join(map(str, counts))}", where)


def _check_container(container: dict, where: str, path: Path | str, read_flags: FlagReader) -> Iterator[Finding]:
    image = container.get("imageUri", "")
    if not _IMAGE.fullmatch(image):
        remedy = "give --image REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE:TAG, as cloud/cloudbuild.yaml built it"
        yield _error(path, f"imageUri is {image!r}", remedy, where)
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr):
            read_flags(container.get("command", ()), container.get("args", ()))
    except (SystemExit, UsageError) as error:
        usage = stderr.getvalue().strip().rpartition("error: ")[2]
        yield _error(path, f"args: {usage or error}", "see the program's --help", where)


def _error(path: Path | str, message: str, remedy: str, where: str = "", line: int | None = None) -> Finding:
    return Finding(ERROR, "job-spec", files.shown_path(path), message, remedy, where, line)
