"""train.py as a command: killed and interrupted at any moment, started again, evaluated in between."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts import train
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.training import log
from tests import output_lines, tiny_training

SLOWEST_START = 900  # seconds, on a machine that does many other things besides


def command(config: Path, train_dir: Path, *options: object) -> list[str]:
    script = Path(train.__file__)
    paths = ["--pipeline_config_path", str(config), "--train_dir", str(train_dir)]
    return [sys.executable, str(script), *paths, *map(str, options)]


@pytest.fixture
def start():
    """`start(command)` starts a process, its output in one stream; none outlives the test."""
    started = []

    def start(words: list[str]) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONUTF8": "1"}
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", env=environment
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def end_of(process: subprocess.Popen, status: int = 0) -> str:
    """Waits for the end of a process; its output."""
    output, _ = process.communicate(timeout=SLOWEST_START)
    assert process.returncode == status, output
    assert "Traceback" not in output, output
    return output


def wait_for_step(process: subprocess.Popen, train_dir: Path, step: int) -> None:
    """Waits until the training has saved a checkpoint of this step or a later one."""
    end = time.monotonic() + SLOWEST_START
    while (checkpoint_files.latest_step(train_dir) or 0) < step:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end, f"no checkpoint of step {step} after {SLOWEST_START} s"
        time.sleep(0.02)


def kill_at_random(process: subprocess.Popen, seconds: float = 1.0) -> str:
    time.sleep(random.uniform(0, seconds))
    process.kill()
    output, _ = process.communicate()
    return output


@pytest.fixture(scope="module")
def config(tf, tmp_path_factory) -> Path:
    return tiny_training.write(tmp_path_factory.mktemp("tiny"), num_steps=100_000)


def test_killed_twice_and_interrupted_it_goes_on_and_ends_with_an_evaluation(config, start, tmp_path):
    train_dir = tmp_path / "train"
    saving = command(config, train_dir, "--save_every_steps", 1)
    process = start(saving)
    wait_for_step(process, train_dir, 2)
    kill_at_random(process)

    reached = checkpoint_files.latest_step(train_dir)
    (train_dir / f"model.ckpt-{reached + 1}_temp_{'0' * 32}").mkdir()  # as a kill in the middle of saving leaves it
    process = start(saving)
    wait_for_step(process, train_dir, reached + 2)
    output = kill_at_random(process)
    assert f"Going on from step {reached} in" in output
    assert not list(train_dir.glob(f"*_temp_{'0' * 32}"))

    newest = checkpoint_files.latest(train_dir)
    data = newest.with_name(f"{newest.name}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:1000])
    process = start(saving)
    before = checkpoint_files.step_of(newest)
    wait_for_step(process, train_dir, before + 1)
    if os.name != "nt":  # Windows has no way to send another process Ctrl+C alone
        process.send_signal(signal.SIGINT)
        output = end_of(process, status=130)
        step = checkpoint_files.latest_step(train_dir)
        assert f"Interrupted: the checkpoint of step {step} is in" in output
    else:
        output = kill_at_random(process)
    assert f"{newest.name} cannot be read" in output
    assert f"going on from the newest that can, model.ckpt-{before - 1}" in output

    step = checkpoint_files.latest_step(train_dir)
    options = ("--num_steps", step + 2, "--eval_every", 100_000, "--log_every_steps", 1)
    output = end_of(start(command(config, train_dir, *options)))
    assert f"Going on from step {step} in" in output
    assert f"step {step + 2}/{step + 2}: loss" in output
    lines = log.read(train_dir / "training_log.jsonl")
    assert [line["step"] for line in lines[-2:]] == [step + 1, step + 2]
    assert lines[-1]["loss"] == pytest.approx(sum(lines[-1]["losses"].values()), rel=1e-4)
    assert lines[-1]["learning_rate"] > 0
    best = json.loads((train_dir / "best" / "metrics.json").read_text(encoding="utf-8"))
    assert best["global_step"] == step + 2
    assert checkpoint_files.fault(checkpoint_files.find(train_dir / "best")) is None
    output_lines.assert_lines(
        output,
        f"Going on from step {step} in .+",
        "Device: .+",
        rf"Evaluation at step {step + 2}: mAP@0.5 .* \(the best so far\)",
        f"Done: the checkpoint of step {step + 2} is in .+",
        f"The best: mAP@0.5 .* at step {step + 2}, its checkpoint in .+",
        "Next: python scripts/export_model.py --checkpoint .+best",
    )
    assert not list(train_dir.glob(".evaluating*"))


def test_a_loss_that_is_no_number_ends_with_its_parts_the_rate_and_the_images(tf, start, tmp_path):
    config = tiny_training.write(tmp_path, num_steps=50, learning_rate=1e20)
    output = end_of(start(command(config, tmp_path / "train", "--verbose")), status=1)
    assert "depth of additional conv before box predictor" in output
    assert re.search(r"the loss of step \d is infinite or not a number", output)
    assert "Loss/classification_loss" in output
    assert re.search(r"learning rate [\d.]+e\+19", output)  # of a cosine schedule, after a step
    assert re.search(r"images of the batch: train_square_\d+.jpg, train_square_\d+.jpg\n", output)
    assert "likely causes: a learning rate that is too high" in output


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of a file's size, nor a small disk to fill")
def test_where_a_checkpoint_does_not_fit_it_is_said_in_a_sentence(config, start, tmp_path):
    """The process may write no file as large as a checkpoint: as a full disk, without filling one."""
    code = (
        "import os, resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000,) * 2);"
        "sys.argv = sys.argv[1:]; sys.path[0] = os.path.dirname(sys.argv[0]);"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    train_dir = tmp_path / "train"
    process = start([sys.executable, "-c", code, *command(config, train_dir, "--save_every_steps", 1)[1:]])
    output = end_of(process, status=1)
    assert "the checkpoint of step 1 cannot be written to" in output
    assert f"{train_dir.as_posix()} holds no checkpoint" in output
    assert not list(train_dir.glob("model.ckpt*"))


@pytest.mark.slow
def test_twenty_kills_at_random_moments(config, start, tmp_path):
    """From the process's first moment to well into its steps; each start goes on from what the one before had saved."""
    train_dir = tmp_path / "train"
    reached, start_seconds = 0, 0.0
    for kill in range(20):
        began = time.monotonic()
        process = start(command(config, train_dir, "--save_every_steps", 1))
        if kill % 2 == 0:
            wait_for_step(process, train_dir, reached + 1)
            start_seconds = time.monotonic() - began
            output = kill_at_random(process, 2.0)
        else:
            output = kill_at_random(process, start_seconds * 1.2)
        assert "Traceback" not in output, output
        assert "cannot be read" not in output, output
        step = checkpoint_files.latest_step(train_dir)
        assert step >= reached
        assert checkpoint_files.fault(checkpoint_files.latest(train_dir)) is None
        if "Going on" in output:
            assert f"Going on from step {reached} in" in output
        print(f"kill {kill + 1}: {time.monotonic() - began:.1f} s after the start, at step {step}")
        reached = step
    assert "Done" in end_of(start(command(config, train_dir, "--num_steps", reached + 1)))


@pytest.mark.slow
def test_the_overfit_check_passes_on_what_can_be_learned_and_fails_without_the_steps(config, start, tmp_path):
    output = end_of(start(command(config, tmp_path / "train", "--overfit", 6)))
    assert "The set-up can learn: mAP@0.5" in output
    assert not (tmp_path / "train").exists()
    output = end_of(start(command(config, tmp_path / "train", "--overfit", 6, "--num_steps", 2)), status=1)
    assert "the set-up did not learn" in output


@pytest.mark.parametrize(
    "options", [["--patience", "3"], ["--eval_dir", "e"], ["--overfit", "0"], ["--save_every_steps", "0"]]
)
def test_flags_that_make_no_sense_are_refused(options, capsys):
    with pytest.raises(SystemExit) as stopped:
        train.parse_arguments(["--pipeline_config_path", "p.config", "--train_dir", "t", *options])
    assert stopped.value.code == 2
    assert options[0] in capsys.readouterr().err
