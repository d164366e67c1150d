"""Which process of a training cluster this one is, as the environment says it.

Vertex AI and the former ML Engine set, in each container of a job of several machines,

    TF_CONFIG     {"cluster": {"chief": ["HOST:PORT"], "worker": [...], "ps": [...]}, "task": {"type": ..., "index": 0}}
    CLUSTER_SPEC  the same with "workerpool0" to "workerpool3" for chief, worker, ps and evaluator, and with all pools

(https://cloud.google.com/vertex-ai/docs/training/distributed-training). ML Engine said "master" for "chief", as does
the Object Detection API's legacy trainer, which knows no other name: given a "chief", no process is in charge and all
wait for ever.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING

from scripts.lib.core.errors import DataError

if TYPE_CHECKING:
    from scripts.lib.config.pipeline_config import Message

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


@dataclasses.dataclass(frozen=True)
class Replica:
    """One process of the cluster.

    Attributes:
        task_type: MASTER, WORKER, PS or EVALUATOR.
        index: counted from 0 within its type.
        addresses: "host:port" of each master, worker and ps, by type; an evaluator is none of the cluster.
        has_evaluator: whether the job is known to have one: CLUSTER_SPEC tells of it, TF_CONFIG does not.
    """

    task_type: str
    index: int
    addresses: Mapping[str, tuple[str, ...]]
    has_evaluator: bool = False

    @property
    def name(self) -> str:
        """E.g. "worker/1", and "master", of which there is one."""
        return self.task_type if self.task_type == MASTER else f"{self.task_type}/{self.index}"

    @property
    def number(self) -> int:
        """0 for the master alone, who prepares train_dir: the `task` of the API's flags."""
        return 0 if self.task_type == MASTER else self.index + 1

    def as_tf_config(self) -> str:
        """The TF_CONFIG that the legacy trainer reads."""
        task = {"type": self.task_type, "index": self.index}
        return json.dumps({"cluster": self.addresses, "task": task, "environment": "cloud"})


def enter(config: Message, environment: MutableMapping[str, str] = os.environ) -> Replica | None:
    """Reads the environment and sets TF_CONFIG in it as the legacy trainer reads it.

    Args:
        config: the pipeline config that is to be trained.
        environment: of this process.

    Returns:
        This process's part; None where it trains alone.

    Raises:
        DataError: see `from_environment`; or the config cannot be trained in step.
    """
    replica = from_environment(environment)
    problems = check_sync_replicas(config)
    if problems:
        raise DataError(problems, CONSEQUENCE)
    if replica is None:
        environment.pop("TF_CONFIG", None)
    else:
        environment["TF_CONFIG"] = replica.as_tf_config()
    return replica


def from_environment(environment: Mapping[str, str] = os.environ) -> Replica | None:
    """This process's part by TF_CONFIG, or by CLUSTER_SPEC where that is missing.

    Returns:
        None where neither is set, or tells of nothing but a single machine.

    Raises:
        DataError: one of the two is malformed, or describes a cluster in which the legacy trainer cannot train.
    """
    described = {name: _parse(name, environment[name]) for name in VARIABLES if environment.get(name)}
    name = next((name for name, content in described.items() if content.get("cluster") or content.get("task")), None)
    if name is None:
        return None
    pools = described.get("CLUSTER_SPEC", {}).get("cluster") or {}
    has_evaluator = any(TASK_TYPES.get(pool) == EVALUATOR and hosts for pool, hosts in pools.items())
    addresses, problems = _read_cluster(name, described[name].get("cluster") or {})
    task_type, index = _read_task(name, described[name].get("task") or {"type": MASTER}, addresses, problems)
    if problems:
        raise DataError(problems, CONSEQUENCE)
    if task_type == MASTER and not addresses.keys() - {MASTER} and not has_evaluator:
        return None
    return Replica(task_type, index, addresses, has_evaluator)


def check_sync_replicas(config: Message) -> list[str]:
    """What stands in the way of `train_config.sync_replicas`, a sentence each; nothing where it is not set.

    The legacy trainer divides batch_size by replicas_to_aggregate and each replica takes that share.
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
            f"{train.replicas_to_aggregate}, among whom it is shared out; write a multiple of it"
        )
    return problems


def _parse(name: str, text: str) -> dict:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"{name} is no JSON: {error}; it begins {text[:60]!r}; expected an object with cluster and task"
        raise DataError([problem], CONSEQUENCE) from error
    cluster, task = (content.get(part) or {} for part in ("cluster", "task")) if isinstance(content, dict) else (0, 0)
    if not isinstance(cluster, dict) or not isinstance(task, dict):
        problem = f"{name} should hold an object with the objects cluster and task, and holds {text[:60]!r}"
        raise DataError([problem], CONSEQUENCE)
    return content


def _read_cluster(name: str, cluster: dict) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The addresses by type, evaluators left out, and the problems found."""
    addresses: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for key, hosts in cluster.items():
        task_type = TASK_TYPES.get(key)
        if task_type is None:
            problems.append(f"{name}: the cluster has {key!r}, which is none of {', '.join(TASK_TYPES)}")
        elif not isinstance(hosts, list) or not all(isinstance(host, str) and _is_address(host) for host in hosts):
            problems.append(f"{name}: the cluster's {key} should be a list of HOST:PORT, and is {hosts!r}")
        elif hosts and task_type != EVALUATOR:
            addresses[task_type] = (*addresses.get(task_type, ()), *hosts)
    everyone = [host for hosts in addresses.values() for host in hosts]
    twice = sorted({host for host in everyone if everyone.count(host) > 1})
    if twice:
        problems.append(f"{name}: {', '.join(twice)} is there twice; every process needs an address of its own")
    if not problems and addresses:
        masters = len(addresses.get(MASTER, ()))
        if masters != 1:
            problems.append(f"{name}: the cluster has {masters} chiefs or masters; it needs one, to save checkpoints")
        if addresses.get(WORKER) and not addresses.get(PS):
            problems.append(
                f"{name}: the cluster has {len(addresses[WORKER])} workers and no ps (parameter server), where the "
                "variables of workers lie; add one, on Vertex AI as the third worker pool"
            )
    return addresses, problems


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


def _read_task(name: str, task: dict, addresses: Mapping[str, tuple[str, ...]], problems: list[str]) -> tuple[str, int]:
    """Type and index of this process; what is wrong with them is added to the problems."""
    task_type, index = TASK_TYPES.get(str(task.get("type"))), task.get("index", 0)
    if task_type is None:
        problems.append(f"{name}: the task's type is {task.get('type')!r}, which is none of {', '.join(TASK_TYPES)}")
        return MASTER, 0
    if isinstance(index, str) and index.isdecimal():
        index = int(index)
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        problems.append(f"{name}: the task's index should be an integer from 0 on, and is {index!r}")
        return task_type, 0
    there = len(addresses.get(task_type, ()))
    if task_type != EVALUATOR and addresses and index >= there and not problems:
        problems.append(f"{name}: the task is {task['type']} {index}, yet the cluster has {there} of the type")
    return task_type, index
