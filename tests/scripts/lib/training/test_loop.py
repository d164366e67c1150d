"""The trainer's loop: what the observer is told, and how it ends the training."""

from __future__ import annotations

import signal

import pytest

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.training import loop
from scripts.lib.training.observer import Interruption
from tests import slim_training


@pytest.fixture
def slim(tf, monkeypatch):
    return slim_training.restore_afterwards(monkeypatch)


def test_each_step_is_told_with_its_loss_its_parts_and_the_learning_rate(tf, slim, tmp_path):
    observer = slim_training.Observer()
    slim_training.train(tf, slim, tmp_path, observer, num_steps=3)
    assert [step.number for step in observer.steps] == [1, 2, 3]
    assert [step.loss for step in observer.steps] == [4.0, 1.0, 0.25]
    assert observer.steps[1].losses == {"Loss/square": 1.0}
    assert observer.steps[1].learning_rate == 0.25


def test_a_step_is_one_call_of_the_session(tf, slim, tmp_path, monkeypatch):
    calls = []
    original = tf.Session.run
    monkeypatch.setattr(
        tf.Session, "run", lambda self, *args, **kwargs: calls.append(1) or original(self, *args, **kwargs)
    )
    counts = []
    slim_training.train(tf, slim, tmp_path, slim_training.Observer(lambda *_: counts.append(len(calls))), num_steps=4)
    assert [later - earlier for earlier, later in zip(counts, counts[1:], strict=False)] == [1, 1, 1]


def test_ends_when_it_is_told_to_with_a_checkpoint_and_goes_on_from_it(tf, slim, tmp_path):
    slim_training.train(tf, slim, tmp_path, slim_training.Observer(lambda step, save: step.number == 2))
    assert checkpoint_files.latest_step(tmp_path) == 2
    observer = slim_training.Observer()
    slim_training.train(tf, slim, tmp_path, observer, num_steps=4)
    assert [step.number for step in observer.steps] == [3, 4]
    assert observer.steps[0].loss == 0.25


def test_a_signal_is_heeded_after_the_step_and_saves(tf, slim, tmp_path, capfd):
    interruption = Interruption()

    def act(step, save):
        if step.number == 3:
            signal.raise_signal(signal.SIGINT)
        return interruption.signal is not None

    with interruption.awaited():
        slim_training.train(tf, slim, tmp_path, slim_training.Observer(act))
    assert interruption.exit_status == 130
    assert checkpoint_files.latest_step(tmp_path) == 3
    assert "Ending after this step, with a checkpoint" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_loss_that_is_no_number_names_the_parts_the_rate_and_the_images_and_changes_nothing(tf, slim, tmp_path):
    observer = slim_training.Observer(lambda step, save: save() and False if step.number == 2 else None)
    with pytest.raises(loop.NonFiniteLossError) as caught:
        slim_training.train(
            tf, slim, tmp_path, observer, loss_of=lambda x: x * x + tf.where(x < 1.0, float("nan"), 0.0)
        )
    assert [step.number for step in observer.steps] == [1, 2]
    numbers, filenames = str(caught.value).splitlines()
    assert numbers == "  Loss/square nan, total loss nan, learning rate 0.25"
    assert filenames == "  images of the batch: a b.jpg, größe.jpg"
    assert checkpoint_files.latest_step(tmp_path) == 2


def test_the_seed_is_the_graphs_before_its_first_random_number(tf, slim, monkeypatch):
    from object_detection.legacy import trainer

    monkeypatch.setattr(trainer, "create_input_queue", lambda number: (number, tf.get_default_graph().seed))
    for seed in (7, None):
        loop.collect_tensors(seed)
        with tf.Graph().as_default():
            assert trainer.create_input_queue(5) == (5, seed)
