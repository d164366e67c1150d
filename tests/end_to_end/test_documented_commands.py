"""The commands of README.md and of docs/ run as they are written, page after page, in a copy of the repository.

What README.md's commands have made is then looked at; in it the other pages' commands are run. All is shortened by
`SHORTER`. A command that a test cannot run is in `NOT_RUN`, and tests/test_documents.py checks its flags.
"""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from tests import documents, output_lines
from tests.documents import ROOT, Command

CLASSES = ["Pants_Leggings", "Dresses", "Skirts", "Tops", "Shorts", "Lingerie"]
PAGES = [page for page in documents.PAGES if page.parent == ROOT / "docs" and documents.commands(page)]

# What is added to a command, so that it ends within seconds: the last of two equal options counts.
SHORTER = {
    "scripts/make_config.py": "--fine_tune_checkpoint none --input_size 96 --batch_size 4 --num_steps 3",
    "scripts/report.py": "--num_resamples 50",
    "scripts/detect.py": "--min_score 0",  # a model of three steps is sure of nothing
}
# Commands that are not run, by their beginning, and why.
NOT_RUN = {
    "python -m pip": "installs",
    "python3 -m venv": "installs",
    "py -3 -m venv": "installs",
    "source .venv": "changes the shell",
    ".venv\\Scripts\\activate": "changes the shell",
    "Set-ExecutionPolicy": "PowerShell",
    "reg add": "changes Windows",
    "wsl": "changes Windows",
    "py -3 scripts": "tests/scripts/test_quickstart.py",
    "python scripts/download_model.py": "needs a network",
    "python scripts/label_images.py": "opens a window",
    "python scripts/serve.py": "runs until it is ended",
    "python scripts/start_tensorboard.py": "runs until it is ended",
    "tensorboard": "runs until it is ended",
    "curl": "needs the server",
    "docker": "needs Docker",
    "python tests/benchmarks": "takes minutes; tests/benchmarks/test_benchmark.py",
}
# Commands that take minutes, which only --slow runs; and what they may refuse, since three steps teach nothing: the
# order of scores that are nearly equal differs by runtime.
SLOW = {
    "--overfit": ("--num_steps 3", "the set-up did not learn"),
    "--eval_every": ("--num_steps 6 --eval_every 3", None),
    "--formats saved_model": ("", "leave the format out"),
    "cross_validate.py": ("--folds 2", None),
}


@pytest.fixture(scope="module")
def checkout(repository_copy, run_script) -> Path:
    """A copy of the repository after a person has put photos there and labelled them."""
    folder = repository_copy
    run_script("scripts/make_sample_dataset.py", "--output_dir", folder / "drawn", "--num_images", 15)
    (folder / "drawn/samples").rename(folder / "samples")
    (folder / "drawn/annotations").rename(folder / "annotations")
    (folder / "new_photos").mkdir()
    names = [f"sample_{number:05}.jpg" for number in (1, 2, 3)]
    for name in names:
        shutil.copy(folder / "samples" / name, folder / "new_photos")
    shutil.copy(folder / "samples" / names[0], folder / "photo.jpg")
    rows = [["path", "sku"], *([f"samples/{name}", f"sku {name}"] for name in names)]
    with (folder / "catalogue.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


def run(
    folder: Path, words: Sequence[object], status: int = 0, text: str = "", refusal: str | None = None
) -> subprocess.CompletedProcess:
    """Run Python in the folder with these arguments, and this text to read; check its exit status, or its refusal."""
    result = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=folder,
        input=text,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",  # Windows' console code page
        timeout=900,
    )
    refused = refusal is not None and result.returncode == 1 and refusal in result.stderr
    assert refused or result.returncode == status, f"{words}\n{text}\n{result.stdout}\n{result.stderr}"
    assert "Traceback" not in result.stderr, result.stderr
    return result


def run_command(
    folder: Path, command: Command, more: str = "", refusal: str | None = None
) -> subprocess.CompletedProcess:
    assert command.script, f"{command}: neither one of our scripts nor in NOT_RUN"
    words = [*command.words, *SHORTER.get(command.script, "").split(), *more.split()]
    return run(folder, words, refusal=refusal)


def is_run(command: Command) -> bool:
    return not command.text.startswith(tuple(NOT_RUN))


