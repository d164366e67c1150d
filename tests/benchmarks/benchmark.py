"""Measure the project against its targets on this machine.

Makes its own input (runs/benchmark/, kept for the next run) and prints a table: target, measured, met or not. Programs
that are compared run in turns, and the best run of each counts. The exit status is 0 whether targets are met or not,
since the machine may be busy; its load is printed as well.

  python tests/benchmarks/benchmark.py data            xml_to_csv, generate_tfrecord: speed, start-up, memory (5 minutes)
  python tests/benchmarks/benchmark.py data --quick    the same on less input (1 minute)
  python tests/benchmarks/benchmark.py detect          runtimes against TensorFlow, 300x300, random weights (2 minutes)
  python tests/benchmarks/benchmark.py train           train.py against the bare entry point, a step (20 minutes)
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts import _init_paths  # noqa: F401
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from tests.benchmarks import measuring

SUB_COMMANDS = {  # name -> what it measures; the module of that name in this folder does it
    "data": "the data scripts: speed against plain programs, start-up, memory",
    "detect": "detection: runtimes against TensorFlow",
    "train": "training: train.py against the bare entry point",
}


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    benchmark = importlib.import_module(f"tests.benchmarks.{args.what}")
    machine = measuring.machine()
    results = benchmark.measure(args.work_dir, args.quick)
    print(measuring.report(machine, results))
    if args.json:
        with files.atomic_write(args.json, "w") as file:
            json.dump({"machine": machine, "results": [result.as_json() for result in results]}, file, indent=2)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    what = "; ".join(f"{name}: {title}" for name, title in SUB_COMMANDS.items())
    parser.add_argument("what", choices=SUB_COMMANDS, help=what)
    parser.add_argument("--quick", action="store_true", help="less input and fewer turns")
    parser.add_argument("--json", type=local_path, metavar="FILE", help="write the results there, too")
    parser.add_argument(
        "--work_dir", type=local_path, default=files.default_path("runs/benchmark"), help="folder for input and output"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    command_line.run(main)
