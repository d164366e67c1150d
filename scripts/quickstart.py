"""Makes .venv, installs what is needed, and runs the whole pipeline on the sample data set.

In:   the repository, Python 3.10 to 3.13, a network for the first run.
Out:  runs/quickstart/: the sample, CSV files and records, checkpoints and event files (train/), metrics.json (eval/),
      the exported model (exported_model/), and the test pictures with boxes and detections.csv (detections/).

Each step is one of the scripts that are run by hand, and its command is shown. Run again, nothing is installed twice
and the training goes on from its last checkpoint. The sample is synthetic: drawn garments, no photos.

  python scripts/quickstart.py
  python scripts/quickstart.py --steps 4000
"""

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import _check_python  # noqa: F401  (ends here where Python is too old)
import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files
from scripts.lib.core.errors import DataError
from scripts.lib.environment import venv
from scripts.lib.environment.stages import Stages
from scripts.lib.evaluation import metrics_file

ROOT = files.REPOSITORY_ROOT
RESULTS = ROOT / "runs" / "quickstart"
CONFIG = ROOT / "configs" / "ssd_mobilenet_v1_sample.config"
RESULTS_BYTES = 500 * venv.MEGABYTE


class Step(NamedTuple):
    """One command of the pipeline; its folders and files are relative to the repository root where they lie in it."""

    title: str
    script: str
    arguments: list[str]


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    stages = Stages()
    print(f"All commands are run in {ROOT}", flush=True)
    venv.check_disk_space({args.output_dir: RESULTS_BYTES})
    python = venv.prepare(venv.PIPELINE, stages)
    if args.fresh:
        remove_results(args.output_dir)
    for step in pipeline(args.output_dir, config_for(args.output_dir), args.steps):
        with stages.stage(step.title):
            run(step, python)
    print(summary(args.output_dir, python, stages))
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--steps", type=command_line.positive_int, help="training steps, instead of the config's")
    parser.add_argument("--output_dir", type=absolute, default=RESULTS, help="folder for all results")
    parser.add_argument("--fresh", action="store_true", help="remove the results of an earlier run first")
    return parser.parse_args(argv)


def absolute(text: str) -> Path:
    return Path(text).absolute()


def config_for(output_dir: Path) -> Path:
    """The sample's pipeline config; for another folder than its own a copy there, with that folder's paths."""
    if output_dir == RESULTS:
        return CONFIG
    text = CONFIG.read_text(encoding="utf-8")
    copy = output_dir / "pipeline.config"
    with files.atomic_write(copy, "w") as file:
        file.write(text.replace(RESULTS.relative_to(ROOT).as_posix() + "/", output_dir.as_posix() + "/"))
    return copy


