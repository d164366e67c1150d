"""Running a planned training: the hooks, the former config, and a training that has no step left."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.lib.config import pipeline_config
from scripts.lib.core.errors import UsageError
from scripts.lib.training import run
from scripts.lib.training.loop import TrainingStep
from scripts.lib.training.plan import TrainingPlan, TrainOptions
from tests import tiny_training


@pytest.fixture
def plan(tmp_path) -> TrainingPlan:
    return TrainingPlan(TrainOptions(train_dir=str(tmp_path)), pipeline_config.read(tiny_training.CONFIG))


@pytest.mark.parametrize(("step", "kept"), [(None, b"former"), (TrainingStep(1, 0.0, {}, None), b"new")])
def test_a_training_that_takes_no_step_leaves_the_former_config(tmp_path, step, kept):
    config = tmp_path / "pipeline.config"
    config.write_bytes(b"former")
    observer = SimpleNamespace(last_step=step)
    with pytest.raises(UsageError), run._keep_former_config(str(tmp_path), observer):
        config.write_bytes(b"new")
        raise UsageError("the checkpoint is of another model")
    assert config.read_bytes() == kept


def test_the_variables_of_the_fine_tune_checkpoint_are_counted_only_from_the_beginning(plan, monkeypatch):
    installed = []
    monkeypatch.setattr(run.hooks, "early_resizing", lambda *_: None)
    monkeypatch.setattr(run.loop, "install", lambda *_: None)
    monkeypatch.setattr(run.hooks, "small_event_files", lambda: installed.append("small"))
    monkeypatch.setattr(run.hooks, "restored_variables", lambda: installed.append("restored"))
    run.install_hooks(plan, None)
    assert installed == ["restored", "small"]
    full = dataclasses.replace(plan.options, full_summaries=True)
    run.install_hooks(dataclasses.replace(plan, checkpoint=Path("model.ckpt-5"), options=full), None)
    assert installed == ["restored", "small"], "it goes on from its own checkpoint"


@pytest.mark.parametrize(("end_reached", "evaluated"), [(None, ["model.ckpt-9"]), ("enough", [])])
def test_a_training_without_steps_left_only_catches_up_on_its_evaluation(plan, capsys, end_reached, evaluated):
    done = []
    evaluations = SimpleNamespace(end_reached=end_reached, evaluate=done.append)
    plan = dataclasses.replace(
        plan, checkpoint="model.ckpt-9", evaluations=evaluations, notes=("All steps are done.",), is_done=True
    )
    assert run.run(plan) == 0
    assert done == evaluated
    assert capsys.readouterr().out == "All steps are done.\n"


def test_the_next_commands_name_the_folder_that_was_trained(plan, tmp_path):
    evaluation, export = run._next_commands(plan).splitlines()
    folder = tmp_path.as_posix()
    assert evaluation == (
        f"Next: python scripts/eval.py --run_once --pipeline_config_path {folder}/pipeline.config "
        f"--checkpoint_dir {folder} --eval_dir {tmp_path.parent.as_posix()}/eval"
    )
    assert export == f"then: python scripts/export_model.py --checkpoint {folder}"
    best = dataclasses.replace(plan, evaluations=SimpleNamespace(best="an evaluation"))
    assert run._next_commands(best) == f"Next: python scripts/export_model.py --checkpoint {folder}/best"
