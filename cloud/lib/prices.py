"""What a job costs, estimated before it is submitted.

List prices of Vertex AI custom training in us-central1, on demand, US dollars an hour, without disks, network and
taxes: what Compute Engine asked for the same machine, and Google's 15% for training
(https://cloud.google.com/vertex-ai/pricing#custom-trained_models). Other regions cost up to a third more. Noted
by hand in the month AS_OF and not compared with Google's pages since: for a decision, not for accounting.
"""

from __future__ import annotations

import re
from typing import NamedTuple

AS_OF = "June 2025"
MANAGEMENT = 1.15  # Vertex AI's price over Compute Engine's
SPOT = 0.4  # at most, of the price on demand; it changes from month to month

# Compute Engine, us-central1: a machine is vCPUs and memory (GB); a GPU that its price does not include comes on top.
_VCPU = {"n1": 0.031611, "e2": 0.021811, "n2": 0.031611}
_GIGABYTE = {"n1": 0.004237, "e2": 0.002923, "n2": 0.004237}
_GIGABYTES_A_VCPU = {("n1", "standard"): 3.75, ("n1", "highmem"): 6.5, ("n1", "highcpu"): 0.9}
_GIGABYTES_ELSE = {"standard": 4, "highmem": 8, "highcpu": 1}
_WHOLE_MACHINE = {  # with their GPUs
    "g2-standard-4": 0.7068,
    "g2-standard-8": 0.8536,
    "g2-standard-12": 1.0005,
    "g2-standard-16": 1.1472,
    "g2-standard-24": 2.0009,
    "g2-standard-32": 1.7348,
    "g2-standard-48": 4.0019,
}
_GPU = {
    "NVIDIA_TESLA_T4": 0.35,
    "NVIDIA_TESLA_P4": 0.60,
    "NVIDIA_TESLA_P100": 1.46,
    "NVIDIA_TESLA_V100": 2.48,
}

# Dataflow's own prices for batch jobs, us-central1, which include the machine (https://cloud.google.com/dataflow/pricing)
_DATAFLOW_VCPU, _DATAFLOW_GIGABYTE, _DATAFLOW_DISK_GIGABYTE = 0.056, 0.003557, 0.000054  # an hour
DATAFLOW_SHUFFLED_GIGABYTE = 0.011
DATAFLOW_DISK_GIGABYTES = 30.0  # of a worker, about what Dataflow gives it
# Cloud Storage, standard class (https://cloud.google.com/storage/pricing): of a file, and of up to 1,000 of a listing
STORAGE_READ, STORAGE_WRITE = 0.0004 / 1000, 0.005 / 1000


class Estimate(NamedTuple):
    """US dollars an hour for all machines together, the hours after which the job is stopped, and what has no price."""

    an_hour: float
    hours: float
    unknown: tuple[str, ...]

    def __str__(self) -> str:
        text = (
            f"about {self.an_hour:.2f} US dollars an hour, {self.an_hour * self.hours:.2f} at most in the "
            f"{self.hours:g} h of its timeout (list prices of {AS_OF}, us-central1, without disks and network)"
        )
        return f"{text}; without {', '.join(self.unknown)}, for which there is no price here" if self.unknown else text


def estimate(spec: dict) -> Estimate:
    """The cost of a CustomJobSpec (camelCase, as `job_spec.fill` returns it)."""
    unknown, total = [], 0.0
    for pool in spec.get("workerPoolSpecs", ()):
        machine = pool.get("machineSpec", {})
        price = machine_an_hour(machine.get("machineType", ""), machine.get("acceleratorType"), gpus(machine))
        if price is None:
            unknown.append(" with ".join(filter(None, (machine.get("machineType"), machine.get("acceleratorType")))))
        total += (price or 0) * int(pool.get("replicaCount", 1))
    scheduling = spec.get("scheduling", {})
    if scheduling.get("strategy") == "SPOT":
        total *= SPOT
    hours = float(str(scheduling.get("timeout", "604800s")).removesuffix("s")) / 3600  # 7 days: the API's default
    return Estimate(total, hours, tuple(dict.fromkeys(unknown)))


def gpus(machine: dict) -> int:
    return int(machine.get("acceleratorCount", 1)) if machine.get("acceleratorType") else 0


def machine_an_hour(machine_type: str, gpu: str | None = None, gpu_count: int = 0) -> float | None:
    """Vertex AI's price of one machine in US dollars an hour, or None where the tables lack it."""
    if machine_type in _WHOLE_MACHINE:
        return _WHOLE_MACHINE[machine_type] * MANAGEMENT
    machine = machine_of(machine_type)
    if not machine or (gpu and gpu not in _GPU):
        return None
    price = machine.vcpus * _VCPU[machine.family] + machine.gigabytes * _GIGABYTE[machine.family]
    return (price + gpu_count * (_GPU[gpu] if gpu else 0)) * MANAGEMENT


class Machine(NamedTuple):
    """What a machine type's name says."""

    family: str
    vcpus: int
    gigabytes: float


def machine_of(machine_type: str) -> Machine | None:
    """E.g. of "e2-standard-4"; None where the tables lack it."""
    match = re.fullmatch(r"(n1|n2|e2)-(standard|highmem|highcpu)-(\d+)", machine_type)
    if not match:
        return None
    family, kind, vcpus = match[1], match[2], int(match[3])
    return Machine(family, vcpus, vcpus * _GIGABYTES_A_VCPU.get((family, kind), _GIGABYTES_ELSE[kind]))


def dataflow_estimate(machine_type: str, machines: int) -> str:
    """What the workers of a batch job cost, without reading, writing and shuffling."""
    machine = machine_of(machine_type)
    if not machine:
        return f"there is no price here for {machine_type}"
    an_hour = machines * dataflow_an_hour(machine, DATAFLOW_DISK_GIGABYTES)
    return (
        f"about {an_hour:.2f} US dollars an hour with {machines} machines (list prices of {AS_OF}, us-central1); for "
        "how many hours, tells cloud/detection_cost.py"
    )


def dataflow_an_hour(machine: Machine, disk_gigabytes: float) -> float:
    """Dataflow's price of one worker of a batch job in US dollars an hour; the same for all families."""
    memory = machine.gigabytes * _DATAFLOW_GIGABYTE
    return machine.vcpus * _DATAFLOW_VCPU + memory + disk_gigabytes * _DATAFLOW_DISK_GIGABYTE
