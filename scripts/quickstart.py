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
import shlex
from collections.abc import Sequence
from pathlib import Path

import _check_python  # noqa: F401  (ends here where Python is too old)
import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files, pipeline_step
from scripts.lib.core.pipeline_step import PipelineStep, command_text
from scripts.lib.core.progress import stage
from scripts.lib.environment import venv
from scripts.lib.evaluation import metrics_file

ROOT = files.REPOSITORY_ROOT
OUT = "runs/quickstart"
CONFIG = "configs/ssd_mobilenet_v1_sample.config"  # its paths are in OUT
RESULTS_BYTES = 500 * venv.MEGABYTE

# Title and command of each step, from drawing the sample to the report on the model.
STEPS = {
    "Drawing the sample data set": "scripts/make_sample_dataset.py --output_dir {out}/sample --num_images 1000",
    "Reading the annotations": "xml_to_csv.py --annotations_dir {out}/sample/annotations --output_csv {out}/labels.csv",
    "Splitting into training and test images": "split_dataset.py --csv_input {out}/labels.csv "
    "--train_csv {out}/train_labels.csv --test_csv {out}/test_labels.csv --summary_csv {out}/summary.csv",
    "Writing train.record": "generate_tfrecord.py --csv_input {out}/train_labels.csv --output_path {out}/train.record "
    "--image_dir {out}/sample/samples --max_image_side 224 --oversample 0.5",
    "Writing test.record": "generate_tfrecord.py --csv_input {out}/test_labels.csv --output_path {out}/test.record "
    "--image_dir {out}/sample/samples --max_image_side 224",
    "Training": "scripts/train.py --pipeline_config_path {config} --train_dir {out}/train",
    "Evaluating": "scripts/eval.py --pipeline_config_path {config} --checkpoint_dir {out}/train "
    "--eval_dir {out}/eval --run_once",
    "Exporting the model": "scripts/export_inference_graph.py --input_type image_tensor "
    "--pipeline_config_path {config} --trained_checkpoint_prefix {out}/train --output_directory {out}/exported_model",
    "Detecting on the test images": "scripts/detect.py --model {out}/exported_model --input {out}/test_labels.csv "
    "--image_dir {out}/sample/samples --output_dir {out}/detections --min_score 0.5",
    "Writing the report": "scripts/report.py --train_dir {out}/train --eval_dir {out}/eval "
    "--model {out}/exported_model --records {out}/test.record --output_dir {out}/report --update_thresholds "
    "--title 'Six classes, the drawn sample data set'",
}
MADE = {
    "trained model": "exported_model",
    "test images with boxes": "detections/images",
    "boxes as a table": "detections/detections.csv",
    "checkpoints": "train",
    "report": "report/index.html",
}
NEXT = {
    "Detect on your own photos, in the folder samples": "scripts/detect.py --model {out}/exported_model "
    "--input samples --output_dir {out}/my_detections",
    "Train on them: label them, then follow the README": "scripts/label_images.py",
    "See loss and mAP in TensorBoard": "scripts/start_tensorboard.py --logdir {out}",
}


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    print(f"All commands are run in {ROOT}", flush=True)
    venv.check_disk_space(ROOT / OUT, RESULTS_BYTES)
    python = venv.prepare(venv.PIPELINE)
    for step in pipeline(args.num_steps):
        with stage(step.title):
            pipeline_step.run(step, python, "the quickstart stops here")
    print(summary(python))
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    num_steps = "--num_steps", "--num_train_steps", "--steps"
    parser.add_argument(*num_steps, type=command_line.positive_int, help="training steps (default: the config's)")
    return parser.parse_args(argv)


def pipeline(num_steps: int | None = None) -> list[PipelineStep]:
    """Return the steps; `num_steps` None: the config's."""
    steps = []
    for title, command in STEPS.items():
        script, *arguments = words(command)
        more = ["--num_steps", str(num_steps)] if num_steps and title == "Training" else []
        steps.append(PipelineStep(title, script, [*arguments, *more]))
    return steps


def words(command: str) -> list[str]:
    return shlex.split(command.format(out=OUT, config=CONFIG))


def summary(python: Path) -> str:
    """Return the metrics, what was made and where, and the commands that come next."""
    lines = [
        "",
        "=== Done. The sample is synthetic: these metrics show that the pipeline works, not how it does on photos.",
        metrics_file.table(metrics_file.read(ROOT / OUT / "eval" / "metrics.json")),
        "What was made:",
        *(f"  {what:<24}  {OUT}/{name}" for what, name in MADE.items()),
        "What next:",
        *(f"  {what}:\n    {command_text(python, *words(command))}" for what, command in NEXT.items()),
        f"Open the report in a browser: {(ROOT / OUT / MADE['report']).as_uri()}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    command_line.run(main)
