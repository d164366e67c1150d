"""Job specifications for Vertex AI: fill in a template, and find mistakes before the job is submitted.

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
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, DataError, Finding, UsageError
from scripts.lib.core.wording import counted
from scripts.lib.environment import packages

POOLS = ("master", "workers", "parameter servers", "evaluator")  # Vertex AI tells pools apart by their order
EXAMPLE = "see cloud/vertex_training.yaml"


def read_template(path: Path) -> dict:
    """Return the content of a YAML template.

    Raises:
        DataError: it is not YAML, or has no list of worker pools.
    """
    import yaml

    try:
        template = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError([_error(path, f"is not YAML: {' '.join(str(error).split())}", EXAMPLE)]) from error
    pools = template.get("workerPoolSpecs") if isinstance(template, dict) else None
    if not isinstance(pools, list) or not all(isinstance(pool or {}, dict) for pool in pools):
        raise DataError([_error(path, "has no list workerPoolSpecs of objects", EXAMPLE)])
    return {**template, "workerPoolSpecs": [pool or {} for pool in pools]}


def with_replicas(template: dict, workers: int | None, parameter_servers: int | None, evaluator: bool) -> dict:
    """Return a copy of the template with these numbers of machines; None: the template's, 0: none.

    Raises:
        UsageError: a pool would be left without the one before it, or the template lacks a pool.
    """
    spec = copy.deepcopy(template)
    pools = spec["workerPoolSpecs"]
    for number, count in enumerate((workers, parameter_servers, int(evaluator)), start=1):
        if count is not None and number < len(pools):
            pools[number]["replicaCount"] = count
        elif count:
            raise UsageError(f"the job specification has no pool for {POOLS[number]}; {EXAMPLE}")
    kept = [pool for pool in pools if pool.get("replicaCount", 1)]
    if kept != pools[: len(kept)] and evaluator:
        raise UsageError("--evaluator needs workers and parameter servers; for one machine run `submit.py eval`")
    if kept != pools[: len(kept)]:
        raise UsageError("a job with parameter servers also needs workers; give --parameter_servers 0, too")
    spec["workerPoolSpecs"] = kept
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


def check(spec: dict, path: Path | str) -> list[Finding]:
    """Return what is wrong with a specification that `fill` has made from the template at `path`.

    Names, types and enum values are compared with the API's own message type. Which machines go together is left to
    the service, which refuses a job at once.
    """
    pools = spec["workerPoolSpecs"]
    if not pools or len(pools) > len(POOLS):
        return [
            _error(path, f"has {counted(len(pools), 'worker pool')}", f"write 1 to {len(POOLS)}: {', '.join(POOLS)}")
        ]
    findings = _check_against_api(spec, path)
    if findings:
        return findings  # the checks below rely on the fields' types
    if len(pools) == 2:
        message = "has workers, but no parameter servers to hold their variables"
        findings.append(_error(path, message, "add a third pool, or leave the second out (--workers 0)"))
    containers: list[dict] = []
    for number, pool in enumerate(pools):
        where = f"workerPoolSpecs[{number}] ({POOLS[number]})"
        machine = pool.get("machineSpec", {})
        if not machine.get("machineType"):
            findings.append(_error(path, "machineType is missing", "write one such as n1-standard-8", where))
        if machine.get("acceleratorType") == "NVIDIA_TESLA_K80":
            message = "NVIDIA_TESLA_K80 was retired on 1 May 2024"
            findings.append(_error(path, message, "write NVIDIA_TESLA_T4, as in cloud/vertex_training.yaml", where))
        container = pool.get("containerSpec", {})
        if container not in containers and (problem := _refused_flags(container)):
            findings.append(_error(path, f"args: {problem}", "see the program's --help", where))
        containers.append(container)
    return findings


def _check_against_api(spec: dict, path: Path | str) -> list[Finding]:
    try:
        from google.cloud.aiplatform_v1.types import CustomJobSpec
    except ImportError as error:
        raise UsageError(packages.how_to_install("google-cloud-aiplatform")) from error
    from google.protobuf.json_format import ParseError

    try:
        CustomJobSpec.from_json(json.dumps(spec, default=str), ignore_unknown_fields=False)
    except ParseError as error:
        reason = re.sub(r"\s+", " ", str(error)).replace("google.cloud.aiplatform.v1.", "").rstrip(".")
        return [_error(path, f"is not a CustomJobSpec: {reason}", EXAMPLE)]
    return []


def _refused_flags(container: dict) -> str:
    """Return why the container's program will reject its flags, or ""."""
    from cloud import task
    from scripts import eval as evaluation
    from scripts import train

    command, arguments = container.get("command", ()), container.get("args", ())
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr):
            if command and command[-1].endswith("eval.py"):
                evaluation.parse_arguments(arguments)
            elif not command or command[-1].endswith(("task.py", "train.py")):
                flags = train.parse_arguments(task.parse_arguments(arguments)[1])
                if flags.eval_every and files.is_url(flags.train_dir):
                    return "--eval_every needs a train_dir on the machine; give --evaluator, or run `submit.py eval`"
    except (SystemExit, UsageError) as error:
        return "; ".join(stderr.getvalue().removeprefix("error: ").strip().split("\nerror: ")) or str(error)
    return ""


def _error(path: Path | str, message: str, remedy: str, where: str = "") -> Finding:
    return Finding(ERROR, "job-spec", files.shown_path(path), message, remedy, where)
