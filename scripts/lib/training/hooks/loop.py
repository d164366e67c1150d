"""Hook into the trainer's loop: an observer is told of each step, and decides when to save and when to end.

The trainer (object_detection/legacy/trainer.py) hands its graph to tf-slim's `learning.train`, which takes the step
function as an argument. Ours runs the session once a step, where tf-slim's runs it three times, and fetches the parts
of the loss and the learning rate beside the loss. It always fetches the same tensors, because TensorFlow optimises the
whole graph again for each new set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scripts.lib.object_detection_api.wrapping import wrap
from scripts.lib.training.hooks import step_tensors
from scripts.lib.training.hooks.saving import CheckpointGuard
from scripts.lib.training.hooks.step_tensors import StepTensors

if TYPE_CHECKING:
    from scripts.lib.training.observer import TrainingObserver

CHECKPOINT = "model.ckpt"  # the supervisor's name for checkpoints


class TrainingStep(NamedTuple):
    """The results of one training step.

    Attributes:
        number: the global step after it.
        loss: the total loss.
        losses: its parts by name, e.g. "Loss/classification_loss"; the mean over the clones.
        learning_rate: None where the optimizer has none of its own.
    """

    number: int
    loss: float
    losses: dict[str, float]
    learning_rate: float | None


def install(observer: TrainingObserver, save_summaries_secs: int, seed: int | None = None) -> None:
    """Tell `observer` of each step of the training.

    Args:
        observer: its `begin` gets whether this process saves checkpoints (is the chief), and a function that saves one
            now and returns its prefix; `after_step` returns whether the training ends, with a checkpoint.
        save_summaries_secs: seconds between two points of TensorBoard's curves (the trainer's own default: 120).
        seed: of the graph's random numbers; None: a new one in each run.

    The training then raises:
        NonFiniteLossError: the step changed no variable.
        DataError: a checkpoint could not be written.
    """
    from tf_slim import learning

    tensors = step_tensors.collect(seed)

    @wrap(learning, "train")
    def train(original, train_op, logdir, *, session_config, saver, is_chief=True, number_of_steps=None, **options):
        _optimize_graph_once(session_config)
        guard = CheckpointGuard(saver)
        options.update(
            session_config=session_config,
            saver=saver,
            is_chief=is_chief,
            number_of_steps=number_of_steps,
            train_step_fn=_step_function(observer, tensors, train_op, logdir, saver, is_chief, number_of_steps),
            train_step_kwargs={},
            save_summaries_secs=save_summaries_secs,
            save_interval_secs=0,  # the observer says when
        )
        loss = original(train_op, logdir, **options)
        if guard.failure:  # of the last checkpoint: the supervisor is stopping then, and swallows the exception
            raise guard.failure
        return loss


def _step_function(
    observer: TrainingObserver,
    tensors: StepTensors,
    train_op,
    logdir: str,
    saver,
    is_chief: bool,
    num_steps: int | None,
):
    """Return the function that tf-slim's loop calls for each step: (session, ...) -> (loss, whether to end)."""
    import tensorflow.compat.v1 as tf

    global_step = tf.train.get_global_step()
    with tf.control_dependencies([train_op]):
        step_after = tf.identity(global_step.read_value())
    names = list(tensors.losses)
    fetches = [train_op, step_after, *tensors.losses.values(), *tensors.learning_rates[:1]]
    session = None

    def save() -> str:
        return saver.save(session, f"{logdir}/{CHECKPOINT}", global_step=global_step)

    def do_step(current_session, *_):
        nonlocal session
        if session is None:
            observer.begin(is_chief, save)
        session = current_session
        try:
            loss, number, *values = map(float, session.run(fetches))
        except tf.errors.InvalidArgumentError as error:
            raise step_tensors.non_finite_loss(error) or error from None
        learning_rate = values.pop() if tensors.learning_rates else None
        step = TrainingStep(int(number), loss, dict(zip(names, values, strict=True)), learning_rate)
        ends = observer.after_step(step)
        return step.loss, ends or bool(num_steps and step.number >= num_steps)

    return do_step


def _optimize_graph_once(session_config) -> None:
    """Let TensorFlow optimise the graph in one pass instead of two, which finds the same.

    The first step took 13.7 instead of 17.0 to 21.3 s of CPU, the later ones as long as before (SSD at 128x128, batch
    24, two cores). Without any pass the first took 7.4 s, and each later step 5% more.
    """
    from tensorflow.core.protobuf import rewriter_config_pb2

    session_config.graph_options.rewrite_options.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
