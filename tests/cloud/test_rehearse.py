"""The rehearsal of a cluster on this machine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloud import rehearse
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks
from scripts.lib.core.errors import DataError, UsageError


def test_flags_of_train_py_are_passed_on(tmp_path):
    given = ["--pipeline_config_path", "x", "--output_dir", str(tmp_path), "--save_every_secs", "5"]
    args, train_flags = rehearse.parse_arguments(given)
    flags = rehearse.task_flags(args.output_dir, args.evaluator, train_flags)
    assert flags[-2:] == ["--save_every_secs", "5"]
    assert f"--train_dir={tmp_path / 'train'}" in flags


def test_a_flag_that_nobody_knows_is_said_once_and_starts_nothing(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        rehearse.main(["--pipeline_config_path", "x", "--output_dir", str(tmp_path / "new"), "--wrokers", "3"])
    assert capsys.readouterr().err.count("unrecognized arguments: --wrokers 3") == 1
    assert not (tmp_path / "new").exists()


def test_a_config_that_cannot_be_trained_in_step_starts_nothing(tmp_path, monkeypatch, repository_root):
    monkeypatch.setattr(checks, "check_training", lambda *_: [])
    text = (repository_root / "configs" / "ssd_mobilenet_v1_sample.config").read_text(encoding="utf-8")
    (tmp_path / "c.config").write_text(text.replace("train_config {", "train_config { sync_replicas: true", 1))
    given = ["--pipeline_config_path", f"{tmp_path}/c.config", "--output_dir", f"{tmp_path}/new"]
    with pytest.raises(DataError, match="sync_replicas does not go with startup_delay_steps") as failure:
        rehearse.main(given)
    assert failure.value.consequence == "nothing was started" and not (tmp_path / "new").exists()


def test_training_in_step_keeps_each_replica_s_batch(monkeypatch, repository_root):
    monkeypatch.setattr(checks, "check_training", lambda *_: [])
    path = repository_root / "configs" / "ssd_mobilenet_v1_sample.config"
    config = rehearse.read_config(path, num_steps=7, sync_replicas=5, evaluator=False)
    train = config.train_config
    assert (train.sync_replicas, train.replicas_to_aggregate, train.startup_delay_steps) == (True, 5, 0)
    assert (train.batch_size, train.num_steps) == (5 * 16, 7)
    assert rehearse.images_per_step(config) == 16


def test_a_folder_that_holds_a_training_is_left_alone(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-7"\n')
    (tmp_path / "train" / "model.ckpt-7.index").touch()
    with pytest.raises(UsageError, match="holds a checkpoint of step 7"):
        rehearse.check_folder(tmp_path)


def test_chaos_without_a_role_takes_a_worker_and_the_chief():
    args, _ = rehearse.parse_arguments(["--pipeline_config_path", "x", "--chaos", "--save_every_secs", "5"])
    assert args.chaos == ["worker", "chief"]


def test_chaos_needs_a_worker(capsys):
    with pytest.raises(SystemExit) as ended:
        rehearse.parse_arguments(["--pipeline_config_path", "x", "--chaos", "--workers", "0"])
    assert ended.value.code == 2
    assert "--chaos needs a worker to take away" in capsys.readouterr().err


def test_a_process_ends_when_the_rehearsal_is_gone(repository_root):
    program = (
        "import sys, time; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/cloud']\n"
        "import rehearse; from cloud import task\n"
        "task.main = lambda argv: (print('at work', flush=True), time.sleep(600))\n"
        "rehearse.run_replica([])\n"
    )
    command = [sys.executable, "-c", program, str(repository_root)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "at work\n"
    process.stdin.close()  # what the system does for a process that is killed
    assert process.wait(timeout=30) == 130


# ----------------------------------------------------------------------------------------- with the real trainer


@pytest.fixture(scope="module")
def tiny_config(tmp_path_factory, repository_root):
    """`tiny_config(num_steps)` writes the sample's config, shrunk to 64x64, for records of drawn photos."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    folder = tmp_path_factory.mktemp("cluster")

    def run(script: str, **flags: object) -> None:
        given = [f"--{name}={value}" for name, value in flags.items()]
        subprocess.run([sys.executable, str(repository_root / script), *given], check=True, capture_output=True)

    run("scripts/make_sample_dataset.py", output_dir=folder, num_images=24, seed=1)
    run("xml_to_csv.py", annotations_dir=folder / "annotations", output_csv=folder / "labels.csv")
    for record in ("train", "test"):
        run(
            "generate_tfrecord.py",
            csv_input=folder / "labels.csv",
            image_dir=folder / "samples",
            output_path=folder / f"{record}.record",
            max_image_side=128,
        )

    def write(num_steps: int) -> Path:
        text = (repository_root / "configs" / "ssd_mobilenet_v1_sample.config").read_text(encoding="utf-8")
        for old, new in (
            ("runs/quickstart/", f"{folder.as_posix()}/"),
            ("height: 160", "height: 64"),
            ("width: 160", "width: 64"),
            ("depth_multiplier: 0.5", "depth_multiplier: 0.25"),
            ("batch_size: 16", "batch_size: 4 startup_delay_steps: 0"),
            ("num_steps: 1000", f"num_steps: {num_steps}"),
            ("total_steps: 1000", f"total_steps: {num_steps}"),
            ("warmup_steps: 50", "warmup_steps: 1"),
        ):
            assert old in text, old
            text = text.replace(old, new)
        path = folder / f"{num_steps}.config"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def rehearse_in_a_process(repository_root: Path, output_dir: Path, config: Path, *flags: str) -> str:
    command = [sys.executable, str(repository_root / "cloud" / "rehearse.py"), "--pipeline_config_path", str(config)]
    result = subprocess.run(
        [*command, "--output_dir", str(output_dir), *flags],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=1200,
    )
    assert result.returncode == 0, f"{result.stdout[-4000:]}\n{result.stderr}"
    return result.stdout


def steps_by_replica(output: str) -> dict[str, int]:
    rows = [line.split() for line in output.splitlines() if not line.partition("|")[1]]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[0].partition("/")[1] and row[1].isdecimal()}


def test_a_cluster_trains_in_step(tiny_config, tmp_path, repository_root):
    output = rehearse_in_a_process(repository_root, tmp_path, tiny_config(4), "--workers", "1", "--sync")
    assert checkpoint_files.latest_step(tmp_path / "train") >= 4
    assert re.search(r"(\d+) variables, \1 of them finite", output)
    steps = steps_by_replica(output)
    assert steps["chief/0"] + steps["worker/0"] >= 6  # a step needs two gradients; the last may not be counted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chaos", "mode"),
    [(("worker", "chief"), ()), (("worker", "chief"), ("--sync",)), (("ps",), ())],
    ids=["asynchronous", "in step", "a parameter server"],
)
def test_a_cluster_comes_to_its_end_whoever_is_lost(chaos, mode, tiny_config, tmp_path, repository_root):
    config = tiny_config(400)
    flags = ("--chaos", *chaos, "--evaluator", "--save_every_secs", "5", "--parameter_servers", "2", *mode)
    output = rehearse_in_a_process(repository_root, tmp_path, config, *flags)
    assert checkpoint_files.latest_step(tmp_path / "train") >= 400
    assert output.count("*** preempted at step") == len(chaos)
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["global_step"] == checkpoint_files.latest_step(tmp_path / "train")
