"""How many machines, hours and dollars it takes to look at a catalogue of photos: a model, every assumption a flag.

In:   the assumptions. The first one to measure is the rate of a vCPU, which cloud/detect_beam.py says at its end.
Out:  a table on stdout: for each number of machines the hours, the photos a second, and the cost.

  python cloud/detection_cost.py --photos 100e6 --photos_a_second 30 --machines 25 100 400

A job takes as long as its machines take to start, plus the photos at the rate of all machines, plus at most one shard
at the rate of one thread: while the last shards are done, the other threads have nothing left (R. L. Graham, "Bounds on
Multiprocessing Timing Anomalies", 1969: any order of the shards is worse than the best by less than the longest). All
machines are paid until the end. Reading is no limit as long as the photos of a machine fit through its network, which
is checked. Prices: list prices of Dataflow and Cloud Storage, see cloud/lib/prices.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import _init_paths  # noqa: F401

from cloud.lib import prices
from scripts.lib.core import command_line
from scripts.lib.core.errors import UsageError

RESULT_FILES = 3  # of a shard
NAME_BYTES = 150  # what the pipeline shuffles of a photo: its name, its address, its size and time


class Run(NamedTuple):
    """A run with so many machines: hours from its start to its end, photos a second, and US dollars."""

    hours: float
    photos_a_second: float
    dollars_machines: float
    dollars_storage: float
    dollars_shuffle: float

    @property
    def dollars(self) -> float:
        return self.dollars_machines + self.dollars_storage + self.dollars_shuffle


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    machine = prices.machine_of(args.machine_type)
    if not machine:
        raise UsageError(f"--machine_type {args.machine_type}: known are n1, n2 and e2, e.g. e2-standard-4")
    print(describe(args, machine))
    print(table(args, machine))
    return 0


def run(args: argparse.Namespace, machine: prices.Machine, machines: int) -> Run:
    photos = args.photos * (1 + args.repeated)
    rate = machine_rate(args, machine)
    shard_seconds = photos / args.num_shards / (rate / args.shards_at_once)
    if machines * args.shards_at_once >= args.num_shards:  # each thread has one shard at most
        seconds = shard_seconds
    else:
        seconds = photos / (machines * rate) + shard_seconds
    hours = (60 * args.start_minutes + seconds) / 3600
    return Run(
        hours,
        args.photos / (3600 * hours),
        machines * hours * prices.dataflow_an_hour(machine, args.disk_gigabytes),
        photos * prices.STORAGE_READ + RESULT_FILES * args.num_shards * prices.STORAGE_WRITE,
        args.photos * NAME_BYTES / 1e9 * prices.DATAFLOW_SHUFFLED_GIGABYTE,
    )


def machine_rate(args: argparse.Namespace, machine: prices.Machine) -> float:
    """Photos a second of one machine: what its vCPUs compute, or its network brings, whichever is less."""
    computed = machine.vcpus * args.photos_a_second * args.busy
    brought = args.gbps * 1e9 / 8 / (1000 * args.kilobytes)
    return min(computed, brought)


def describe(args: argparse.Namespace, machine: prices.Machine) -> str:
    rate = machine_rate(args, machine)
    network = rate * args.kilobytes * 8 / 1e6 / args.gbps
    shard_minutes = args.photos / args.num_shards / (rate / args.shards_at_once) / 60
    return (
        f"{args.photos:,.0f} photos of {args.kilobytes:g} KB. {args.machine_type}: {rate:.0f} a second "
        f"({machine.vcpus} vCPUs, {args.photos_a_second:g} each, {args.busy:.0%} busy; {network:.0%} of its network), "
        f"for {prices.dataflow_an_hour(machine, args.disk_gigabytes):.3f} US dollars an hour.\n"
        f"{args.num_shards:,} shards of {args.photos / args.num_shards:,.0f} photos, {args.shards_at_once} at once on "
        f"a machine: {shard_minutes:.1f} minutes each. Prices of {prices.AS_OF}, us-central1.\n"
    )


def table(args: argparse.Namespace, machine: prices.Machine) -> str:
    """A row for each number of machines, in Markdown."""
    rows = [
        "| machines | vCPUs | hours | photos/s | machines, $ | reads and writes, $ | shuffle, $ | total, $ |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for machines in args.machines:
        result = run(args, machine, machines)
        dollars = (result.dollars_machines, result.dollars_storage, result.dollars_shuffle, result.dollars)
        cells = [machines, machines * machine.vcpus, f"{result.hours:.1f}", f"{result.photos_a_second:,.0f}"]
        rows.append(f"| {' | '.join(map(str, [*cells, *(f'{amount:.2f}' for amount in dollars)]))} |")
    return "\n".join(rows)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    whole = {"type": command_line.positive_int, "metavar": "N"}
    parser.add_argument("--machines", nargs="+", default=[10, 25, 100, 400], help="workers of the job", **whole)
    parser.add_argument("--machine_type", default="e2-standard-4", metavar="TYPE", help="of the workers")
    parser.add_argument("--num_shards", default=10_000, help="as given to detect_beam.py", **whole)
    parser.add_argument(
        "--shards_at_once", default=2, help="on a machine: --number_of_worker_harness_threads of the job", **whole
    )
    positive, not_negative = command_line.positive, command_line.not_negative
    for name, number, default, meaning in (
        ("photos", positive, 100e6, "of the catalogue"),
        ("photos_a_second", positive, 30.0, "that one vCPU reads, decodes and looks at"),
        ("busy", positive, 0.8, "part of the time that the vCPUs do that, and do not wait for photos or run Beam"),
        ("kilobytes", positive, 150.0, "of a photo"),
        ("gbps", positive, 4.0, "of a machine's network, Gbit/s: half of Google's limit for e2-standard-4"),
        ("start_minutes", not_negative, 6.0, "until machines, container and model are there"),
        ("repeated", not_negative, 0.02, "part of the photos that is looked at twice, since a machine went away"),
        ("disk_gigabytes", not_negative, prices.DATAFLOW_DISK_GIGABYTES, "of a machine"),
    ):
        parser.add_argument(f"--{name}", type=number, default=default, metavar="X", help=meaning)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command_line.run(main)
