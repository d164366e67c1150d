"""The rehearsal of a cluster on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloud import rehearse
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import pipeline_config
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.training import cluster

# Stands in for cloud/task.py: each trainer advances a step counter that all share, as files of a folder.
STAND_IN = """
import json, os, pathlib, signal, sys, time
folder, last_step = pathlib.Path(sys.argv[1]), int(sys.argv[2])
task = json.loads(os.environ["TF_CONFIG"])["task"]
name = task["type"]
print("hello from", name, flush=True)
if name == "ps":
    time.sleep(600)
if name == "worker" and "fail" in sys.argv:
    sys.exit(3)
def end_with_a_step(*_):
    os.write(1, b'{"replica": "x", "steps": 1, "global_step": 0}\\n')
    os._exit(143)
signal.signal(signal.SIGTERM, end_with_a_step)
while (step := len(list(folder.iterdir()))) < last_step:
    (folder / f"{os.getpid()}-{step}").touch()
    print(json.dumps({"replica": name, "steps": 1, "global_step": step}), flush=True)
    time.sleep(0.03)
"""


needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that one process alone gets")


@pytest.fixture
def args(tmp_path):
    command = ["--pipeline_config_path", "x.config", "--output_dir", str(tmp_path / "out"), "--evaluator"]
    return rehearse.parse_arguments(command)[0]


def stand_in(folder: Path, last_step: int, *flags: str) -> list[str]:
    folder.mkdir()
    return [sys.executable, "-c", STAND_IN, str(folder), str(last_step), *flags]


def rehearsal_of(tmp_path: Path, last_step: int, *flags: str) -> rehearse.Rehearsal:
    arguments = ["--pipeline_config_path", "x.config", "--output_dir", str(tmp_path), "--workers", "2"]
    replicas = rehearse.make_replicas(rehearse.parse_arguments(arguments)[0])
    return rehearse.Rehearsal(replicas, stand_in(tmp_path / "steps", last_step, *flags), tmp_path / "logs")


def test_each_process_gets_the_environment_that_vertex_ai_sets(args):
    replicas = rehearse.make_replicas(args)
    assert [replica.name for replica in replicas] == ["chief/0", "worker/0", "worker/1", "ps/0", "evaluator/0"]
    tf_config = json.loads(replicas[2].environment["TF_CONFIG"])
    assert tf_config["task"] == {"type": "worker", "index": 1}
    assert {role: len(hosts) for role, hosts in tf_config["cluster"].items()} == {"chief": 1, "worker": 2, "ps": 1}
    cluster_spec = json.loads(replicas[4].environment["CLUSTER_SPEC"])
    assert cluster_spec["task"] == {"type": "workerpool3", "index": 0}
    addresses = [host for hosts in cluster_spec["cluster"].values() for host in hosts]
    assert len(set(addresses)) == 5
    assert all(address.startswith("127.0.0.1:") for address in addresses)


def test_the_processes_understand_their_environment(args):
    parts = [cluster.from_environment(replica.environment) for replica in rehearse.make_replicas(args)]
    assert [part.name for part in parts] == ["master", "worker/0", "worker/1", "ps/0", "evaluator/0"]
    assert all(part.has_evaluator for part in parts)


def test_flags_of_train_py_are_passed_on(args, tmp_path):
    given = ["--pipeline_config_path", "x", "--output_dir", str(tmp_path), "--save_every_secs", "5"]
    args, train_argv = rehearse.parse_arguments(given)
    flags = rehearse.task_flags(args, train_argv)
    assert flags[-2:] == ["--save_every_secs", "5"]
    assert f"--train_dir={tmp_path / 'train'}" in flags


def test_a_flag_that_nobody_knows_is_said_once_and_starts_nothing(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        rehearse.main(["--pipeline_config_path", "x", "--output_dir", str(tmp_path / "new"), "--wrokers", "3"])
    assert capsys.readouterr().err.count("unrecognized arguments: --wrokers 3") == 1
    assert not (tmp_path / "new").exists()


def test_a_config_that_cannot_be_trained_in_step_starts_nothing(tmp_path, monkeypatch, repository_root):
    monkeypatch.setattr(pipeline_config, "check_training", lambda *_: [])
    text = (repository_root / "configs" / "ssd_mobilenet_v1_sample.config").read_text(encoding="utf-8")
    (tmp_path / "c.config").write_text(text.replace("train_config {", "train_config { sync_replicas: true", 1))
    args, _ = rehearse.parse_arguments(
        ["--pipeline_config_path", f"{tmp_path}/c.config", "--output_dir", f"{tmp_path}/new"]
    )
    with pytest.raises(DataError, match="sync_replicas does not go with startup_delay_steps") as failure:
        rehearse.write_config(args)
    assert failure.value.consequence == "nothing was started" and not (tmp_path / "new").exists()


def test_training_in_step_keeps_each_replica_s_batch(tmp_path, monkeypatch, repository_root):
    monkeypatch.setattr(pipeline_config, "check_training", lambda *_: [])
    path = repository_root / "configs" / "ssd_mobilenet_v1_sample.config"
    given = ["--pipeline_config_path", str(path), "--output_dir", str(tmp_path), "--workers", "4", "--sync"]
    config = rehearse.write_config(rehearse.parse_arguments(given)[0])
    train = config.train_config
    assert (train.sync_replicas, train.replicas_to_aggregate, train.startup_delay_steps) == (True, 5, 0)
    assert train.batch_size == 5 * 16
    assert rehearse.images_per_step(config) == 16
    assert pipeline_config.read(tmp_path / "pipeline.config") == config


def test_a_folder_that_holds_a_training_is_left_alone(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-7"\n')
    (tmp_path / "train" / "model.ckpt-7.index").touch()
    with pytest.raises(UsageError, match="holds a checkpoint of step 7"):
        rehearse.check_folder(tmp_path)


def test_chaos_comes_in_the_order_of_the_roles_and_before_the_end():
    for seed in range(50):
        events = rehearse.Chaos(["ps", "worker", "chief"], seed, 1000).events
        assert [event.role for event in events] == ["ps", "worker", "chief"]
        assert 200 <= events[0].step < events[1].step < events[2].step < 800


def test_chaos_without_a_role_takes_a_worker_and_the_chief():
    args, _ = rehearse.parse_arguments(["--pipeline_config_path", "x", "--chaos", "--save_every_secs", "5"])
    assert args.chaos == ["worker", "chief"]


def test_chaos_needs_a_worker(capsys):
    with pytest.raises(SystemExit) as ended:
        rehearse.parse_arguments(["--pipeline_config_path", "x", "--chaos", "--workers", "0"])
    assert ended.value.code == 2
    assert "--chaos needs a worker to take away" in capsys.readouterr().err


def test_all_run_until_the_chief_has_ended_and_the_parameter_servers_are_stopped(tmp_path, capsys):
    rehearsal = rehearsal_of(tmp_path, last_step=12)
    rehearsal.run(None)
    rehearsal.stop()
    chief, *workers, ps = rehearsal.replicas
    assert chief.status == 0
    assert sum(replica.steps for replica in rehearsal.replicas) >= 12
    assert all(replica.process.poll() is not None for replica in rehearsal.replicas)
    assert ps.process.returncode != 0
    assert "chief/0  | hello from chief" in capsys.readouterr().out
    log = (tmp_path / "logs" / "worker_1.log").read_text()
    assert log.startswith("hello from worker\n")
    assert log.count('"global_step"') == workers[1].steps
    text = rehearse.summary(rehearsal, images=4)
    assert f"chief/0{chief.steps:>13}" in text
    assert "images a second" in text


@pytest.mark.parametrize("warned", [False, pytest.param(True, marks=needs_signals)])
def test_chaos_kills_a_worker_and_the_chief_and_starts_them_again(warned, tmp_path):
    rehearsal = rehearsal_of(tmp_path, last_step=150)
    chaos = rehearse.Chaos(["worker", "chief"], seed=3, num_steps=150)
    chaos.events = [event._replace(warned=warned, away_secs=0.1) for event in chaos.events]
    rehearsal.run(chaos)
    rehearsal.stop()
    assert chaos.events == []
    chief, *workers, _ = rehearsal.replicas
    assert chief.status == 0
    assert len(chief.restarts) == 1
    assert sum(len(worker.restarts) for worker in workers) == 1
    killed = next(worker for worker in workers if worker.restarts)
    assert killed.rejoined[0] >= killed.restarts[0] >= 30
    assert f"{killed.restarts[0]} -> {killed.rejoined[0]}" in rehearse.summary(rehearsal, images=1)


def test_a_process_that_fails_ends_the_rehearsal_and_all_others(tmp_path):
    rehearsal = rehearsal_of(tmp_path, 100_000, "fail")
    with pytest.raises(DataError, match=r"worker/. ended with status 3; see .*worker_.\.log"):
        rehearsal.run(None)
    rehearsal.stop()
    assert all(replica.process.poll() is not None for replica in rehearsal.replicas)


@needs_signals
def test_ctrl_c_ends_all_processes(tmp_path, repository_root):
    (tmp_path / "steps").mkdir()
    program = (
        "import sys; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/cloud']\n"
        "import rehearse, pathlib\n"
        "from scripts.lib.core import command_line\n"
        "folder = pathlib.Path(sys.argv[2])\n"
        "args, _ = rehearse.parse_arguments(['--pipeline_config_path', 'x'])\n"
        "command = [sys.executable, '-c', sys.argv[3], str(folder / 'steps'), '100000']\n"
        "rehearsal = rehearse.Rehearsal(rehearse.make_replicas(args), command, folder / 'logs')\n"
        "def main(argv):\n"
        "    try:\n"
        "        rehearsal.run(None)\n"
        "    finally:\n"
        "        rehearsal.stop()\n"
        "        print('left:', [r.process.poll() for r in rehearsal.replicas].count(None))\n"
        "command_line.run(main)\n"
    )
    command = [sys.executable, "-c", program, str(repository_root), str(tmp_path), STAND_IN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not any((tmp_path / "steps").iterdir()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out.splitlines()[-1] == "left: 0"


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
    assert "all finite" in output
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
