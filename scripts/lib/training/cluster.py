"""The task of this process in a training cluster, as the environment describes it.

Vertex AI and the former ML Engine set, in each container of a job of several machines,

    TF_CONFIG     {"cluster": {"chief": ["HOST:PORT"], "worker": [...], "ps": [...]}, "task": {"type": ..., "index": 0}}
    CLUSTER_SPEC  the same with "workerpool0" to "workerpool3" for chief, worker, ps and evaluator, and with all pools

(https://cloud.google.com/vertex-ai/docs/training/distributed-training). The Object Detection API's legacy trainer knows
only ML Engine's name for the chief, "master": given a "chief", no process is in charge, and all wait for ever.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING

from scripts.lib.core.errors import DataError

if TYPE_CHECKING:
    from google.protobuf.message import Message

MASTER, WORKER, PS, EVALUATOR = "master", "worker", "ps", "evaluator"
TASK_TYPES = {
    **{name: name for name in (MASTER, WORKER, PS, EVALUATOR)},
    "chief": MASTER,
    "workerpool0": MASTER,
    "workerpool1": WORKER,
    "workerpool2": PS,
    "workerpool3": EVALUATOR,
}
VARIABLES = ("TF_CONFIG", "CLUSTER_SPEC")
CONSEQUENCE = "the training was not started"
_ADDRESS = re.compile(r".+:[1-9]\d{0,4}")


@dataclasses.dataclass(frozen=True)
class ClusterTask:
    """One process of the cluster.

    Attributes:
        type: MASTER, WORKER, PS or EVALUATOR.
        index: counted from 0 within its type.
        addresses: "host:port" of each master, worker and ps, by type.
        has_evaluator: whether CLUSTER_SPEC names an evaluator; TF_CONFIG never does.
    """

    type: str
    index: int
    addresses: Mapping[str, tuple[str, ...]]
    has_evaluator: bool = False

    @property
    def name(self) -> str:
        """Return e.g. "worker/1"; the only master is "master"."""
        return self.type if self.type == MASTER else f"{self.type}/{self.index}"

    @property
    def number(self) -> int:
        """Return the `task` of the API's flags: 0 for the master only, which prepares train_dir."""
        return 0 if self.type == MASTER else self.index + 1

    def as_tf_config(self) -> str:
        """Return the TF_CONFIG that the legacy trainer reads."""
        task = {"type": self.type, "index": self.index}
        return json.dumps({"cluster": self.addresses, "task": task, "environment": "cloud"})


def enter(config: Message, environment: MutableMapping[str, str] = os.environ) -> ClusterTask | None:
    """Return this process's task, None without a cluster, and set TF_CONFIG as the legacy trainer reads it.

    Raises:
        DataError: see `from_environment`; or the config cannot be trained synchronously.
    """
    task = from_environment(environment)
    if problems := check_sync_replicas(config):
        raise DataError(problems, CONSEQUENCE)
    if task is None:
        environment.pop("TF_CONFIG", None)
    else:
        environment["TF_CONFIG"] = task.as_tf_config()
    return task


def from_environment(environment: Mapping[str, str] = os.environ) -> ClusterTask | None:
    """Return this process's task by TF_CONFIG, or by CLUSTER_SPEC where that is missing.

    Returns:
        None where neither is set, or both describe a single machine.

    Raises:
        DataError: one of the two is malformed, or the legacy trainer cannot train in this cluster.
    """
    described = {name: _parse(name, environment[name]) for name in VARIABLES if environment.get(name)}
    name = next((name for name, content in described.items() if content.get("cluster") or content.get("task")), None)
    if name is None:
        return None
    pools = described.get("CLUSTER_SPEC", {}).get("cluster") or {}
    has_evaluator = any(TASK_TYPES.get(pool) == EVALUATOR and hosts for pool, hosts in pools.items())
    addresses, problems = _read_addresses(described[name].get("cluster") or {})
    task_type, index, task_problems = _read_task(
        described[name].get("task") or {"type": MASTER}, {} if problems else addresses
    )
    if problems or task_problems:
        raise DataError([f"{name}: {problem}" for problem in problems + task_problems], CONSEQUENCE)
    if task_type == MASTER and not addresses.keys() - {MASTER} and not has_evaluator:
        return None
    return ClusterTask(task_type, index, addresses, has_evaluator)


