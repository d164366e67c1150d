"""`benchmark.py train`: a step of train.py against one of the bare entry point, with the same config and records.

SSD MobileNet v1 at 128x128, batch 24, flips and random crops, on 60 photos of 640x640 pixels, and on the same photos
shrunk by `generate_tfrecord.py --max_image_side`. Summaries are as rare as those of the bare entry point: each costs
a forward pass, and the first one TensorFlow's optimisation of its graph.

TensorFlow chooses as many threads as there are cores; one run sets other numbers of threads within an operation, for
operations side by side, and for the input queue.

The losses of all these trainings are drawn into one picture, and what a step of the bare entry point spends its time in
is printed.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from google.protobuf import text_format
from matplotlib.figure import Figure

from scripts.lib.config import override, pipeline_config
from scripts.lib.core import files
from scripts.lib.core.parallel import available_cores
from scripts.lib.images import palette
from scripts.lib.report import plots
from tests.benchmarks import measuring
from tests.benchmarks.measuring import Result, Run, best

CONFIG = files.default_path("configs/ssd_mobilenet_v1_multi.config")
LABEL_MAP = files.default_path("data/apparel_label_map.pbtxt")
PHOTOS = 60
MODEL_SIDE, BATCH = 128, 24
SHRUNK_SIDE = 160  # by --max_image_side
CORES = available_cores()
WARM_UP = 24  # steps: the first one, and those on what the queues held when it began


class Training(NamedTuple):
    """One of those that are compared.

    Attributes:
        how: as in `training_steps`.
        record: its photos.
        threads: within an operation, and for operations side by side; 0: TensorFlow's choice.
        queue_threads: that decode and augment; None: the config's.
    """

    how: str
    record: str
    threads: tuple[int, int] = (0, 0)
    queue_threads: int | None = None


LARGE, SHRUNK = "640.record", f"{SHRUNK_SIDE}.record"
TRAININGS = {
    "bare": Training("bare", LARGE),
    "train.py": Training("train.py", LARGE),
    f"train.py, threads 1, {2 * CORES}, {CORES}": Training(
        "train.py", LARGE, threads=(1, 2 * CORES), queue_threads=CORES
    ),
    "bare, shrunk": Training("bare", SHRUNK),
    "train.py, shrunk": Training("train.py", SHRUNK),
}


class Trained(NamedTuple):
    """What a training of `training_steps` gave.

    Attributes:
        step: its mean step, those of the warm-up left out.
        losses: of all its steps.
        milliseconds: of the operations of a step, by kernel; empty unless it was traced.
    """

    step: Run
    losses: list[float]
    milliseconds: dict[str, float]


KINDS = {  # of operations, by the names of TensorFlow's kernels, which begin with _Mkl where oneDNN computes them
    "convolutions, gradients": r".*Conv2[dD].*Backprop.*",
    "convolutions": r".*Conv2[dD].*",
    "batch normalisation, gradients": r".*FusedBatchNormGrad.*",
    "batch normalisation": r".*FusedBatchNorm.*",
    "activations and their gradients": r"Relu.*",
    "non-maximum suppression of the hard example miner": r"NonMaxSuppression.*",
    "the optimizer's updates": r"(Resource)?Apply.*",
    "all other operations": r".*",
}


def measure(work_dir: Path, quick: bool) -> list[Result]:
    """Measures; see `benchmark.py`.

    Args:
        work_dir: for the photos, kept for the next run, the trainings, and loss_curves.png.
        quick: fewer steps, one turn.
    """
    folder = work_dir / "train"
    make_records(folder)
    steps, turns = (40, 1) if quick else (60, 3)
    runs: dict[str, list[Trained]] = {name: [] for name in TRAININGS}
    for _ in range(turns):
        for name, training in TRAININGS.items():
            runs[name].append(train(folder, training, steps))
    step = {name: best([trained.step for trained in of_one]) for name, of_one in runs.items()}
    print("a step: " + "; ".join(f"{name} {run}, {run.peak_bytes / 2**20:.0f} MB" for name, run in step.items()))
    print(where_the_time_goes(train(folder, Training("traced", LARGE, threads=(1, 1)), 10)))
    losses = {name: [trained.losses for trained in of_one] for name, of_one in runs.items()}
    print(compare_losses(losses, folder))
    large, bare = "640-pixel photos", "bare entry point"
    return [
        measuring.ratio(f"train.py, {large}", 1.0, step["bare"], step["train.py"], bare),
        measuring.ratio("--max_image_side, bare", 1.0, step["bare"], step["bare, shrunk"], f"{large}, {bare}"),
        part("overhead: train.py's step, photos of --max_image_side", step["train.py, shrunk"], step["bare, shrunk"]),
    ]


def where_the_time_goes(traced: Trained) -> str:
    """Return the time of a step by kinds of operations on one thread, and the rest."""
    kinds: Counter[str] = Counter()
    for kernel, milliseconds in traced.milliseconds.items():
        kinds[next(kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, kernel))] += milliseconds
    if traced.step.cpu is not None:
        beside = "decoding, augmentation and queues on their threads, and TensorFlow's calls of operations"
        kinds[beside] = max(0.0, traced.step.cpu * 1000 - sum(kinds.values()))
    whole = sum(kinds.values())
    lines = [f"  {value:5.0f} ms  {value / whole:4.0%}  {kind}" for kind, value in kinds.most_common()]
    return "\n".join(["Where a step's time goes, bare entry point, every operation on one thread:", *lines])


def compare_losses(losses: Mapping[str, Sequence[Sequence[float]]], folder: Path) -> str:
    """Draw the losses of the trainings; return the mean of the second half of each as text."""
    plot = plots.save(folder, "loss_curves.png", draw_losses, losses, "Losses of the trainings")
    ends = {name: [float(np.mean(run[len(run) // 2 :])) for run in runs] for name, runs in losses.items()}
    means = (f"{name} {np.mean(end):.2f} ({min(end):.2f} to {max(end):.2f})" for name, end in ends.items())
    return (
        f"Mean loss of the second half of the steps: {', '.join(means)}. Curves: {files.shown_path(folder / plot.file)}"
    )


def draw_losses(figure: Figure, losses: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Draw the mean loss of the runs of each training over the steps, and the range of the runs."""
    axes = plots.add_axes(figure, "Training loss, mean and range of the runs", "step", "loss")
    colors = palette.class_colors(losses)
    for name, runs in losses.items():
        values, color = np.array(runs), colors[name]
        steps = np.arange(1, values.shape[1] + 1)
        axes.plot(steps, values.mean(axis=0), label=f"{name} ({len(runs)} runs)", color=color)
        axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=color, alpha=0.15, lw=0)
    axes.set_yscale("log")
    plots.whole_steps(axes)
    axes.legend()


