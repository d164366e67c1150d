"""How much of the model a fine-tune checkpoint gives is printed; one that gives nothing is refused."""

from __future__ import annotations

import pytest

from scripts.lib.core.errors import DataError
from scripts.lib.training.hooks import restored_variables


@pytest.fixture
def restored(tf, monkeypatch):
    """Puts back what `install` replaces."""
    from object_detection.utils import variables_helper

    name = "get_variables_available_in_checkpoint"
    monkeypatch.setattr(variables_helper, name, getattr(variables_helper, name))


@pytest.fixture
def checkpoint(tf, tmp_path) -> str:
    """A checkpoint of a backbone, and of a head for 90 classes."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("Backbone/weights", [3, 4])
        tf.get_variable("Backbone/bias", [4])
        tf.get_variable("Head/weights", [4, 90])
        session.run(tf.global_variables_initializer())
        return tf.train.Saver().save(session, str(tmp_path / "model.ckpt"))


def model_variables(tf, **shapes):
    collections = [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES]
    return {name: tf.get_variable(name, shape, collections=collections) for name, shape in shapes.items()}


def test_says_how_much_of_the_model_the_checkpoint_gave(tf, restored, checkpoint, capsys):
    from object_detection.utils import variables_helper

    restored_variables.install()
    with tf.Graph().as_default():
        shapes = {"Backbone/weights": [3, 4], "Backbone/bias": [4], "Head/weights": [4, 6]}
        variables = model_variables(tf, **shapes)
        variables["Backbone/bias/Adam"] = tf.get_variable("slot", [4])  # no model variable: does not count
        available = variables_helper.get_variables_available_in_checkpoint(variables, checkpoint, False)
    assert set(available) == {"Backbone/weights", "Backbone/bias"}
    assert capsys.readouterr().out == f"Restored 2 of 3 variables from {checkpoint}; first missing: Head/weights\n"


def test_refuses_a_checkpoint_of_another_model(tf, restored, checkpoint):
    from object_detection.utils import variables_helper

    restored_variables.install()
    with tf.Graph().as_default(), pytest.raises(DataError, match="none of the 1 variables .* Other/weights"):
        variables_helper.get_variables_available_in_checkpoint(
            model_variables(tf, **{"Other/weights": [3, 4]}), checkpoint, False
        )
