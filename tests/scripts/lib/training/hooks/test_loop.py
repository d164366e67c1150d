"""The trainer's loop, on a graph of two variables: what it tells, when it saves, and how it ends."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core.errors import DataError
from scripts.lib.training import resume
from scripts.lib.training.hooks import loop
from scripts.lib.training.interruption import Interruption


@pytest.fixture
def slim(tf, monkeypatch):
    """tf-slim's training loop; puts back what `install` replaces."""
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


def test_each_step_is_told_with_its_loss_its_parts_and_the_learning_rate(tf, slim, tmp_path):
    observer = Observer()
    train(tf, slim, tmp_path, observer, num_steps=3)
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
    train(tf, slim, tmp_path, Observer(lambda *_: counts.append(len(calls))), num_steps=4)
    assert [later - earlier for earlier, later in zip(counts, counts[1:], strict=False)] == [1, 1, 1]


def test_saves_when_it_is_told_to_and_at_the_end_and_only_then(tf, slim, tmp_path):
    train(tf, slim, tmp_path, Observer(lambda step, save: save() and False if step.number == 2 else None), num_steps=5)
    assert [prefix.name for prefix in checkpoint_files.prefixes(tmp_path)] == ["model.ckpt-2", "model.ckpt-5"]
    assert checkpoint_files.fault(tmp_path / "model.ckpt-5") is None


def test_ends_when_it_is_told_to_with_a_checkpoint_and_goes_on_from_it(tf, slim, tmp_path):
    train(tf, slim, tmp_path, Observer(lambda step, save: step.number == 2))
    assert checkpoint_files.latest_step(tmp_path) == 2
    observer = Observer()
    train(tf, slim, tmp_path, observer, num_steps=4)
    assert [step.number for step in observer.steps] == [3, 4]
    assert observer.steps[0].loss == 0.25


def test_a_loss_that_is_no_number_names_the_parts_the_rate_and_the_images_and_changes_nothing(tf, slim, tmp_path):
    observer = Observer(lambda step, save: save() and False if step.number == 2 else None)
    with pytest.raises(loop.NonFiniteLossError) as caught:
        train(tf, slim, tmp_path, observer, loss_of=lambda x: x * x + tf.where(x < 1.0, float("nan"), 0.0))
    assert [step.number for step in observer.steps] == [1, 2]
    assert caught.value.losses == {"Loss/square": "nan", "total loss": "nan"}
    assert caught.value.learning_rate == "0.25"
    assert caught.value.filenames == ["a b.jpg", "größe.jpg"]
    assert checkpoint_files.latest_step(tmp_path) == 2


def test_variables_that_are_not_finite_are_not_saved(tf, slim, tmp_path):
    """The loss of a step may be finite, and its gradient not: the square root's at 0."""
    with pytest.raises(DataError, match="after step 1 the model's variables are not finite"):
        train(tf, slim, tmp_path, Observer(lambda step, save: step.number == 1), loss_of=lambda x: tf.sqrt(x - 2.0))
    assert not checkpoint_files.prefixes(tmp_path)


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
        train(tf, slim, tmp_path, Observer(act))
    monkeypatch.undo()
    assert "the checkpoint of step 4 cannot be written" in str(caught.value)
    assert not list(tmp_path.glob("*_temp_*"))
    if failing == "data":
        assert caught.value.consequence.endswith("is model.ckpt-2")
        assert [prefix.name for prefix in checkpoint_files.prefixes(tmp_path)] == ["model.ckpt-2"]
        assert not list(tmp_path.glob("model.ckpt-4.data*"))
    assert resume.find_readable(tmp_path).name == "model.ckpt-2"


def test_the_seed_is_the_graphs_before_its_first_random_number(tf, slim, monkeypatch):
    from object_detection.legacy import trainer

    monkeypatch.setattr(trainer, "create_input_queue", lambda number: (number, tf.get_default_graph().seed))
    for seed in (7, None):
        loop.install(Observer(), save_summaries_secs=60, seed=seed)
        with tf.Graph().as_default():
            assert trainer.create_input_queue(5) == (5, seed)


def test_a_signal_is_heeded_after_the_step_and_saves(tf, slim, tmp_path, capfd):
    interruption = Interruption()

    def act(step, save):
        if step.number == 3:
            signal.raise_signal(signal.SIGINT)
        return interruption.signal is not None

    with interruption.awaited():
        train(tf, slim, tmp_path, Observer(act))
    assert interruption.exit_status == 130
    assert checkpoint_files.latest_step(tmp_path) == 3
    assert "Ending after this step, with a checkpoint" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