def slow_options(command: Command) -> tuple[str, str | None] | None:
    """Return what shortens a command that takes minutes, and what it may refuse; None for another one."""
    return next((options for part, options in SLOW.items() if part in command.text), None)


README_COMMANDS = [command for command in documents.commands(ROOT / "README.md") if is_run(command)]


@pytest.fixture(scope="module")
def done() -> dict[str, subprocess.CompletedProcess]:
    """What the commands have printed so far, each under its text; the last of a script under the script, too."""
    return {}


@pytest.fixture(scope="module")
def results(checkout, done) -> dict[str, subprocess.CompletedProcess]:
    """The same, after all commands of README.md."""
    run_readme(checkout, done, len(README_COMMANDS))
    return done


def run_readme(checkout: Path, done: dict[str, subprocess.CompletedProcess], count: int) -> None:
    """Run the first commands of README.md, but for those that have been."""
    for command in README_COMMANDS[:count]:
        if command.text not in done:
            done[command.text] = done[command.script] = run_command(checkout, command)
            if command.script == "scripts/make_config.py":
                with_averages(checkout / "runs/mine/pipeline.config")


@pytest.mark.parametrize("number", range(len(README_COMMANDS)), ids=lambda number: README_COMMANDS[number].script)
def test_the_commands_of_the_readme(number, checkout, done):
    """Each is a test, so that it has a test's time."""
    run_readme(checkout, done, number + 1)


def with_averages(config: Path) -> None:
    """Let a training keep moving averages of the weights, for a test below."""
    text = config.read_text(encoding="utf-8")
    new = text.replace("use_moving_average: false", "use_moving_average: true moving_average_decay: 0.5")
    assert new != text
    config.write_text(new, encoding="utf-8")


@pytest.fixture(scope="module")
def graph(checkout, results) -> Path:
    """The API's own export, by the command of docs/export.md."""
    commands = documents.commands(ROOT / "docs/export.md")
    (command,) = (command for command in commands if command.script == "scripts/export_inference_graph.py")
    results[command.text] = run_command(checkout, command)
    return checkout / "runs/mine/exported_graph"


@pytest.fixture(scope="module")
def config(checkout, results) -> Path:
    return checkout / "runs/mine/pipeline.config"


def test_training_shows_its_steps_and_writes_checkpoint_events_and_config(results, checkout):
    steps = re.findall(r"^step (\d+)/3: loss ([\d.]+)", results["scripts/train.py"].stderr, re.MULTILINE)
    assert [int(step) for step, _ in steps] == [1, 3]  # the first, the last, and in between one every ten seconds
    assert all(math.isfinite(float(loss)) for _, loss in steps)
    train_dir = checkout / "runs/mine/train"
    assert (train_dir / "model.ckpt-3.index").is_file()
    assert list(train_dir.glob("events.out.tfevents.*"))
    assert (train_dir / "pipeline.config").is_file()


def test_every_line_of_training_evaluation_and_export_is_of_use(results, graph):
    (export,) = (done for text, done in results.items() if text.startswith("python scripts/export_inference_graph.py"))
    training, evaluation = results["scripts/train.py"], results["scripts/eval.py"]
    output_lines.assert_lines(
        training.stdout + training.stderr,
        "Device: .+",
        "Done: the checkpoint of step 3 is in runs/mine/train.",
        "Next: python scripts/eval.py --run_once --pipeline_config_path runs/mine/train/pipeline.config "
        "--checkpoint_dir runs/mine/train --eval_dir runs/mine/eval",
        "then: python scripts/export_model.py --checkpoint runs/mine/train",
    )
    assert training.stderr.count("step 3/3:") == 1
    output_lines.assert_lines(
        evaluation.stdout + evaluation.stderr,
        "Device: .+",
        "Step 3, 3 images, AP@0.5:",
        *(
            rf"  {class_id} {name} +(\d\.\d{{3}}|no ground truth in the record)"
            for class_id, name in enumerate(CLASSES, 1)
        ),
        r"    mean \(mAP@0.5\) +\d\.\d{3}",
    )
    output_lines.assert_lines(
        export.stdout + export.stderr,
        "Exporting runs/mine/train/model.ckpt-3 to runs/mine/exported_graph",
        "Device: .+",
        "The exported model is in runs/mine/exported_graph",
    )


