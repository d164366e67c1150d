"""The processes of a cluster on loopback."""

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
from cloud.lib.local_cluster import Chaos, LocalCluster, make_processes
from scripts.lib.core.errors import DataError
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


def stand_in(folder: Path, last_step: int, *flags: str) -> list[str]:
    folder.mkdir()
    return [sys.executable, "-c", STAND_IN, str(folder), str(last_step), *flags]


def cluster_of(tmp_path: Path, last_step: int, *flags: str) -> LocalCluster:
    return LocalCluster(
        make_processes(2, 1, evaluator=False), stand_in(tmp_path / "steps", last_step, *flags), tmp_path / "logs"
    )


def test_each_process_gets_the_environment_that_vertex_ai_sets():
    processes = make_processes(2, 1, evaluator=True)
    assert [process.name for process in processes] == ["chief/0", "worker/0", "worker/1", "ps/0", "evaluator/0"]
    tf_config = json.loads(processes[2].environment["TF_CONFIG"])
    assert tf_config["task"] == {"type": "worker", "index": 1}
    assert {role: len(hosts) for role, hosts in tf_config["cluster"].items()} == {"chief": 1, "worker": 2, "ps": 1}
    cluster_spec = json.loads(processes[4].environment["CLUSTER_SPEC"])
    assert cluster_spec["task"] == {"type": "workerpool3", "index": 0}
    addresses = [host for hosts in cluster_spec["cluster"].values() for host in hosts]
    assert len(set(addresses)) == 5
    assert all(address.startswith("127.0.0.1:") for address in addresses)


def test_the_processes_understand_their_environment():
    processes = make_processes(2, 1, evaluator=True)
    parts = [cluster.from_environment(process.environment) for process in processes]
    assert [part.name for part in parts] == ["master", "worker/0", "worker/1", "ps/0", "evaluator/0"]
    assert all(part.has_evaluator for part in parts)


def test_chaos_comes_in_the_order_of_the_roles_and_before_the_end():
    for seed in range(50):
        events = Chaos(["ps", "worker", "chief"], seed, 1000).events
        assert [event.role for event in events] == ["ps", "worker", "chief"]
        assert 200 <= events[0].step < events[1].step < events[2].step < 800


def test_all_run_until_the_chief_has_ended_and_the_parameter_servers_are_stopped(tmp_path, capsys):
    local_cluster = cluster_of(tmp_path, last_step=12)
    local_cluster.run(None)
    local_cluster.stop()
    chief, *workers, ps = local_cluster.processes
    assert chief.status == 0
    assert sum(process.steps for process in local_cluster.processes) >= 12
    assert all(process.process.poll() is not None for process in local_cluster.processes)
    assert ps.process.returncode != 0
    assert "chief/0  | hello from chief" in capsys.readouterr().out
    log = (tmp_path / "logs" / "worker_1.log").read_text()
    assert log.startswith("hello from worker\n")
    assert log.count('"global_step"') == workers[1].steps
    text = rehearse.summary(local_cluster, images=4)
    assert f"chief/0{chief.steps:>13}" in text
    assert "images a second" in text


@pytest.mark.parametrize("warned", [False, pytest.param(True, marks=needs_signals)])
def test_chaos_kills_a_worker_and_the_chief_and_starts_them_again(warned, tmp_path):
    local_cluster = cluster_of(tmp_path, last_step=150)
    chaos = Chaos(["worker", "chief"], seed=3, num_steps=150)
    chaos.events = [event._replace(warned=warned, away_secs=0.1) for event in chaos.events]
    local_cluster.run(chaos)
    local_cluster.stop()
    assert chaos.events == []
    chief, *workers, _ = local_cluster.processes
    assert chief.status == 0
    assert len(chief.restarts) == 1
    assert sum(len(worker.restarts) for worker in workers) == 1
    killed = next(worker for worker in workers if worker.restarts)
    assert killed.rejoined[0] >= killed.restarts[0] >= 30
    assert f"{killed.restarts[0]} -> {killed.rejoined[0]}" in rehearse.summary(local_cluster, images=1)


def test_a_process_that_fails_ends_the_rehearsal_and_all_others(tmp_path):
    local_cluster = cluster_of(tmp_path, 100_000, "fail")
    with pytest.raises(DataError, match=r"worker/. ended with status 3; see .*worker_.\.log"):
        local_cluster.run(None)
    local_cluster.stop()
    assert all(process.process.poll() is not None for process in local_cluster.processes)


@needs_signals
def test_ctrl_c_ends_all_processes(tmp_path, repository_root):
    (tmp_path / "steps").mkdir()
    program = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from scripts import _init_paths\n"
        "from cloud.lib.local_cluster import LocalCluster, make_processes\n"
        "from scripts.lib.core import command_line\n"
        "folder = pathlib.Path(sys.argv[2])\n"
        "command = [sys.executable, '-c', sys.argv[3], str(folder / 'steps'), '100000']\n"
        "local_cluster = LocalCluster(make_processes(2, 1, False), command, folder / 'logs')\n"
        "def main(argv):\n"
        "    try:\n"
        "        local_cluster.run(None)\n"
        "    finally:\n"
        "        local_cluster.stop()\n"
        "        print('left:', [r.process.poll() for r in local_cluster.processes].count(None))\n"
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
