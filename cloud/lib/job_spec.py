"""Job specifications for Vertex AI: templates filled in, and what is wrong with one found before it is paid for.

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
from scripts.lib.core.errors import ERROR, WARNING, DataError, Finding, UsageError

INSTALL = "install it with: python -m pip install -r requirements-cloud.txt"
POOLS = ("master", "workers", "parameter servers", "evaluator")
MASTER, WORKERS, PARAMETER_SERVERS, EVALUATOR = range(4)
MAX_TIMEOUT_SECS = 7 * 24 * 3600

# https://cloud.google.com/compute/docs/gpus/a100-gpus and the pages beside it: what a GPU's machines are called, and
# how many of it a machine may have. None: the number is part of the machine's name.
_GPU_MACHINES = {
    "NVIDIA_TESLA_T4": ("n1-", (1, 2, 4)),
    "NVIDIA_TESLA_P4": ("n1-", (1, 2, 4)),
    "NVIDIA_TESLA_P100": ("n1-", (1, 2, 4)),
    "NVIDIA_TESLA_V100": ("n1-", (1, 2, 4, 8)),
    "NVIDIA_L4": ("g2-standard-", (1, 2, 4, 8)),
    "NVIDIA_TESLA_A100": ("a2-", (1, 2, 4, 8, 16)),
    "NVIDIA_A100_80GB": ("a2-ultragpu-", (1, 2, 4, 8)),
    "NVIDIA_H100_80GB": ("a3-", (1, 2, 4, 8)),
}
_RETIRED_GPUS = {"NVIDIA_TESLA_K80": "since 1 May 2024"}

_POOL_SHAPES = {
    "machineSpec": dict,
    "machineSpec.machineType": str,
    "machineSpec.acceleratorType": str,
    "containerSpec": dict,
    "containerSpec.imageUri": str,
    "containerSpec.command": list,
    "containerSpec.args": list,
}
_KINDS = {dict: "an object", str: "a string", list: "a list of strings"}

_IMAGE = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev/[\w.:-]+/[\w.-]+/[\w./-]+(:[\w.-]+|@sha256:[0-9a-f]{64})")
_MACHINE_TYPE = re.compile(r"[a-z]\w*-[a-z]+\w*(-\w+)?")


def read_template(path: Path) -> dict:
    """The content of a YAML template.

    Raises:
        UsageError: there is no such file.
        DataError: it is no YAML, or no object.
    """
    import yaml

    try:
        template = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(f"there is no job specification {files.shown_path(path)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        line = mark.line + 1 if mark else None
        raise DataError([_error(path, f"is no YAML: {reason}", "see cloud/vertex_training.yaml", line=line)]) from error
    if not isinstance(template, dict) or not isinstance(template.get("workerPoolSpecs"), list):
        raise DataError([_error(path, "has no list workerPoolSpecs", "see cloud/vertex_training.yaml")])
    pools = template["workerPoolSpecs"] = [pool or {} for pool in template["workerPoolSpecs"]]
    if not all(isinstance(pool, dict) for pool in pools):
        raise DataError([_error(path, "workerPoolSpecs holds what is no object", "see cloud/vertex_training.yaml")])
    misshapen = list(_misshapen(template, path))
    if misshapen:
        raise DataError(misshapen, "nothing was submitted")
    return template


def _misshapen(template: dict, path: Path) -> Iterator[Finding]:
    """What is of another kind than all further checks take it for."""
    for number, pool in enumerate([template, *template["workerPoolSpecs"]], start=-1):
        where = f"workerPoolSpecs[{number}]" if number >= 0 else ""
        for name, kind in (_POOL_SHAPES if number >= 0 else {"scheduling": dict}).items():
            *outer, last = name.split(".")
            holder = (pool.get(outer[0]) or {}) if outer else pool
            value = holder.get(last) if isinstance(holder, dict) else None
            words = value if isinstance(value, list) else ()
            if value is not None and not (isinstance(value, kind) and all(isinstance(word, str) for word in words)):
                remedy = f"write {_KINDS[kind]}, as in cloud/vertex_training.yaml"
                yield _error(path, f"{name} is {value!r}", remedy, where)


def fill(template: dict, values: Mapping[str, str]) -> dict:
    """A copy of the template with every ${NAME} replaced; an entry without a value (null, or an empty
    string) is left out.

    Raises:
        DataError: the template has a ${NAME} that has no value; all are listed.
    """
    unknown: list[str] = []

    def filled(part):
        if isinstance(part, dict):
            entries = ((key, filled(value)) for key, value in part.items())
            return {key: value for key, value in entries if value not in ("", None)}
        if isinstance(part, list):
            return [filled(each) for each in part]
        if isinstance(part, str):
            unknown.extend(name for name in placeholders(part) if name not in values)
            return string.Template(part).safe_substitute(values)
        return part

    spec = filled(template)
    if unknown:
        names = ", ".join(sorted(set(unknown)))
        raise DataError([f"the job specification has {names}, which is none of {', '.join(sorted(values))}"])
    return spec


def placeholders(text: str) -> list[str]:
    """The NAMEs of ${NAME} and $NAME in a text."""
    matches = string.Template.pattern.finditer(text)
    return [name for match in matches if (name := match["named"] or match["braced"])]


def with_replicas(template: dict, counts: Mapping[int, int]) -> dict:
    """A copy of the template with other numbers of replicas.

    Args:
        template: whose pools stand in the order of `POOLS`.
        counts: pool -> replicas; 0 leaves the pool out.

    Raises:
        UsageError: a pool would go that stands before one that stays: what a pool is, is told by its place.
    """
    spec = copy.deepcopy(template)
    pools = spec["workerPoolSpecs"]
    for pool, count in counts.items():
        if pool < len(pools):
            pools[pool]["replicaCount"] = count
        elif count:
            raise UsageError(f"the job specification has no pool for {POOLS[pool]}; see cloud/vertex_training.yaml")
    kept = [number for number, pool in enumerate(pools) if pool.get("replicaCount", 1)]
    if kept != list(range(len(kept))):
        missing = next(number for number in range(len(pools)) if number not in kept)
        raise UsageError(
            f"a job with {POOLS[kept[-1]]} needs {POOLS[missing]}, too: Vertex AI tells pools by their order, and "
            "takes no empty one; an evaluation beside a single machine is a job of its own (submit.py eval)"
        )
    spec["workerPoolSpecs"] = [pools[number] for number in kept]
    return spec


def text(spec: dict, comment: str = "") -> str:
    """The specification as YAML, without aliases."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data) -> bool:
            return True

    return f"# {comment}\n" * bool(comment) + yaml.dump(spec, Dumper=Dumper, sort_keys=False, width=120)