def test_training_again_says_that_the_steps_are_done(checkout, config):
    result = run(checkout, ["scripts/train.py", "--pipeline_config_path", config, "--train_dir", "runs/mine/train"])
    assert "holds a checkpoint of step 3; the 3 steps of the config are done" in result.stdout


def test_evaluation_writes_metrics_of_every_class_and_pictures(results, checkout):
    content = json.loads((checkout / "runs/mine/eval/metrics.json").read_text(encoding="utf-8"))
    assert (content["global_step"], content["num_examples"]) == (3, 3)
    prefix = "PascalBoxes_PerformanceByCategory/AP@0.5IOU/"
    assert {name for name in content["metrics"] if name.startswith(prefix)} == {prefix + name for name in CLASSES}
    assert 0 <= content["metrics"]["PascalBoxes_Precision/mAP@0.5IOU"] <= 1
    output = results["scripts/eval.py"].stdout
    assert "mean (mAP@0.5)" in output
    with (checkout / "data/test_labels.csv").open(encoding="utf-8", newline="") as file:
        seen = {row["class"] for row in csv.DictReader(file)}
    for name in set(CLASSES) - seen:
        assert re.search(rf"{name} +no ground truth in the record", output)


def test_an_evaluation_with_moving_averages_reads_them(checkout, config, results):
    """The same checkpoint, once its weights and once their averages: the losses are those of two models."""
    averaged = config.with_name("averaged.config")
    text = config.read_text(encoding="utf-8")
    averaged.write_text(text.replace("eval_config {", "eval_config {\n  use_moving_averages: true"), encoding="utf-8")
    command = ["scripts/eval.py", "--run_once", "--verbose", "--pipeline_config_path", averaged]
    command += ["--checkpoint_dir", "runs/mine/train", "--eval_dir", "runs/mine/eval_averaged"]
    log = run(checkout, command).stderr
    assert all(text in log for text in ("Restoring parameters from", "Creating detection vis", "# success: 3")), log
    losses = [
        json.loads((config.parent / folder / "metrics.json").read_text(encoding="utf-8"))["metrics"]
        for folder in ("eval", "eval_averaged")
    ]
    name = "Losses/Loss/localization_loss"
    assert all(math.isfinite(loss[name]) for loss in losses)
    assert losses[0][name] != losses[1][name]


def test_the_export_is_complete(graph):
    assert {path.name for path in graph.iterdir()} == {
        "checkpoint",
        "frozen_inference_graph.pb",
        "label_map.pbtxt",
        "model.ckpt.data-00000-of-00001",
        "model.ckpt.index",
        "model.ckpt.meta",
        "pipeline.config",
        "saved_model",
    }
    assert not list(graph.parent.glob(".*partial*")), "nothing half-made is left"


def test_exporting_again_replaces_the_export_and_nothing_else(checkout, config, graph):
    command = ["scripts/export_inference_graph.py", "--pipeline_config_path", config]
    command += ["--trained_checkpoint_prefix", "runs/mine/train/model.ckpt-3", "--output_directory"]
    former = (graph / "frozen_inference_graph.pb").stat().st_mtime_ns
    assert "Restoring parameters from" in run(checkout, [*command, graph, "--verbose"]).stderr
    assert (graph / "frozen_inference_graph.pb").stat().st_mtime_ns > former
    result = run(checkout, [*command, checkout / "samples"], status=2)
    assert "holds files that are not part of an export" in result.stderr


