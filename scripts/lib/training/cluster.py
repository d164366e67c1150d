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
from collections.abc import Mapping, MutableMapping

from google.protobuf.message import Message

from scripts.lib.core import json_text
from scripts.lib.core.errors import DataError

MASTER, WORKER, PS, EVALUATOR = "master", "worker", "ps", "evaluator"
TASK_TYPES = {
    "master": MASTER,
    "chief": MASTER,
    "worker": WORKER,
    "ps": PS,
    "evaluator": EVALUATOR,
    "workerpool0": MASTER,
    "workerpool1": WORKER,
    "workerpool2": PS,
    "workerpool3": EVALUATOR,
}
CONSEQUENCE = "the training was not started"


@dataclasses.dataclass(frozen=True)
class ClusterTask:
    """One process of the cluster."""

    type: str  # MASTER, WORKER, PS or EVALUATOR
    index: int  # from 0 within its type
    addresses: Mapping[str, tuple[str, ...]]  # "host:port" of each master, worker and ps, by type
    has_evaluator: bool = False  # whether CLUSTER_SPEC names one; TF_CONFIG never does

    @property
    def name(self) -> str:
        """Return e.g. "worker/1"; the only master is "master"."""
        return self.type if self.type == MASTER else f"{self.type}/{self.index}"

    @property
    def number(self) -> int:
        """Return the `task` of the API's flags: 0 for the master only, which prepares train_dir."""
        return 0 if self.type == MASTER else self.index + 1


def enter(config: Message, environment: MutableMapping[str, str] = os.environ) -> ClusterTask | None:
    """Return this process's task, None without a cluster, and set TF_CONFIG as the legacy trainer reads it.

    A single worker does not train synchronously: it would wait for the others' gradients at its end.

    Raises:
        DataError: see `from_environment`; or the config cannot be trained synchronously.
    """
    task = from_environment(environment)
    if config.train_config.sync_replicas and not (task and WORKER in task.addresses):
        print("train_config.sync_replicas is for several workers; there is one, so it is ignored.", flush=True)
        config.train_config.sync_replicas = False
    if problems := check_sync_replicas(config):
        raise DataError(problems, CONSEQUENCE)
    environment.pop("TF_CONFIG", None)
    if task:
        content = {"cluster": task.addresses, "task": {"type": task.type, "index": task.index}, "environment": "cloud"}
        environment["TF_CONFIG"] = json.dumps(content)
    return task


def from_environment(environment: Mapping[str, str] = os.environ) -> ClusterTask | None:
    """Return this process's task by TF_CONFIG, or by CLUSTER_SPEC where that is missing.

    None: neither is set, or they describe a single machine.

    Raises:
        DataError: one of the two is malformed, or the legacy trainer cannot train in this cluster.
    """
    described = [_parse(name, environment[name]) for name in ("TF_CONFIG", "CLUSTER_SPEC") if environment.get(name)]
    has_evaluator = any(EVALUATOR in hosts for hosts, _, _ in described)
    addresses, task_type, index = next((one for one in described if one[0]), ({}, MASTER, 0))
    addresses = {role: hosts for role, hosts in addresses.items() if role != EVALUATOR}  # the trainer knows none
    masters = len(addresses.get(MASTER, ()))
    if addresses and masters != 1:
        problem = f"the cluster has {masters} chiefs or masters; it needs one, to save checkpoints"
        raise DataError([problem], CONSEQUENCE)
    if WORKER in addresses and PS not in addresses:
        problem = "the cluster has workers but no ps (parameter server); on Vertex AI, add one as the third worker pool"
        raise DataError([problem], CONSEQUENCE)
    is_alone = task_type == MASTER and not has_evaluator and not addresses.keys() - {MASTER}
    return None if is_alone else ClusterTask(task_type, index, addresses, has_evaluator)


def check_sync_replicas(config: Message) -> list[str]:
    """Return the problems of `train_config.sync_replicas`, one sentence each; none where it is not set.

    The legacy trainer divides batch_size by replicas_to_aggregate, and each replica takes that share.
    """
    train, problems = config.train_config, []
    if train.sync_replicas and train.startup_delay_steps:
        problems.append(
            f"train_config: sync_replicas does not go with startup_delay_steps {train.startup_delay_steps:g}: "
            "nobody would take the steps that a worker waits for; write startup_delay_steps: 0"
        )
    if train.sync_replicas and (train.replicas_to_aggregate < 1 or train.batch_size % train.replicas_to_aggregate):
        problems.append(
            f"train_config: batch_size {train.batch_size} is not divisible by replicas_to_aggregate "
            f"{train.replicas_to_aggregate}, the number of replicas that share it; write a multiple of it"
        )
    return problems


def _parse(name: str, text: str) -> tuple[dict[str, tuple[str, ...]], str, int]:
    """Return the addresses by task type, and type and index of this process."""
    try:
        content = json_text.parse(text)
        addresses: dict[str, tuple[str, ...]] = {}
        for key, hosts in (content.get("cluster") or {}).items():
            if hosts:
                addresses[TASK_TYPES[key]] = (*addresses.get(TASK_TYPES[key], ()), *hosts)
        task = content.get("task") or {"type": MASTER}
        return addresses, TASK_TYPES[task["type"]], int(task.get("index", 0))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        problem = (
            f"{name} is {text!r} ({type(error).__name__}: {error}); expected JSON with cluster (lists of HOST:PORT) "
            f"and task (type and index), for the types {', '.join(TASK_TYPES)}"
        )
        raise DataError([problem], CONSEQUENCE) from error