# ---------------------------------------------------------------------------------------------------------- checking


def check(spec: dict, path: Path | str, parse_flags: Callable[[Sequence[str], Sequence[str]], object]) -> list[Finding]:
    """Everything that is wrong with a filled-in specification.

    Args:
        spec: as `fill` returns it.
        path: the template, for the findings.
        parse_flags: given a container's command and arguments, raises SystemExit or a UsageError where the program
            there does not take them.
    """
    findings = list(_against_api(spec, path))
    pools = spec.get("workerPoolSpecs") or []
    if not pools:
        return [*findings, _error(path, "workerPoolSpecs is empty", "see cloud/vertex_training.yaml")]
    if len(pools) > len(POOLS):
        findings.append(_error(path, f"has {len(pools)} worker pools", f"at most {len(POOLS)}: {', '.join(POOLS)}"))
    for number, pool in enumerate(pools[: len(POOLS)]):
        where = f"workerPoolSpecs[{number}] ({POOLS[number]})"
        if not pool:
            findings.append(_error(path, "is empty, which gcloud refuses", "leave it out", where))
            continue
        findings += _check_pool(pool, number, where, path)
        container = pool.get("containerSpec") or {}
        if container not in [earlier.get("containerSpec") for earlier in pools[:number]]:  # else it has been said
            findings += _check_container(container, where, path, parse_flags)
    if len(pools) == WORKERS + 1:
        message = "has workers and no parameter servers, where the variables of workers lie"
        findings.append(_error(path, message, "add a third pool, or leave the second out (--workers 0)"))
    findings += _check_scheduling(spec.get("scheduling") or {}, path)
    return findings