def part(what: str, run: Run, whole: Run) -> Result:
    """Return a run's time relative to another's; the target is at most 2% more."""
    return Result(what, 1.02, run.wall / whole.wall, "x", run.cpu / whole.cpu, detail=f"{run}; bare {whole}")


def make_records(folder: Path) -> None:
    """Make the records, unless an earlier run did."""
    if (folder / SHRUNK).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    measuring.run(["-m", "tests.benchmarks.data_input", folder, "0", "1", str(PHOTOS)])
    for record, side in ((LARGE, None), (SHRUNK, SHRUNK_SIDE)):
        shrunk = ["--max_image_side", str(side)] if side else []
        measuring.run(
            [
                "generate_tfrecord.py",
                "--csv_input",
                folder / f"photos_{PHOTOS}.csv",
                "--image_dir",
                folder / "photos",
                "--label_map",
                LABEL_MAP,
                "--output_path",
                folder / record,
                *shrunk,
            ]
        )


def train(folder: Path, training: Training, steps: int) -> Trained:
    """Run one training."""
    config = pipeline_config.read(CONFIG)
    override.set_input_size(config, MODEL_SIDE)
    override.set_num_steps(config, WARM_UP + steps)
    config.train_config.batch_size = BATCH
    config.train_config.ClearField("fine_tune_checkpoint")
    if training.queue_threads:
        config.train_config.num_batch_queue_threads = training.queue_threads
    config.train_input_reader.tf_record_input_reader.input_path[:] = [(folder / training.record).as_posix()]
    path, train_dir, steps_file = folder / "pipeline.config", folder / "training", folder / "steps.json"
    path.write_text(text_format.MessageToString(config), encoding="utf-8")
    shutil.rmtree(train_dir, ignore_errors=True)
    program = ["-m", "tests.benchmarks.training_steps", training.how, *map(str, training.threads)]
    seldom = ("--save_summaries_secs=120",) if training.how == "train.py" else ()
    whole = measuring.run([*program, path, train_dir, steps_file, *seldom])
    shutil.rmtree(train_dir)
    seen = json.loads(steps_file.read_text(encoding="utf-8"))
    first, last = seen["steps"][WARM_UP - 1], seen["steps"][-1]
    wall, cpu = ((last[clock] - first[clock]) / steps for clock in (0, 1))
    return Trained(Run(wall, cpu, whole.peak_bytes), [loss for *_, loss in seen["steps"]], seen["milliseconds"])
