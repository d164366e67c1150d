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

from cloud.lib import local_cluster
from scripts.lib.core.errors import DataError
from scripts.lib.training import cluster

# Stands in for cloud/task.py: each trainer advances a step counter that all share, as files of a folder.
STAND_IN = """
import json, os, pathlib, sys, time
folder, last_step = pathlib.Path(sys.argv[1]), int(sys.argv[2])
task = json.loads(os.environ["TF_CONFIG"])["task"]
name = task["type"]
print("hello from", name, flush=True)
if name == "ps":
    time.sleep(600)
if name == "worker" and "fail" in sys.argv:
    sys.exit(3)
while (step := len(list(folder.iterdir()))) < last_step:
    (folder / f"{os.getpid()}-{step}").touch()
    time.sleep(0.03)
"""


def stand_in(folder: Path, last_step: int, *flags: str) -> list[str]:
    folder.mkdir()
    return [sys.executable, "-c", STAND_IN, str(folder), str(last_step), *flags]


def test_each_process_gets_the_environment_that_vertex_ai_sets():
    variables = local_cluster.environments(2, 1, evaluator=True)
    assert list(variables) == ["chief/0", "worker/0", "worker/1", "ps/0", "evaluator/0"]
    tf_config = json.loads(variables["worker/1"]["TF_CONFIG"])
    assert tf_config["task"] == {"type": "worker", "index": 1}
    assert {role: len(hosts) for role, hosts in tf_config["cluster"].items()} == {"chief": 1, "worker": 2, "ps": 1}
    cluster_spec = json.loads(variables["evaluator/0"]["CLUSTER_SPEC"])
    assert cluster_spec["task"] == {"type": "workerpool3", "index": 0}
    addresses = [host for hosts in cluster_spec["cluster"].values() for host in hosts]
    assert len(set(addresses)) == 5
    assert all(address.startswith("127.0.0.1:") for address in addresses)


def test_the_processes_understand_their_environment():
    variables = local_cluster.environments(2, 1, evaluator=True)
    parts = [cluster.from_environment(each) for each in variables.values()]
    assert [part.name for part in parts] == ["master", "worker/0", "worker/1", "ps/0", "evaluator/0"]
    assert all(part.has_evaluator for part in parts)


@pytest.fixture
def started(monkeypatch) -> list[subprocess.Popen]:
    """All processes that the cluster starts."""
    processes = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **kw: processes.append(popen(*args, **kw)) or processes[-1])
    return processes


def test_all_run_until_the_chief_has_ended_and_the_parameter_servers_are_stopped(tmp_path, started, capsys):
    command = stand_in(tmp_path / "steps", 12)
    local_cluster.run(local_cluster.environments(2, 1, evaluator=False), command, tmp_path / "logs")
    chief, *workers, ps = started
    assert [process.returncode for process in (chief, *workers)] == [0, 0, 0]
    assert ps.returncode not in (0, None)
    assert len(list((tmp_path / "steps").iterdir())) >= 12
    assert "chief/0     | hello from chief\n" in capsys.readouterr().out
    assert (tmp_path / "logs" / "worker_1.log").read_text() == "hello from worker\n"


def test_a_process_that_fails_ends_the_rehearsal_and_all_others(tmp_path, started):
    command = stand_in(tmp_path / "steps", 100_000, "fail")
    with pytest.raises(DataError, match=r"worker/. ended with status 3; see .*worker_.\.log"):
        local_cluster.run(local_cluster.environments(2, 1, evaluator=False), command, tmp_path / "logs")
    assert len(started) == 4 and all(process.returncode is not None for process in started)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that one process alone gets")
def test_ctrl_c_ends_all_processes(tmp_path, repository_root):
    (tmp_path / "steps").mkdir()
    program = (
        "import pathlib, subprocess, sys; sys.path.insert(0, sys.argv[1])\n"
        "from scripts import _init_paths\n"
        "from cloud.lib import local_cluster\n"
        "from scripts.lib.core import command_line\n"
        "folder = pathlib.Path(sys.argv[2])\n"
        "command = [sys.executable, '-c', sys.argv[3], str(folder / 'steps'), '100000']\n"
        "started, popen = [], subprocess.Popen\n"
        "subprocess.Popen = lambda *args, **kw: started.append(popen(*args, **kw)) or started[-1]\n"
        "def main(argv):\n"
        "    try:\n"
        "        local_cluster.run(local_cluster.environments(2, 1, False), command, folder / 'logs')\n"
        "    finally:\n"
        "        print('started:', len(started), 'left:', [each.poll() for each in started].count(None))\n"
        "command_line.run(main)\n"
    )
    command = [sys.executable, "-c", program, str(repository_root), str(tmp_path), STAND_IN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(list((tmp_path / "logs").glob("*.log"))) < 4 or not any((tmp_path / "steps").iterdir()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out.splitlines()[-1] == "started: 4 left: 0"
