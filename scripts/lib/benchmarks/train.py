"""`benchmark.py train`: a step of train.py against one of the bare entry point, with the same config and records.

SSD MobileNet v1 at 128x128, batch 24, flips and random crops, on 60 photos of 640x640 pixels, and on the same photos
shrunk by `generate_tfrecord.py --max_image_side`. Summaries are as rare as those of the bare entry point: each costs
a forward pass, and the first one TensorFlow's optimisation of its graph.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

from google.protobuf import text_format

from scripts.lib import files, pipeline_config
from scripts.lib.benchmarks import measuring
from scripts.lib.benchmarks.measuring import Result, Run, best

CONFIG = files.default_path("configs/ssd_mobilenet_v1_multi.config")
LABEL_MAP = files.default_path("data/apparel_label_map.pbtxt")
PHOTOS = 60
MODEL_SIDE, BATCH = 128, 24
SHRUNK_SIDE = 160  # by --max_image_side
WARM_UP = 24  # steps: the first one, and those on what the queues held when it began


class Training(NamedTuple):
    """One of those that are compared.

    Attributes:
        how: as in `training_steps`.
        record: its photos.
        flags: of train.py.
    """

    how: str
    record: str
    flags: tuple[str, ...] = ()


LARGE, SHRUNK = "640.record", f"{SHRUNK_SIDE}.record"
TRAININGS = {
    "bare": Training("bare", LARGE),
    "train.py": Training("train.py", LARGE),
    "scaled": Training("train.py", LARGE, ("--scaled_decoding",)),
    "bare, shrunk": Training("bare", SHRUNK),
    "train.py, shrunk": Training("train.py", SHRUNK),
}


def measure(work_dir: Path, quick: bool) -> list[Result]:
    """Measures; see `scripts/benchmark.py`.

    Args:
        work_dir: for the photos, kept for the next run, and the trainings.
        quick: fewer steps, one turn.
    """
    folder = work_dir / "train"
    make_records(folder)
    steps, turns = (40, 1) if quick else (60, 3)
    runs: dict[str, list[Run]] = {name: [] for name in TRAININGS}
    for _ in range(turns):
        for name, training in TRAININGS.items():
            runs[name].append(mean_step(folder, training, steps))
    step = {name: best(of_one) for name, of_one in runs.items()}
    print("a step: " + "; ".join(f"{name} {run}, {run.peak_bytes / 2**20:.0f} MB" for name, run in step.items()))
    large, bare = "640-pixel photos", "bare entry point"
    return [
        measuring.ratio(f"train.py --scaled_decoding, {large}", 1.2, step["bare"], step["scaled"], bare),
        measuring.ratio(f"train.py, {large}", 1.0, step["bare"], step["train.py"], bare),
        measuring.ratio("--max_image_side, bare", 1.0, step["bare"], step["bare, shrunk"], f"{large}, {bare}"),
        part("overhead: train.py's step, photos of --max_image_side", step["train.py, shrunk"], step["bare, shrunk"]),
    ]


def part(what: str, run: Run, whole: Run) -> Result:
    """How large a run's time is as a part of another's; at most 2% more."""
    return Result(what, 1.02, run.wall / whole.wall, "x", run.cpu / whole.cpu, detail=f"{run}; bare {whole}")


def make_records(folder: Path) -> None:
    """The photos' records, made by an earlier run or now."""
    if (folder / SHRUNK).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    measuring.run(["-m", "scripts.lib.benchmarks.data_input", folder, "0", "1", str(PHOTOS)])
    for record, side in ((LARGE, None), (SHRUNK, SHRUNK_SIDE)):
        shrunk = ["--max_image_side", str(side)] if side else []
        measuring.run([
            "generate_tfrecord.py", "--csv_input", folder / f"photos_{PHOTOS}.csv", "--image_dir", folder / "photos",
            "--label_map", LABEL_MAP, "--output_path", folder / record, *shrunk,
        ])  # fmt: skip


def mean_step(folder: Path, training: Training, steps: int) -> Run:
    """One training's mean step, those of the warm-up left out."""
    config = pipeline_config.read(CONFIG)
    pipeline_config.override_input_size(config, MODEL_SIDE)
    pipeline_config.override_num_steps(config, WARM_UP + steps)
    config.train_config.batch_size = BATCH
    config.train_config.ClearField("fine_tune_checkpoint")
    config.train_input_reader.tf_record_input_reader.input_path[:] = [(folder / training.record).as_posix()]
    path, train_dir, steps_file = folder / "pipeline.config", folder / "training", folder / "steps.json"
    path.write_text(text_format.MessageToString(config), encoding="utf-8")
    shutil.rmtree(train_dir, ignore_errors=True)
    program = ["-m", "scripts.lib.benchmarks.training_steps"]
    seldom = ("--save_summaries_secs=120",) if training.how == "train.py" else ()
    whole = measuring.run([*program, training.how, path, train_dir, steps_file, *seldom, *training.flags])
    shutil.rmtree(train_dir)
    ends = json.loads(steps_file.read_text(encoding="utf-8"))
    wall, cpu = ((ends[-1][clock] - ends[WARM_UP - 1][clock]) / steps for clock in (0, 1))
    return Run(wall, cpu, whole.peak_bytes)
