"""Start TensorBoard for training and evaluation together, in one process.

In:   a folder with event files in it or in its sub-folders, e.g. runs/quickstart with train and eval; each folder with
      event files is a run, named after its path.
Out:  a page in the browser, at http://localhost:6006 if that port is free: loss, learning rate, mAP of each class,
      images with detections and, after report.py, precision-recall curves and the confusion matrix. Ctrl+C ends it.

  python scripts/start_tensorboard.py --logdir runs/quickstart
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files
from scripts.lib.core.errors import UsageError
from scripts.lib.evaluation import event_files


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    for run in find_runs(args.logdir):
        print(f"{files.shown_path(run)}: {event_files.total_bytes(run) / 1e6:.1f} MB of events")
    print(f"TensorBoard is at {start(args.logdir, args.host, args.port)} (Ctrl+C ends it)", flush=True)
    while True:
        time.sleep(60)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    default = files.default_path("runs/quickstart")
    parser.add_argument("--logdir", type=command_line.existing_dir, default=default, help="folder with the runs")
    parser.add_argument("--host", default="localhost", help="address to listen at; 0.0.0.0: reachable from elsewhere")
    parser.add_argument("--port", type=int, help="port (default: 6006, or the next free one; 0: any)")
    return parser.parse_args(argv)


def find_runs(logdir: Path) -> list[Path]:
    """Return the folders that hold event files; raise UsageError where there is none."""
    runs = sorted({path.parent for path in logdir.rglob("*tfevents*")})
    if not runs:
        place = files.shown_path(logdir)
        raise UsageError(f"--logdir {place} holds no event file; give a train_dir, an eval_dir, or a folder above them")
    return runs


def start(logdir: Path, host: str, port: int | None) -> str:
    """Start TensorBoard in threads of this process, and return its address; raise UsageError for a port in use."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorBoard imports TensorFlow, which prints a greeting
    from tensorboard import program

    board = program.TensorBoard()
    flags = [f"--logdir={logdir}", f"--host={host}", "--reload_interval=15", "--samples_per_plugin=images=100"]
    board.configure(argv=["tensorboard", *flags, *([] if port is None else [f"--port={port}"])])
    try:
        return board.launch()
    except program.TensorBoardServerException as error:
        raise UsageError(f"--port {port}: {error}") from error
    except UnicodeError as error:  # a host name like a..b
        raise UsageError(f"--host {host}: {error}") from error


if __name__ == "__main__":
    command_line.run(main)
