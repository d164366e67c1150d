"""The rehearsal of a cluster on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cloud import rehearse
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks
from scripts.lib.core.errors import DataError, UsageError


def test_the_processes_get_the_flags_of_train_py_and_the_evaluator_s(tmp_path, monkeypatch, repository_root):
    commands = []
    monkeypatch.setattr(checks, "check_training", lambda *_: [])
    monkeypatch.setattr(checks, "check_evaluation", lambda *_: [])
    monkeypatch.setattr(rehearse, "check_result", lambda *_: None)
    monkeypatch.setattr(rehearse.local_cluster, "run", lambda variables, command, logs: commands.append(command))
    config = str(repository_root / "configs" / "ssd_mobilenet_v1_sample.config")
    given = ["--pipeline_config_path", config, "--output_dir", str(tmp_path), "--save_every_secs", "5"]
    for evaluator in ([], ["--evaluator"]):
        rehearse.main([*given, *evaluator])
    alone, evaluated = commands
    assert alone[-2:] == ["--save_every_secs", "5"] and f"--train_dir={tmp_path / 'train'}" in alone
    assert set(evaluated) - set(alone) == {f"--eval_dir={tmp_path / 'eval'}", "--eval_interval_secs=5"}


def test_a_config_of_the_user_s_is_not_overwritten(tmp_path, monkeypatch, repository_root):
    monkeypatch.setattr(checks, "check_training", lambda *_: [])
    monkeypatch.setattr(rehearse, "check_result", lambda *_: None)
    monkeypatch.setattr(rehearse.local_cluster, "run", lambda *_: None)
    sample = repository_root / "configs" / "ssd_mobilenet_v1_sample.config"
    config = tmp_path / "pipeline.config"
    config.write_bytes(sample.read_bytes())
    with pytest.raises(UsageError, match=r"pipeline\.config exists"):
        rehearse.main(["--pipeline_config_path", str(config), "--output_dir", str(tmp_path)])
    assert config.read_bytes() == sample.read_bytes()
    for _ in range(2):  # its own may be replaced
        rehearse.main(["--pipeline_config_path", str(sample), "--output_dir", str(tmp_path / "own")])
    with pytest.raises(UsageError, match="give the config that it was made from"):
        rehearse.main(
            ["--pipeline_config_path", str(tmp_path / "own/pipeline.config"), "--output_dir", str(tmp_path / "own")]
        )


def test_a_flag_that_nobody_knows_is_said_once_and_starts_nothing(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        rehearse.main(["--pipeline_config_path", "x", "--output_dir", str(tmp_path / "new"), "--wrokers", "3"])
    assert capsys.readouterr().err.count("unknown flag --wrokers; --help lists all flags") == 1
    assert not (tmp_path / "new").exists()


def test_training_in_step_keeps_each_replica_s_batch(monkeypatch, repository_root):
    monkeypatch.setattr(checks, "check_training", lambda *_: [])
    path = repository_root / "configs" / "ssd_mobilenet_v1_sample.config"
    config = rehearse.read_config(path, num_steps=7, replicas=5, evaluator=False)
    train = config.train_config
    assert (train.sync_replicas, train.replicas_to_aggregate, train.startup_delay_steps) == (True, 5, 0)
    assert (train.batch_size, train.num_steps) == (5 * 16, 7)


@pytest.mark.parametrize("last_step", [7, 9])
def test_a_training_that_is_done_is_left_alone_and_another_one_goes_on(last_step, tmp_path):
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "model.ckpt-{last_step}"\n')
    (tmp_path / f"model.ckpt-{last_step}.index").touch()
    with pytest.raises(UsageError, match=f"holds a checkpoint of step {last_step}; give more --num_steps"):
        rehearse.check_folder(tmp_path, num_steps=7)
    rehearse.check_folder(tmp_path, num_steps=10)


def test_an_early_checkpoint_is_a_failure(tmp_path):
    with pytest.raises(DataError, match="is of step None, not of 7") as failure:
        rehearse.check_result(tmp_path, 7)
    assert failure.value.consequence == "the rehearsal has failed"


def test_a_process_ends_when_the_rehearsal_is_gone(repository_root):
    program = (
        "import sys, time; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/cloud']\n"
        "import rehearse; from cloud import task\n"
        "task.main = lambda argv: (print('at work', flush=True), time.sleep(600))\n"
        "rehearse.run_replica(int(sys.argv[2]), [])\n"
    )
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as rehearsal:
        command = [sys.executable, "-c", program, str(repository_root), str(rehearsal.pid)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "at work\n"
        assert process.poll() is None
        rehearsal.kill()  # a zombie until it is waited for
        assert process.wait(timeout=30) == 130


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
    csvs = {name: folder / f"{name}.csv" for name in ("train", "test", "summary")}
    run("split_dataset.py", csv_input=folder / "labels.csv", **{f"{name}_csv": path for name, path in csvs.items()})
    for record in ("train", "test"):
        run(
            "generate_tfrecord.py",
            csv_input=csvs[record],
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


def test_a_cluster_trains_in_step(tiny_config, tmp_path, repository_root):
    output = rehearse_in_a_process(repository_root, tmp_path, tiny_config(4), "--workers", "1")
    step = checkpoint_files.latest_step(tmp_path / "train")
    assert step >= 4
    assert f"The cluster works: the checkpoint of step {step} was read." in output
    assert {path.name for path in (tmp_path / "logs").iterdir()} == {"chief_0.log", "worker_0.log", "ps_0.log"}


@pytest.mark.slow
def test_a_cluster_goes_on_where_it_was_and_is_evaluated(tiny_config, tmp_path, repository_root):
    rehearse_in_a_process(repository_root, tmp_path, tiny_config(4), "--workers", "1")
    step = checkpoint_files.latest_step(tmp_path / "train")
    more = ("--evaluator", "--workers", "1", "--num_steps", "30")
    output = rehearse_in_a_process(repository_root, tmp_path, tiny_config(4), *more)
    assert f"Going on from step {step} in" in output
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text(encoding="utf-8"))
    assert 30 <= metrics["global_step"] <= checkpoint_files.latest_step(tmp_path / "train")
