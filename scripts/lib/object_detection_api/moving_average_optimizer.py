"""The optimizer wrapper of the former `tensorflow.contrib.opt`, by TensorFlow's own moving averages."""

from __future__ import annotations

import tensorflow.compat.v1 as tf


class MovingAverageOptimizer(tf.train.Optimizer):
    """Keeps an exponential moving average of every trainable variable beside what another optimizer does.

    After each update, with decay d and variable w: average <- d * average + (1 - d) * w
    (Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992), by
    `tf.train.ExponentialMovingAverage`. The averages are variables named `<variable>/ExponentialMovingAverage`,
    which the API's evaluator and exporter read where `eval_config.use_moving_averages` is set.

    Two things differ from the contrib class, and the API needs both:
    - Every trainable variable has an average, frozen ones too: the evaluator looks for all of them.
    - The averages start at the variables' values after the first update. At initialisation they would be a second draw
      of the random initializer, and would miss the fine-tune checkpoint, which is restored afterwards.

    Args:
        opt: the optimizer that computes and applies the gradients.
        average_decay: the decay d, in (0, 1).
    """

    def __init__(self, opt: tf.train.Optimizer, average_decay: float = 0.9999):
        super().__init__(use_locking=False, name="MovingAverage")
        self._optimizer = opt
        self._ema = tf.train.ExponentialMovingAverage(average_decay)

    def compute_gradients(self, *args, **kwargs):
        return self._optimizer.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        """Return the operation that applies the gradients, then updates the averages."""
        step = tf.train.get_or_create_global_step() if global_step is None else global_step
        update = self._optimizer.apply_gradients(grads_and_vars, global_step=step)
        with tf.control_dependencies([update]):
            is_first = tf.equal(step.read_value(), 1)
            averages = tf.train.ExponentialMovingAverage(tf.where(is_first, 0.0, self._ema._decay))
            return tf.group(averages.apply(tf.trainable_variables()), name=name or "update_with_averages")
