"""Evaluations between the steps: the best is kept, whole, and the count outlives the run. eval.py is a stand-in."""

from __future__ import annotations

import json
import time

import pytest

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.evaluation import metrics_file
from scripts.lib.training import evaluations as training_evaluation
from scripts.lib.training import log
from scripts.lib.training.evaluations import TrainingEvaluations

STAND_IN = """
import json, os, pathlib, sys, time
flags = dict(zip(sys.argv[2::2], sys.argv[3::2]))
folder = pathlib.Path(flags["--checkpoint_dir"])
assert (folder / "pipeline.config").read_text() == "model {}", folder
assert "TF_CONFIG" not in os.environ, "no replica of a cluster"
assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1", "the trainer holds the GPU"
name = next(folder.glob("*.index")).stem
step = int(name.rpartition("-")[2])
ap = json.loads((folder.parent / "aps.json").read_text())[str(step)]
if ap == "hang":
    time.sleep(60)
if ap == "fail":
    sys.exit("error: the record is damaged")
metrics = {"PascalBoxes_Precision/mAP@0.5IOU": ap, "PascalBoxes_PerformanceByCategory/AP@0.5IOU/Tops": ap}
if (folder.parent / "coco").exists():
    metrics = {"DetectionBoxes_Precision/mAP": ap}
out = pathlib.Path(flags["--eval_dir"]) / "metrics.json"
text = json.dumps({"global_step": step, "num_examples": 3, "metrics": metrics})
out.write_text(text.replace("NaN", "null"))
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """`make(aps, **options)`: the evaluations of a folder whose checkpoint of step N has the mAP aps[N]."""
    (tmp_path / "eval.py").write_text(STAND_IN, encoding="utf-8")
    monkeypatch.setattr(training_evaluation, "_SCRIPT", tmp_path / "eval.py")
    monkeypatch.setenv("TF_CONFIG", "{}")
    train_dir = tmp_path / "train"
    train_dir.mkdir()
    (train_dir / "pipeline.config").write_text("model {}", encoding="utf-8")

    def make(aps, **options):
        (train_dir / "aps.json").write_text(json.dumps(aps), encoding="utf-8")
        for step in aps:
            for suffix in ("index", "data-00000-of-00001", "meta"):
                (train_dir / f"model.ckpt-{step}.{suffix}").write_bytes(b"%d" % step)
        return TrainingEvaluations(train_dir, tmp_path / "eval", 10, **options)

    make.train_dir = train_dir
    return make


def evaluate(evaluations, train_dir, *steps):
    for step in steps:
        evaluations.start(str(train_dir / f"model.ckpt-{step}"))
        evaluations.finish()


def test_the_best_is_kept_with_its_metrics_and_an_equal_one_does_not_take_its_place(make, capsys):
    evaluations = make({10: 0.5, 20: 0.7, 30: 0.7})
    evaluate(evaluations, make.train_dir, 10, 20, 30)
    best = make.train_dir / "best"
    assert {path.name for path in best.iterdir()} == {
        "checkpoint",
        "metrics.json",
        "model.ckpt-20.data-00000-of-00001",
        "model.ckpt-20.index",
        "model.ckpt-20.meta",
        "pipeline.config",
    }
    assert checkpoint_files.find(best) == (best / "model.ckpt-20").as_posix()
    assert metrics_file.read(best / "metrics.json").global_step == 20
    assert "Evaluation at step 30: mAP@0.5 0.700 (best 0.700 at step 20; 1 without gain)" in capsys.readouterr().out
    assert not list(make.train_dir.glob(".evaluating*"))
    lines = log.read(make.train_dir / "evaluations.jsonl")
    assert [(line["step"], line["mAP@0.5"], line["AP@0.5"]) for line in lines] == [
        (10, 0.5, {"Tops": 0.5}),
        (20, 0.7, {"Tops": 0.7}),
        (30, 0.7, {"Tops": 0.7}),
    ]


def test_the_best_stays_when_the_saver_removes_its_own(make):
    evaluations = make({10: 0.5})
    evaluate(evaluations, make.train_dir, 10)
    (make.train_dir / "model.ckpt-10.index").unlink()
    assert (make.train_dir / "best" / "model.ckpt-10.index").read_bytes() == b"10"


def test_no_gain_for_long_ends_the_training_and_a_run_that_goes_on_has_the_count(make):
    aps = {10: 0.5, 20: 0.4, 30: 0.4, 40: 0.4}
    evaluations = make(aps, patience=3)
    evaluate(evaluations, make.train_dir, 10, 20, 30)
    assert evaluations.end_reached is None
    later = make(aps, patience=3)
    assert (later.best.global_step, later.without_gain) == (10, 2)
    evaluate(later, make.train_dir, 40)
    assert later.end_reached == "no gain in the last 3 evaluations (--patience 3)"
    assert make(aps, patience=3).end_reached
    later.forget_after(20)
    assert later.end_reached is None


def test_coco_metrics_steer_the_best_and_the_patience(make, capsys):
    """Case 1."""
    (make.train_dir / "coco").touch()
    evaluations = make({10: 0.3, 20: 0.2}, patience=1)
    evaluate(evaluations, make.train_dir, 10, 20)
    assert evaluations.end_reached == "no gain in the last 1 evaluation (--patience 1)"
    assert "The best: mAP@[.5:.95] 0.300 at step 10" in evaluations.best_text()
    assert "step 20: mAP@[.5:.95] 0.200 (best 0.300 at step 10; 1 of 1 without gain)" in capsys.readouterr().out
    assert log.read(make.train_dir / "evaluations.jsonl")[1]["mAP@[.5:.95]"] == 0.2


def test_a_target_ends_the_training(make):
    evaluations = make({10: 0.5, 20: 0.95}, target=0.9)
    evaluate(evaluations, make.train_dir, 10)
    assert evaluations.end_reached is None
    evaluate(evaluations, make.train_dir, 20)
    assert evaluations.end_reached == "mAP@0.5 0.950 is reached"


def test_one_is_due_once_the_steps_have_passed_even_if_steps_are_left_out(make):
    evaluations = make({10: 0.5, 12: 0.6})
    assert [step for step in range(1, 15) if evaluations.is_due(step)] == [10, 11, 12, 13, 14]
    evaluate(evaluations, make.train_dir, 12)
    assert [step for step in (13, 19, 20, 31) if evaluations.is_due(step)] == [20, 31]


def test_the_training_goes_on_meanwhile(make):
    evaluations = make({10: 0.5})
    evaluations.start(str(make.train_dir / "model.ckpt-10"))
    assert evaluations.best is None
    assert not evaluations.is_due(11)
    while evaluations.best is None:
        evaluations.poll()
        time.sleep(0.01)
    assert evaluations.best.global_step == 10


@pytest.mark.parametrize(
    "ap, expected",
    [("fail", "failed (exit status 1): error: the record is damaged"), (float("nan"), "no class has ground truth")],
)
def test_a_failed_one_and_one_without_ground_truth_are_said(make, capsys, ap, expected):
    evaluations = make({10: ap})
    evaluate(evaluations, make.train_dir, 10)
    assert expected in capsys.readouterr().out
    assert evaluations.best is None
    assert not (make.train_dir / "best").exists()
    assert not list(make.train_dir.glob(".evaluating*"))


def test_one_that_is_abandoned_leaves_no_process_and_no_copy(make):
    evaluations = make({10: "hang"})
    evaluations.start(str(make.train_dir / "model.ckpt-10"))
    process = evaluations._running.process
    evaluations.abandon()
    assert process.returncode is not None
    assert not list(make.train_dir.glob(".evaluating*"))


def test_a_kill_while_the_best_was_replaced_loses_nothing(make):
    evaluate(make({10: 0.5}), make.train_dir, 10)
    (make.train_dir / "best").rename(make.train_dir / ".best.former")  # as files.replace_folder does
    (make.train_dir / ".evaluating-20-7").mkdir()
    assert make({10: 0.5}).best.global_step == 10
    assert (make.train_dir / "best" / "model.ckpt-10.index").exists()
    assert not list(make.train_dir.glob(".evaluating*"))
