"""The container's entry point: who does what in a job."""

import json

import pytest

from cloud import task
from scripts.lib.core.errors import DataError

HOSTS = {"chief": ["c:2222"], "worker": ["w0:2222"], "ps": ["p0:2222"]}
POOLS = {**{f"workerpool{index}": hosts for index, hosts in enumerate(HOSTS.values())}, "workerpool3": ["e:2222"]}
JOB = ["--pipeline_config_path", "p.config", "--train_dir", "train", "--num_steps", "9"]


@pytest.fixture
def calls(monkeypatch):
    """What train.py and eval.py were called with."""
    made = []
    monkeypatch.setattr(task.train, "main", lambda argv: made.append(("train", argv)))
    monkeypatch.setattr(task.evaluation, "main", lambda argv: made.append(("eval", argv)))
    monkeypatch.setattr(task, "wait_for_evaluation", lambda *args: made.append(("wait", *args)))
    for name in ("TF_CONFIG", "CLUSTER_SPEC"):
        monkeypatch.delenv(name, raising=False)
    return made


def be(monkeypatch, role: str, pool: int | None = None) -> None:
    """Sets the environment of a process; with a pool, that of a job that has an evaluator."""
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": HOSTS, "task": {"type": role, "index": 0}}))
    if pool is not None:
        spec = {"cluster": POOLS, "task": {"type": f"workerpool{pool}", "index": 0}}
        monkeypatch.setenv("CLUSTER_SPEC", json.dumps(spec))


def test_without_a_cluster_it_trains_alone(calls):
    task.main(JOB)
    assert calls == [("train", JOB)]


@pytest.mark.parametrize(("role", "pool"), [("chief", None), ("worker", 1), ("ps", 2)])
def test_the_cluster_s_processes_train_by_train_py(role, pool, calls, monkeypatch):
    be(monkeypatch, role, pool)
    task.main([*JOB, "--eval_dir", "eval"])
    assert calls == [("train", JOB)]


def test_the_chief_waits_for_the_evaluator(calls, monkeypatch):
    be(monkeypatch, "chief", 0)
    task.main([*JOB, "--eval_dir", "eval"])
    assert calls == [("train", JOB), ("wait", "train", 9, "eval", 1800)]


def test_the_evaluator_evaluates_until_the_last_step(tf, calls, monkeypatch, repository_root):
    until = []
    monkeypatch.setattr(task.hooks, "evaluate_until", lambda *args: until.append(args))
    be(monkeypatch, "evaluator", 3)
    config = str(repository_root / "configs" / "ssd_mobilenet_v1_sample.config")
    job = ["--pipeline_config_path", config, *JOB[2:]]
    task.main([*job, "--eval_dir", "eval", "--eval_interval_secs", "7"])
    assert until == [(9, 7.0)]
    flags = ["--pipeline_config_path", config, "--checkpoint_dir", "train", "--eval_dir", "eval"]
    assert calls == [("eval", flags)]


def test_an_evaluator_without_a_folder_is_told_so(tf, monkeypatch, capsys):
    monkeypatch.setattr(task.hooks, "evaluate_until", lambda *_: None)
    be(monkeypatch, "evaluator", 3)
    with pytest.raises(SystemExit, match="2"):
        task.main(JOB)
    assert "error: give --eval_dir" in capsys.readouterr().err


def test_a_cluster_that_cannot_work_starts_nothing(calls, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(DataError, match="expected JSON with cluster"):
        task.main(JOB)
    assert calls == []


def put_checkpoint(folder, step: int) -> None:
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "model.ckpt-{step}"\n', encoding="utf-8")
    (folder / f"model.ckpt-{step}.index").touch()


@pytest.mark.parametrize("last", [11, 9])  # of the last checkpoint, and of one that had all 9 steps, too
def test_waiting_ends_with_the_evaluator_s_last_result(last, tf, tmp_path, monkeypatch, capsys):
    results = iter([5, 99, last])  # 99: of an earlier training in the same folder

    def sleep(_):
        (tmp_path / "metrics.json").write_text(
            json.dumps({"global_step": next(results), "num_examples": 3, "metrics": {}}), encoding="utf-8"
        )

    monkeypatch.setattr(task.time, "sleep", sleep)
    put_checkpoint(tmp_path, 11)
    task.wait_for_evaluation(str(tmp_path), 9, str(tmp_path), seconds=1800)
    assert task.evaluated_step(str(tmp_path)) == last
    assert capsys.readouterr().out == ""


def test_an_evaluator_that_does_not_come_to_its_end_is_not_waited_for_for_ever(tf, tmp_path, capsys):
    put_checkpoint(tmp_path, 9)
    task.wait_for_evaluation(str(tmp_path), 9, str(tmp_path), seconds=0)
    assert capsys.readouterr().out == "The evaluator has no result of step 9 after 0 s; ending.\n"
