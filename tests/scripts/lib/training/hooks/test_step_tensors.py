"""The tensors of a step: the seed, and a loss that is not finite."""

from __future__ import annotations

import pytest

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.training.hooks import step_tensors
from tests import slim_training


@pytest.fixture
def slim(tf, monkeypatch):
    return slim_training.restore_afterwards(monkeypatch)


def test_a_loss_that_is_no_number_names_the_parts_the_rate_and_the_images_and_changes_nothing(tf, slim, tmp_path):
    observer = slim_training.Observer(lambda step, save: save() and False if step.number == 2 else None)
    with pytest.raises(step_tensors.NonFiniteLossError) as caught:
        slim_training.train(
            tf, slim, tmp_path, observer, loss_of=lambda x: x * x + tf.where(x < 1.0, float("nan"), 0.0)
        )
    assert [step.number for step in observer.steps] == [1, 2]
    assert caught.value.losses == {"Loss/square": "nan", "total loss": "nan"}
    assert caught.value.learning_rate == "0.25"
    assert caught.value.filenames == ["a b.jpg", "größe.jpg"]
    assert checkpoint_files.latest_step(tmp_path) == 2


def test_the_seed_is_the_graphs_before_its_first_random_number(tf, slim, monkeypatch):
    from object_detection.legacy import trainer

    monkeypatch.setattr(trainer, "create_input_queue", lambda number: (number, tf.get_default_graph().seed))
    for seed in (7, None):
        step_tensors.collect(seed)
        with tf.Graph().as_default():
            assert trainer.create_input_queue(5) == (5, seed)
