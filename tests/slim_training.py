"""The trainer's loop with its hooks, on a graph of one variable."""

from __future__ import annotations

from types import SimpleNamespace

from scripts.lib.training import loop


def restore_afterwards(monkeypatch):
    """Has pytest put back the functions that the loop's hooks replace; returns tf-slim's training loop."""
    from deployment import model_deploy
    from object_detection.builders import optimizer_builder
    from object_detection.core import batcher
    from object_detection.legacy import trainer
    from tf_slim import learning

    for owner, name in (
        (learning, "train"),
        (model_deploy, "optimize_clones"),
        (optimizer_builder, "build"),
        (batcher.BatchQueue, "dequeue"),
        (trainer, "create_input_queue"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    return learning


class Observer:
    """Keeps what it is told; does what the test says after each step."""

    def __init__(self, act=lambda step, save: None):
        self.steps: list[loop.Step] = []
        self.act = act

    def begin(self, is_chief, save):
        assert is_chief
        self.save = save

    def after_step(self, step):
        self.steps.append(step)
        return bool(self.act(step, self.save))


def train(tf, slim, folder, observer, num_steps=6, loss_of=lambda x: x * x, learning_rate=0.25):
    """Minimises loss_of(x), x starting at 2, by the functions of the API that the trainer calls."""
    from deployment import model_deploy
    from object_detection.builders import optimizer_builder
    from object_detection.protos import optimizer_pb2

    loop.install(observer, save_summaries_secs=60)
    with tf.Graph().as_default() as graph:
        step = tf.train.get_or_create_global_step()
        x = tf.get_variable("x", initializer=2.0)
        tf.losses.add_loss(tf.identity(loss_of(x), name="Loss/square"))
        queue = SimpleNamespace(dequeue=None)
        names = [{"filename": tf.constant(name)} for name in ("a b.jpg", "größe.jpg")]
        keep_names(queue, names)
        config = optimizer_pb2.Optimizer(use_moving_average=False)
        config.momentum_optimizer.momentum_optimizer_value = 0.0
        config.momentum_optimizer.learning_rate.constant_learning_rate.learning_rate = learning_rate
        optimizer, _ = optimizer_builder.build(config)
        clones = [model_deploy.Clone(outputs=None, scope="", device="")]
        loss, gradients = model_deploy.optimize_clones(clones, optimizer, regularization_losses=[])
        update = optimizer.apply_gradients(gradients, global_step=step)
        with tf.control_dependencies([update]):
            train_op = tf.identity(loss, name="train_op")
        slim.train(
            train_op,
            logdir=str(folder),
            session_config=tf.ConfigProto(),
            graph=graph,
            number_of_steps=num_steps,
            saver=tf.train.Saver(max_to_keep=3),
            summary_op=None,
            save_summaries_secs=120,
        )


def keep_names(queue, images):
    """Has the wrapped `BatchQueue.dequeue` take the names of these images."""
    from object_detection.core import batcher

    function = batcher.BatchQueue.dequeue
    inner = function.__wrapped__
    cell = next(cell for cell in function.__closure__ if cell.cell_contents is inner)
    cell.cell_contents = lambda _: images
    try:
        function(queue)
    finally:
        cell.cell_contents = inner