def pipeline(output_dir: Path, config: Path, num_steps: int | None = None) -> list[Step]:
    """The steps from drawing the sample to detecting on its test images.

    Args:
        output_dir: folder for all results.
        config: the pipeline config.
        num_steps: training steps, or None for the config's.
    """

    def result(name: str) -> str:
        return shown(output_dir / name)

    config = shown(config)
    images = result("sample/samples")
    more_steps = ["--num_train_steps", str(num_steps)] if num_steps else []
    return [
        Step(
            "Drawing the sample data set",
            "scripts/make_sample_dataset.py",
            [
                "--output_dir",
                result("sample"),
                "--num_images",
                "1000",
            ],
        ),
        Step(
            "Reading the annotations",
            "xml_to_csv.py",
            [
                "--annotations_dir",
                result("sample/annotations"),
                "--output_csv",
                result("labels.csv"),
            ],
        ),
        Step(
            "Splitting into training and test images",
            "split_dataset.py",
            [
                "--input_csv",
                result("labels.csv"),
                "--train_csv",
                result("train_labels.csv"),
                "--test_csv",
                result("test_labels.csv"),
                "--summary_csv",
                result("summary.csv"),
            ],
        ),
        *(
            Step(
                f"Writing {part}.record",
                "generate_tfrecord.py",
                [
                    "--csv_input",
                    result(f"{part}_labels.csv"),
                    "--output_path",
                    result(f"{part}.record"),
                    "--image_dir",
                    images,
                    "--max_image_side",
                    "224",
                    *more,
                ],
            )
            for part, more in (("train", ["--oversample", "0.5"]), ("test", []))
        ),
        Step(
            "Training",
            "scripts/train.py",
            [
                "--pipeline_config_path",
                config,
                "--train_dir",
                result("train"),
                *more_steps,
            ],
        ),
        Step(
            "Evaluating",
            "scripts/eval.py",
            [
                "--pipeline_config_path",
                config,
                "--checkpoint_dir",
                result("train"),
                "--eval_dir",
                result("eval"),
                "--run_once",
            ],
        ),
        Step(
            "Exporting the model",
            "scripts/export_inference_graph.py",
            [
                "--input_type",
                "image_tensor",
                "--pipeline_config_path",
                config,
                "--trained_checkpoint_prefix",
                result("train"),
                "--output_directory",
                result("exported_model"),
            ],
        ),
        Step(
            "Detecting on the test images",
            "scripts/detect.py",
            [
                "--model",
                result("exported_model"),
                "--input",
                result("test_labels.csv"),
                "--image_dir",
                images,
                "--output_dir",
                result("detections"),
                "--min_score",
                "0.5",
            ],
        ),
    ]


def shown(path: Path) -> str:
    """The path as a user types it in the repository root, with `/`, which Python reads on every platform."""
    return (path.relative_to(ROOT) if ROOT in path.parents else path).as_posix()


def command_text(python: Path, *arguments: str) -> str:
    """The command line as a user types it in the repository root."""
    program = str(python.relative_to(ROOT)) if ROOT in python.parents else str(python)
    join = subprocess.list2cmdline if sys.platform == "win32" else shlex.join
    return join([program, *arguments])


def run(step: Step, python: Path) -> None:
    """Shows the command and runs it; its output is the user's to see.

    Raises:
        DataError: it failed; names the step, the command and the exit status.
    """
    text = command_text(python, step.script, *step.arguments)
    print(f"> {text}", flush=True)
    status = subprocess.run([python, step.script, *step.arguments], cwd=ROOT, check=False).returncode
    if status:
        how = f"exit status {status}" if status > 0 else f"killed by signal {-status}; was memory short?"
        raise DataError([f"{step.title} failed ({how}): {text}"], "the quickstart stops here")


def remove_results(output_dir: Path) -> None:
    """Removes what the steps write, and nothing else that may lie in the folder."""
    for name in ("sample", "train", "eval", "exported_model", "detections"):
        if (output_dir / name).exists():
            shutil.rmtree(output_dir / name)
    for pattern in ("labels.csv", "*_labels.csv", "summary.csv", "*.record", "*.json"):
        for path in output_dir.glob(pattern):
            path.unlink()


def summary(output_dir: Path, python: Path, stages: Stages) -> str:
    """What came out, where it lies, how to look at it, and how long each stage took."""
    places = {
        "checkpoints, event files": "train",
        "metrics": "eval/metrics.json",
        "model": "exported_model",
        "pictures with boxes": "detections/images",
        "boxes as a table": "detections/detections.csv",
    }
    tensorboard = command_text(python, "-m", "tensorboard.main", "--logdir", shown(output_dir))
    return "\n".join(
        [
            "",
            "=== Done. The sample is synthetic: these figures show that the pipeline works, not how it does on photos.",
            metrics_file.table(metrics_file.read(output_dir / "eval" / "metrics.json")),
            "Results:",
            *(f"  {what:<24}  {shown(output_dir / name)}" for what, name in places.items()),
            "Curves and pictures in TensorBoard:",
            f"  {tensorboard}",
            "Time:",
            stages.table(),
        ]
    )


if __name__ == "__main__":
    command_line.run(main)
