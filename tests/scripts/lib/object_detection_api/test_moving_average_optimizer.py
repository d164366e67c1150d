"""The moving averages: their values, where they start, and what the evaluator reads of them."""

from __future__ import annotations

import pytest

LEARNING_RATE, DECAY = 0.5, 0.9
GRADIENTS = [1.0, -2.0, 0.5, 3.0]


def train(tf, checkpoint=None, restored_value=None):
    """Gradient descent with known gradients on one variable that starts at 1, beside one that is frozen at 7.

    Returns the values of the variable after each step, and those of the averages of both.
    """
    from scripts.lib.object_detection_api.moving_average_optimizer import MovingAverageOptimizer

    with tf.Graph().as_default(), tf.Session() as session:
        weight = tf.get_variable("weight", initializer=1.0)
        tf.get_variable("frozen", initializer=7.0)
        gradient = tf.placeholder(tf.float32, [])
        optimizer = MovingAverageOptimizer(tf.train.GradientDescentOptimizer(LEARNING_RATE), DECAY)
        step = tf.train.get_or_create_global_step()
        update = optimizer.apply_gradients([(gradient, weight)], global_step=step)
        shadows = {variable.op.name: variable for variable in tf.global_variables()}
        session.run(tf.global_variables_initializer())
        if restored_value is not None:  # as the trainer restores a fine-tune checkpoint: after the initialisation
            weight.load(restored_value, session)
        weights, averages, frozen = [], [], []
        for value in GRADIENTS:
            session.run(update, {gradient: value})
            weights.append(session.run(weight))
            averages.append(session.run(shadows["weight/ExponentialMovingAverage"]))
            frozen.append(session.run(shadows["frozen/ExponentialMovingAverage"]))
        if checkpoint:
            tf.train.Saver().save(session, str(checkpoint), global_step=step)
    return weights, averages, frozen


def closed_form(weights):
    """a_1 = w_1, a_n = d^(n-1) w_1 + (1 - d) (d^(n-2) w_2 + ... + w_n)."""
    n = len(weights)
    return DECAY ** (n - 1) * weights[0] + (1 - DECAY) * sum(DECAY ** (n - k) * weights[k - 1] for k in range(2, n + 1))


def test_averages_equal_the_closed_form(tf):
    weights, averages, _ = train(tf)
    assert weights == pytest.approx([0.5, 1.5, 1.25, -0.25])
    assert averages == pytest.approx([closed_form(weights[:n]) for n in range(1, len(weights) + 1)])


def test_averages_start_where_the_fine_tune_checkpoint_starts(tf):
    weights, averages, _ = train(tf, restored_value=100.0)
    assert averages[0] == pytest.approx(weights[0]) == pytest.approx(99.5)


def test_frozen_variables_are_averaged_too(tf):
    assert train(tf)[2] == pytest.approx([7.0] * len(GRADIENTS))


def test_the_evaluators_saver_reads_the_averages(tf, tmp_path):
    """As legacy/evaluator.py does where `use_moving_averages` is set."""
    _, averages, _ = train(tf, checkpoint=tmp_path / "model.ckpt")
    with tf.Graph().as_default(), tf.Session() as session:
        weight = tf.get_variable("weight", initializer=0.0)
        tf.get_variable("frozen", initializer=0.0)
        tf.train.Saver(tf.train.ExponentialMovingAverage(0.0).variables_to_restore()).restore(
            session, tf.train.latest_checkpoint(str(tmp_path))
        )
        assert session.run(weight) == pytest.approx(averages[-1])
