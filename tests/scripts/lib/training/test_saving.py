"""The trainer's checkpoints: when they are saved, and what a failure says."""

from __future__ import annotations

import pytest

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.training import resume
from tests import slim_training


@pytest.fixture
def slim(tf, monkeypatch):
    return slim_training.restore_afterwards(monkeypatch)


def test_saves_when_it_is_told_to_and_at_the_end_and_only_then(tf, slim, tmp_path):
    slim_training.train(
        tf,
        slim,
        tmp_path,
        slim_training.Observer(lambda step, save: save() and False if step.number == 2 else None),
        num_steps=5,
    )
    assert [prefix.name for prefix in checkpoint_files.prefixes(tmp_path)] == ["model.ckpt-2", "model.ckpt-5"]
    assert checkpoint_files.fault(tmp_path / "model.ckpt-5") is None


def test_variables_that_are_not_finite_are_not_saved(tf, slim, tmp_path):
    """The loss of a step may be finite, and its gradient not: the square root's at 0."""
    with pytest.raises(DataError, match="after step 1 the model's variables are not finite"):
        slim_training.train(
            tf,
            slim,
            tmp_path,
            slim_training.Observer(lambda step, save: step.number == 1),
            loss_of=lambda x: tf.sqrt(x - 2.0),
        )
    assert not checkpoint_files.prefixes(tmp_path)


def test_on_windows_a_checkpoint_that_a_scanner_holds_for_a_moment_is_written(tf, slim, tmp_path, monkeypatch):
    from tensorflow.python.checkpoint import checkpoint_management

    write, held = checkpoint_management.update_checkpoint_state_internal, [True]

    def update(*args, **kwargs):
        if held and held.pop():
            raise tf.errors.PermissionDeniedError(None, None, "Failed to rename: checkpoint.tmp; Access is denied")
        return write(*args, **kwargs)

    monkeypatch.setattr(files, "ON_WINDOWS", True)
    monkeypatch.setattr(checkpoint_management, "update_checkpoint_state_internal", update)
    slim_training.train(tf, slim, tmp_path, slim_training.Observer(lambda step, save: None), num_steps=2)
    assert held == [] and checkpoint_files.latest(tmp_path).name == "model.ckpt-2"


@pytest.mark.parametrize("failing", ["data", "state"])
def test_where_a_checkpoint_cannot_be_written_the_last_one_stays(tf, slim, tmp_path, monkeypatch, failing):
    """A full disk, as TensorFlow reports it, while the data or the `checkpoint` file is written."""
    from tensorflow.python.checkpoint import checkpoint_management

    def fail(*_, **__):
        message = (
            f"Graph execution error:\n\nDetected at node save/SaveV2\n{tmp_path}/x; No space left on device\n\t [[x]]"
        )
        raise tf.errors.ResourceExhaustedError(None, None, message)

    def act(step, save):
        if step.number == 2:
            save()
        if step.number == 4:
            if failing == "data":
                (tmp_path / "model.ckpt-4_temp_0123456789abcdef0123456789abcdef").mkdir()
                (tmp_path / "model.ckpt-4.data-00000-of-00001").write_bytes(b"half")
                monkeypatch.setattr(tf.train.Saver, "_RecordLastCheckpoint", fail)
                monkeypatch.setattr(checkpoint_files, "fault", lambda prefix: "it ends too early")
            else:
                monkeypatch.setattr(checkpoint_management, "update_checkpoint_state_internal", fail)
            save()

    with pytest.raises(DataError, match=r"written to \S+: No space left on device; free some") as caught:
        slim_training.train(tf, slim, tmp_path, slim_training.Observer(act))
    monkeypatch.undo()
    assert "the checkpoint of step 4 cannot be written" in str(caught.value)
    assert not list(tmp_path.glob("*_temp_*"))
    if failing == "data":
        assert caught.value.consequence.endswith("is model.ckpt-2")
        assert [prefix.name for prefix in checkpoint_files.prefixes(tmp_path)] == ["model.ckpt-2"]
        assert not list(tmp_path.glob("model.ckpt-4.data*"))
    assert resume.find_readable(tmp_path)[0].name == "model.ckpt-2"
