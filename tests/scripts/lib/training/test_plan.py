"""Before a training: its config is checked, and it is found where it starts and whether any step is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import train
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.object_detection_api import flags
from scripts.lib.training.evaluations import BEST, EVALUATIONS
from scripts.lib.training.plan import TrainingPlan, TrainOptions, plan, prepare
from tests import tiny_training


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> str:
    return str(tiny_training.write(tmp_path_factory.mktemp("tiny"), num_steps=50))


@pytest.fixture
def options(config, tmp_path) -> TrainOptions:
    return TrainOptions(pipeline_config_path=config, train_dir=str(tmp_path))


@pytest.fixture
def checkpoint(tf, tmp_path):
    """`checkpoint(step)`: train_dir gets a checkpoint of this step."""

    def write(step: int) -> None:
        with tf.Graph().as_default(), tf.Session() as session:
            tf.get_variable("weights", [3])
            session.run(tf.global_variables_initializer())
            tf.train.Saver().save(session, str(tmp_path / "model.ckpt"), global_step=step, write_meta_graph=False)

    return write


def changed(options: TrainOptions, **values) -> TrainOptions:
    return TrainOptions(**{**vars(options), **values})


def test_the_config_has_the_number_of_steps_of_the_flag(options):
    prepared = prepare(changed(options, num_steps=7))
    assert prepared.config.train_config.num_steps == 7
    assert prepared.task is None


def test_a_folder_that_tensorflow_takes_for_a_pattern_is_refused(options, tmp_path):
    with pytest.raises(UsageError, match=r"run \[1\] has a \[, which TensorFlow takes for a pattern"):
        prepare(changed(options, train_dir=str(tmp_path / "run [1]")))


def test_a_config_without_an_optimizer_is_named_before_its_schedule_is_scaled(options, tmp_path):
    path = tmp_path / "none.config"
    path.write_text("model { ssd { } } train_config { batch_size: 1 }", encoding="utf-8")
    with pytest.raises(DataError, match=r"train_config\.optimizer"):
        prepare(changed(options, pipeline_config_path=str(path), num_steps=7))


@pytest.mark.parametrize("flag", ["eval_every", None])
def test_what_only_the_evaluation_needs_stops_only_a_training_that_evaluates(options, tmp_path, capsys, flag):
    path = tmp_path / "wrong.config"
    text = Path(options.pipeline_config_path).read_text(encoding="utf-8")
    path.write_text(text.replace("test.record", "none.record"), encoding="utf-8")
    options = changed(options, pipeline_config_path=str(path))
    if flag:
        with pytest.raises(DataError, match="there is no record"):
            prepare(changed(options, eval_every=10))
    else:
        prepare(options)
        assert "later, for eval.py:\n" in capsys.readouterr().out


def test_the_cluster_s_task_is_the_environment_s(options, monkeypatch):
    hosts = {"chief": ["c:1"], "worker": ["w:1"], "ps": ["p:1"]}
    for name, task_type, is_master in (("chief", "master", True), ("worker", "worker", False)):
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": hosts, "task": {"type": name, "index": 0}}))
        prepared = prepare(options)
        assert (prepared.task.type, prepared.is_master) == (task_type, is_master)
    assert prepare(changed(options, overfit=3)).task is None


def test_an_empty_folder_starts_from_the_beginning(options):
    planned = plan(prepare(options))
    assert (planned.checkpoint, planned.notes, planned.is_done, planned.evaluations) == (None, (), False, None)


@pytest.mark.parametrize(
    ("step", "is_done", "note"),
    [(49, False, "Going on from step 49 in "), (50, True, "holds a checkpoint of step 50; the 50 steps of the config")],
)
def test_a_checkpoint_says_how_many_steps_are_left(options, checkpoint, step, is_done, note):
    checkpoint(step)
    planned = plan(prepare(options))
    assert planned.checkpoint.name == f"model.ckpt-{step}"
    assert planned.is_done is is_done
    assert note in planned.notes[0]


def test_a_training_that_was_ended_by_its_evaluations_has_no_step_left(options, checkpoint, tmp_path):
    checkpoint(30)
    (tmp_path / BEST).mkdir()
    metrics = {"global_step": 10, "num_examples": 3, "metrics": {"PascalBoxes_Precision/mAP@0.5IOU": 0.5}}
    (tmp_path / BEST / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    lines = [json.dumps({"step": step}) for step in (10, 20, 30)]
    (tmp_path / EVALUATIONS).write_text("\n".join(lines), encoding="utf-8")
    prepared = prepare(changed(options, eval_every=10, patience=2))
    assert plan(prepared).is_done
    assert "has ended at step 30: no gain in the last 2 evaluations" in plan(prepared).notes[0]
    checkpoint(20)
    assert not plan(prepared).is_done, "the evaluation of step 30 does not count any more"


def test_a_bucket_has_no_evaluations_between_the_steps(options):
    prepared = TrainingPlan(changed(options, train_dir="gs://shop/train", eval_every=5), prepare(options).config)
    with pytest.raises(UsageError, match="run eval.py beside it"):
        plan(prepared)


def test_every_flag_is_an_option_and_the_defaults_are_the_same():
    args = train.parse_arguments(["--pipeline_config_path=p.config", "--train_dir=t"])
    options = TrainOptions(**vars(args))
    assert options == TrainOptions(pipeline_config_path="p.config", train_dir="t")


def test_the_defaults_of_the_api_s_flags_are_its_own():
    assert flags.to_argv(flags.TRAIN, vars(TrainOptions())) == []
    options = TrainOptions(train_dir="t", num_clones=2)
    assert flags.to_argv(flags.TRAIN, vars(options)) == ["--train_dir=t", "--num_clones=2"]