def check_sync_replicas(config: Message) -> list[str]:
    """Return the problems of `train_config.sync_replicas`, one sentence each; none where it is not set.

    The legacy trainer divides batch_size by replicas_to_aggregate, and each replica takes that share.
    """
    train = config.train_config
    if not train.sync_replicas:
        return []
    problems = []
    if train.startup_delay_steps:
        problems.append(
            f"train_config: sync_replicas does not go with startup_delay_steps {train.startup_delay_steps:g}: "
            "nobody would take the steps that a worker waits for; write startup_delay_steps: 0"
        )
    if train.replicas_to_aggregate < 1:
        problems.append(
            f"train_config: replicas_to_aggregate is {train.replicas_to_aggregate}; write the number of replicas whose "
            "gradients make a step"
        )
    elif train.batch_size % train.replicas_to_aggregate:
        problems.append(
            f"train_config: batch_size {train.batch_size} is not divisible by replicas_to_aggregate "
            f"{train.replicas_to_aggregate}, which share it; write a multiple of it"
        )
    return problems


def _parse(name: str, text: str) -> dict:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"{name} is not JSON: {error}; it begins {text[:60]!r}; expected an object with cluster and task"
        raise DataError([problem], CONSEQUENCE) from error
    parts = [content.get(part) or {} for part in ("cluster", "task")] if isinstance(content, dict) else [None]
    if not all(isinstance(part, dict) for part in parts):
        problem = f"{name} should hold an object with the objects cluster and task, but holds {text[:60]!r}"
        raise DataError([problem], CONSEQUENCE)
    return content


def _read_addresses(cluster: dict) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the addresses by task type, without evaluators, and the problems found."""
    addresses: dict[str, tuple[str, ...]] = {}
    problems = []
    for key, hosts in cluster.items():
        task_type = TASK_TYPES.get(key)
        if task_type is None:
            problems.append(f"the cluster has {key!r}; expected one of {', '.join(TASK_TYPES)}")
        elif not isinstance(hosts, list) or not all(_ADDRESS.fullmatch(str(host)) for host in hosts):
            problems.append(f"the cluster's {key} should be a list of HOST:PORT, but is {hosts!r}")
        elif hosts and task_type != EVALUATOR:
            addresses[task_type] = (*addresses.get(task_type, ()), *hosts)
    masters = len(addresses.get(MASTER, ()))
    if addresses and masters != 1 and not problems:
        problems.append(f"the cluster has {masters} chiefs or masters; it needs one, to save checkpoints")
    if addresses.get(WORKER) and not addresses.get(PS) and not problems:
        problems.append(
            f"the cluster has workers ({len(addresses[WORKER])}) but no ps (parameter server), which holds their "
            "variables; add one, on Vertex AI as the third worker pool"
        )
    return addresses, problems


def _read_task(task: dict, addresses: Mapping[str, tuple[str, ...]]) -> tuple[str, int, list[str]]:
    """Return type and index of this process, and what is wrong with them."""
    task_type, index = TASK_TYPES.get(str(task.get("type"))), task.get("index", 0)
    if task_type is None:
        return MASTER, 0, [f"the task's type is {task.get('type')!r}; expected one of {', '.join(TASK_TYPES)}"]
    if not str(index).isdecimal():
        return task_type, 0, [f"the task's index should be an integer of at least 0, but is {index!r}"]
    count = len(addresses.get(task_type, ()))
    if task_type != EVALUATOR and addresses.get(MASTER) and int(index) >= count:
        return task_type, 0, [f"the task is {task_type} {index}, but the cluster has {count} of this type"]
    return task_type, int(index), []
