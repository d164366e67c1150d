"""Make .venv, install what is needed, and run the whole pipeline on the sample data set.

In:   the repository, Python 3.10 to 3.13, a network for the first run.
Out:  runs/quickstart/: the sample, CSV files and records, checkpoints and event files (train/), metrics.json (eval/),
      the exported model (exported_model/), the test images with boxes and detections.csv (detections/), and the report
      on the model, a page for the browser (report/index.html).

Each step is a script that can also be run by hand; its command is shown. A second run installs nothing again and
resumes the training from its last checkpoint; remove runs/quickstart to begin anew. The sample is synthetic: drawn
garments, not photos.

  python3 scripts/quickstart.py
  python3 scripts/quickstart.py --num_steps 4000
"""

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import _check_python  # noqa: F401  (ends here where Python is too old)
import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files
from scripts.lib.core.errors import DataError
from scripts.lib.core.progress import stage
from scripts.lib.environment import venv
from scripts.lib.evaluation import metrics_file

ROOT = files.REPOSITORY_ROOT
RESULTS = ROOT / "runs" / "quickstart"
CONFIG = ROOT / "configs" / "ssd_mobilenet_v1_sample.config"
TITLE = "Six classes, the drawn sample data set"
RESULTS_BYTES = 500 * venv.MEGABYTE


class PipelineStep(NamedTuple):
    """One command of the pipeline; paths in the repository are relative to its root."""

    title: str
    script: str
    arguments: list[str]


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    print(f"All commands are run in {ROOT}", flush=True)
    venv.check_disk_space(args.output_dir, RESULTS_BYTES)
    python = venv.prepare(venv.PIPELINE)
    for step in pipeline(args.output_dir, config_for(args.output_dir), args.num_steps):
        with stage(step.title):
            run(step, python)
    print(summary(args.output_dir, python))
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    num_steps = "--num_steps", "--num_train_steps", "--steps"
    parser.add_argument(*num_steps, type=command_line.positive_int, help="training steps (default: the config's)")
    parser.add_argument("--output_dir", type=absolute, default=RESULTS, help="folder for all results")
    return parser.parse_args(argv)


def absolute(text: str) -> Path:
    return Path(text).absolute()


def config_for(output_dir: Path) -> Path:
    """Return the sample's pipeline config; for another folder than RESULTS, a copy there with that folder's paths."""
    if output_dir == RESULTS:
        return CONFIG
    text = CONFIG.read_text(encoding="utf-8")
    copy = output_dir / "pipeline.config"
    with files.atomic_write(copy, "w") as file:
        file.write(text.replace(RESULTS.relative_to(ROOT).as_posix() + "/", output_dir.as_posix() + "/"))
    return copy


def pipeline(output_dir: Path, config: Path, num_steps: int | None = None) -> list[PipelineStep]:
    """Return the steps, from drawing the sample to detecting on its test images; `num_steps` None: the config's."""

    def result(name: str) -> str:
        return shown(output_dir / name)

    config_flag = ["--pipeline_config_path", shown(config)]
    images, labels, train, model = map(result, ("sample/samples", "labels.csv", "train", "exported_model"))
    train_csv, test_csv, summary_csv = map(result, ("train_labels.csv", "test_labels.csv", "summary.csv"))
    drawing = ["--output_dir", result("sample"), "--num_images", "1000"]
    annotations = ["--annotations_dir", result("sample/annotations"), "--output_csv", labels]
    split = ["--csv_input", labels, "--train_csv", train_csv, "--test_csv", test_csv, "--summary_csv", summary_csv]
    record = ["--image_dir", images, "--max_image_side", "224"]
    train_record = ["--csv_input", train_csv, "--output_path", result("train.record"), *record, "--oversample", "0.5"]
    test_record = ["--csv_input", test_csv, "--output_path", result("test.record"), *record]
    training = [*config_flag, "--train_dir", train, *(["--num_steps", str(num_steps)] if num_steps else [])]
    evaluation = [*config_flag, "--checkpoint_dir", train, "--eval_dir", result("eval"), "--run_once"]
    export = ["--input_type", "image_tensor", *config_flag, "--trained_checkpoint_prefix", train]
    export += ["--output_directory", model]
    detection = ["--model", model, "--input", test_csv, "--image_dir", images, "--output_dir", result("detections")]
    report = ["--train_dir", train, "--eval_dir", result("eval"), "--model", model, "--records", result("test.record")]
    report += ["--output_dir", result("report"), "--update_thresholds", "--title", TITLE]
    return [
        PipelineStep("Drawing the sample data set", "scripts/make_sample_dataset.py", drawing),
        PipelineStep("Reading the annotations", "xml_to_csv.py", annotations),
        PipelineStep("Splitting into training and test images", "split_dataset.py", split),
        PipelineStep("Writing train.record", "generate_tfrecord.py", train_record),
        PipelineStep("Writing test.record", "generate_tfrecord.py", test_record),
        PipelineStep("Training", "scripts/train.py", training),
        PipelineStep("Evaluating", "scripts/eval.py", evaluation),
        PipelineStep("Exporting the model", "scripts/export_inference_graph.py", export),
        PipelineStep("Detecting on the test images", "scripts/detect.py", [*detection, "--min_score", "0.5"]),
        PipelineStep("Writing the report", "scripts/report.py", report),
    ]


def shown(path: Path) -> str:
    """Return the path as a user types it in the repository root, with `/`."""
    return (path.relative_to(ROOT) if ROOT in path.parents else path).as_posix()


def command_text(python: Path, *arguments: str) -> str:
    """Return the command line as a user types it in the repository root."""
    program = str(python.relative_to(ROOT)) if ROOT in python.parents else str(python)
    return command_line.shell_text(program, *arguments)


def run(step: PipelineStep, python: Path) -> None:
    """Show the command and run it; raise DataError with step, command and exit status if it fails."""
    text = command_text(python, step.script, *step.arguments)
    print(f"> {text}", flush=True)
    status = subprocess.run([python, step.script, *step.arguments], cwd=ROOT, check=False).returncode
    if status:
        how = f"exit status {status}" if status > 0 else f"killed by signal {-status}; was memory short?"
        raise DataError([f"{step.title} failed ({how}): {text}"], "the quickstart stops here")


def summary(output_dir: Path, python: Path) -> str:
    """Return the metrics, what was made and where, and the commands that come next."""
    places = {
        "trained model": "exported_model",
        "test images with boxes": "detections/images",
        "boxes as a table": "detections/detections.csv",
        "checkpoints": "train",
        "report": "report/index.html",
    }
    detection = ["--model", shown(output_dir / "exported_model"), "--input", "samples"]
    detection += ["--output_dir", shown(output_dir / "my_detections")]
    commands = {
        "Detect on your own photos, in the folder samples": ("scripts/detect.py", *detection),
        "Train on them: label them, then follow the README": ("scripts/label_images.py",),
        "See loss and mAP in TensorBoard": ("-m", "tensorboard.main", "--logdir", shown(output_dir)),
    }
    lines = [
        "",
        "=== Done. The sample is synthetic: these metrics show that the pipeline works, not how it does on photos.",
        metrics_file.table(metrics_file.read(output_dir / "eval" / "metrics.json")),
        "What was made:",
        *(f"  {what:<24}  {shown(output_dir / name)}" for what, name in places.items()),
        "What next:",
        *(f"  {what}:\n    {command_text(python, *command)}" for what, command in commands.items()),
        f"Open the report in a browser: {(output_dir / places['report']).as_uri()}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    command_line.run(main)