def test_detections_table_pictures_and_tags(checkout, results):
    output = checkout / "detections"
    with (output / "detections.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["filename", "class", "score", "xmin", "ymin", "xmax", "ymax"]
    names = {row["filename"] for row in rows}
    assert len(names) == 3
    for row in rows:
        with Image.open(checkout / "new_photos" / row["filename"]) as image:
            width, height = image.size
        assert row["class"] in CLASSES
        assert 0 <= float(row["score"]) <= 1
        assert -1 <= float(row["xmin"]) <= float(row["xmax"]) <= width + 1
        assert -1 <= float(row["ymin"]) <= float(row["ymax"]) <= height + 1
    for name in names:
        with Image.open(output / "images" / name) as picture:
            picture.load()
        assert re.search(rf"^{name}: \w+ \d+%", results["scripts/detect.py"].stdout, re.MULTILINE)


def test_a_bad_picture_is_reported_and_the_rest_done(checkout, results, tmp_path):
    photos = tmp_path / "photos"
    (photos / "new").mkdir(parents=True)
    good = checkout / "photo.jpg"
    (photos / "new" / "good.jpg").write_bytes(good.read_bytes())
    (photos / "truncated.jpg").write_bytes(good.read_bytes()[:2000])
    (photos / "page.jpg").write_text("<!doctype html>", encoding="utf-8")
    result = run(checkout, ["scripts/detect.py", "--input", photos, "--output_dir", tmp_path / "out"], status=1)
    assert "truncated.jpg: the image is damaged" in result.stderr
    assert "page.jpg: the file is a web page" in result.stderr
    assert (tmp_path / "out" / "images" / "new" / "good.jpg").is_file()


@pytest.mark.parametrize(
    ("script", "arguments", "says"),
    [
        ("scripts/train.py", ["--train_dir=x"], "give --pipeline_config_path"),
        (
            "scripts/train.py",
            ["--train_dir=x", "--pipeline_config_path=none.config"],
            "there is no pipeline config none.config",
        ),
        ("scripts/eval.py", ["--eval_dir=x", "--pipeline_config_path=y"], "give --checkpoint_dir"),
        ("scripts/export_inference_graph.py", ["--output_directory=x"], "give --pipeline_config_path"),
        ("scripts/detect.py", ["--input=none"], "--input none: no such file or folder"),
        ("scripts/detect.py", ["--input=.", "--min_score=2"], "2.0 is not between 0 and 1"),
    ],
)
def test_wrong_usage_is_one_sentence(script, arguments, says, run_script):
    assert says in run_script(script, *arguments, status=2).stderr


def test_mistakes_of_a_config_are_told_before_tensorflow_is_imported(checkout, config, tmp_path):
    wrong = tmp_path / "wrong.config"
    text = config.read_text(encoding="utf-8")
    wrong.write_text(text.replace("num_classes: 6", "num_classes: 5").replace("train.record", "no.record"), "utf-8")
    command = ["scripts/train.py", "--pipeline_config_path", wrong, "--train_dir", tmp_path / "train"]
    result = run(checkout, command, status=1)
    assert "num_classes is 5" in result.stderr
    assert "there is no record" in result.stderr
    assert "the training was not started" in result.stderr
    assert "Device:" not in result.stdout
    assert not (tmp_path / "train").exists()


def test_a_checkpoint_that_is_not_there(checkout, config, tmp_path):
    for script, flag, extra in (
        ("scripts/eval.py", "--checkpoint_dir", ["--run_once", "--eval_dir", tmp_path / "eval"]),
        ("scripts/export_inference_graph.py", "--trained_checkpoint_prefix", ["--output_directory", tmp_path / "out"]),
    ):
        command = [script, "--pipeline_config_path", config, flag, tmp_path / "none", *extra]
        assert "there is no checkpoint" in run(checkout, command, status=2).stderr


@pytest.mark.parametrize("page", ["README.md", "docs/detection.md"])
def test_the_python_code_of_a_page(page, checkout, results):
    (program,) = documents.programs(ROOT / page)
    program = program.replace("min_score=0.5", "min_score=0.0")
    lines = run(checkout, ["-"], text=program).stdout.splitlines()
    assert lines
    assert all(line.split()[0] in CLASSES for line in lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page(page, checkout, results):
    """Those that README.md has are not run again."""
    prepare(checkout)
    for command in filter(is_run, documents.commands(page)):
        if command.text not in results and slow_options(command) is None:
            results[command.text] = run_command(checkout, command)


def prepare(checkout: Path) -> None:
    """Put there what the pages take for given: a second model and its report; and README.md's data, as it left them."""
    if (kept := checkout / "data_of_readme").exists():
        shutil.rmtree(checkout / "data")
        shutil.copytree(kept, checkout / "data")
    else:
        shutil.copytree(checkout / "data", kept)
    for source, target in (("exported_model", "other_model"), ("runs/mine/report", "runs/other/report")):
        if not (checkout / target).exists():
            shutil.copytree(checkout / source, checkout / target)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_that_take_minutes(page, checkout, results):
    prepare(checkout)
    for command in filter(is_run, documents.commands(page)):
        if options := slow_options(command):
            run_command(checkout, command, *options)