def _against_api(spec: dict, path: Path | str) -> Iterator[Finding]:
    """Compares field names, types and enum values with the API's own message type.

    Raises:
        UsageError: the library that has the type is not installed.
    """
    try:
        from google.cloud.aiplatform_v1.types import CustomJobSpec
    except ImportError as error:
        raise UsageError(f"google-cloud-aiplatform, which knows the form of a job, is missing; {INSTALL}") from error
    from google.protobuf.json_format import ParseError

    try:
        CustomJobSpec.from_json(json.dumps(spec, default=str), ignore_unknown_fields=False)
    except ParseError as error:
        reason = re.sub(r"\s+", " ", str(error)).replace("google.cloud.aiplatform.v1.", "").rstrip(".")
        yield _error(path, f"is no CustomJobSpec: {reason}", "see cloud/vertex_training.yaml")


def _check_pool(pool: dict, number: int, where: str, path: Path | str) -> Iterator[Finding]:
    replicas = pool.get("replicaCount", 1)
    if number in (MASTER, EVALUATOR) and replicas != 1:
        yield _error(path, f"replicaCount is {replicas}", "there is one of it: write 1", where)
    elif isinstance(replicas, int) and replicas < 1:
        yield _error(path, f"replicaCount is {replicas}", "write at least 1, or leave the pool out", where)
    machine = pool.get("machineSpec") or {}
    machine_type, gpu, count = (machine.get(key) for key in ("machineType", "acceleratorType", "acceleratorCount"))
    if not machine_type or not _MACHINE_TYPE.fullmatch(str(machine_type)):
        yield _error(path, f"machineType is {machine_type!r}", "write one such as n1-standard-8", where)
    if not gpu or gpu == "ACCELERATOR_TYPE_UNSPECIFIED":
        if count:
            yield _error(path, f"acceleratorCount is {count}, and acceleratorType is missing", "name it", where)
        return
    if gpu in _RETIRED_GPUS:
        remedy = "write NVIDIA_TESLA_T4, or NVIDIA_L4 on a g2-standard machine"
        yield _error(path, f"{gpu} has not been to be had {_RETIRED_GPUS[gpu]}", remedy, where)
        return
    if str(gpu).startswith("TPU"):
        yield _error(path, f"{gpu} is no GPU: the legacy trainer runs on GPUs and CPUs", "write one of a GPU", where)
    if number == PARAMETER_SERVERS:
        message = f"each has an {gpu}, which a parameter server does not use"
        yield Finding(WARNING, "job-spec", files.shown_path(path), message, "leave acceleratorType out", where)
    machines, counts = _GPU_MACHINES.get(gpu, ("", ()))
    if machines and machine_type and not str(machine_type).startswith(machines):
        yield _error(path, f"{gpu} is not to be had with {machine_type}", f"write a machineType {machines}...", where)
    if counts and count not in counts:
        found = "missing" if count is None else count
        yield _error(path, f"acceleratorCount is {found}", f"write one of {', '.join(map(str, counts))}", where)


def _check_container(
    container: dict, where: str, path: Path | str, parse_flags: Callable[[Sequence[str], Sequence[str]], object]
) -> Iterator[Finding]:
    image = container.get("imageUri", "")
    if not _IMAGE.fullmatch(image):
        remedy = "give --image REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE:TAG, as cloud/cloudbuild.yaml built it"
        yield _error(path, f"imageUri is {image!r}", remedy, where)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parse_flags(container.get("command") or (), container.get("args") or ())
    except (SystemExit, UsageError) as error:
        usage = said.getvalue().strip().rpartition("error: ")[2]
        yield _error(path, f"args: {usage or error}", "see the program's --help", where)


def _check_scheduling(scheduling: dict, path: Path | str) -> Iterator[Finding]:
    where = "scheduling"
    timeout = re.fullmatch(r"(\d+)(?:\.\d+)?s", str(scheduling.get("timeout", "604800s")))
    if timeout and not 0 < int(timeout[1]) <= MAX_TIMEOUT_SECS:
        yield _error(path, f"timeout is {timeout[0]}", f"write up to {MAX_TIMEOUT_SECS}s, 7 days", where)
    if scheduling.get("strategy") == "SPOT" and scheduling.get("disableRetries"):
        message = "SPOT machines are taken away, and disableRetries ends the job then"
        yield Finding(WARNING, "job-spec", files.shown_path(path), message, "write disableRetries: false", where)


def _error(path: Path | str, message: str, remedy: str, where: str = "", line: int | None = None) -> Finding:
    return Finding(ERROR, "job-spec", files.shown_path(path), message, remedy, where, line)
