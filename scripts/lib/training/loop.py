"""Hook into the trainer's loop: an observer is told of each step, and decides when to save and when to end.

The trainer (object_detection/legacy/trainer.py) hands its graph to tf-slim's `learning.train`, which takes the step
function as an argument. Ours runs the session once a step, where tf-slim's runs it three times, and fetches the parts
of the loss and the learning rate beside the loss. It always fetches the same tensors, because TensorFlow optimises the
whole graph again for each new set.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, NamedTuple

from scripts.lib.object_detection_api.hooks import wrap
from scripts.lib.training.saving import CheckpointGuard

if TYPE_CHECKING:
    from scripts.lib.training.observer import TrainingObserver

CHECKPOINT = "model.ckpt"  # the supervisor's name for checkpoints
_MARK = "loss-is-not-finite"
_MESSAGE = re.compile(rf"\[{_MARK}\] *\[([^\]]*)\] *\[(\d+)\]")


class TrainingStep(NamedTuple):
    """The results of one training step."""

    number: int  # the global step after it
    loss: float  # the total loss
    losses: dict[str, float]  # its parts by name, e.g. "Loss/classification_loss"; the mean over the clones
    learning_rate: float | None  # None where the optimizer has none of its own


class NonFiniteLossError(Exception):
    """The loss is infinite or not a number; the text has its parts, the learning rate, and the batch's file names."""


class StepTensors:
    """Tensors that the trainer's functions do not hand on; filled while it builds its graph."""

    def __init__(self) -> None:
        self.filenames: list = []
        self.learning_rates: list = []
        self.losses: dict[str, object] = {}


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
    from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
    from tf_slim import learning

    tensors = collect_tensors(seed)

    @wrap(learning, "train")
    def train(original, train_op, logdir, *, session_config, saver, is_chief=True, number_of_steps=None, **options):
        # In one pass instead of two, which finds the same: the first step took 13.7 instead of 17 to 21 s of CPU.
        session_config.graph_options.rewrite_options.meta_optimizer_iterations = RewriterConfig.ONE
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


def collect_tensors(seed: int | None) -> StepTensors:
    """Seed the graph before its first random number, and collect the tensors of a step while it is built."""
    import tensorflow.compat.v1 as tf
    from deployment import model_deploy
    from object_detection.builders import optimizer_builder
    from object_detection.core import batcher
    from object_detection.legacy import trainer

    tensors = StepTensors()

    @wrap(trainer, "create_input_queue")
    def create_seeded_queue(original, *args, **kwargs):
        if seed is not None:
            tf.set_random_seed(seed)
        return original(*args, **kwargs)

    @wrap(batcher.BatchQueue, "dequeue")
    def dequeue(original, queue):
        images = original(queue)
        tensors.filenames += [image["filename"] if "filename" in image else image["source_id"] for image in images]
        return images

    @wrap(optimizer_builder, "build")
    def build_optimizer(original, *args, **kwargs):
        optimizer, tensors.learning_rates = original(*args, **kwargs)
        return optimizer, tensors.learning_rates

    @wrap(model_deploy, "optimize_clones")
    def optimize_clones(original, clones, *args, **kwargs):
        total_loss, gradients_and_variables = original(clones, *args, **kwargs)
        tensors.losses = _losses_by_name(clones)
        return _update_only_with_finite_loss(total_loss, gradients_and_variables, tensors)

    return tensors


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
            raise _non_finite_loss(error) or error from None
        learning_rate = values.pop() if tensors.learning_rates else None
        step = TrainingStep(int(number), loss, dict(zip(tensors.losses, values, strict=True)), learning_rate)
        ends = observer.after_step(step)
        return step.loss, ends or bool(num_steps and step.number >= num_steps)

    return do_step


def _losses_by_name(clones) -> dict:
    """Return the model's losses, each the mean over the clones, and the regularization loss."""
    import tensorflow.compat.v1 as tf

    by_name: dict[str, list] = {}
    for clone in clones:
        for loss in tf.get_collection(tf.GraphKeys.LOSSES, clone.scope):
            by_name.setdefault(loss.op.name.removeprefix(clone.scope), []).append(loss)
    losses = {name: tf.add_n(values) / len(values) for name, values in by_name.items()}
    for operation in tf.get_default_graph().get_operations():
        if operation.name == f"{clones[0].scope}regularization_loss":
            losses["regularization_loss"] = operation.outputs[0]
    return losses


def _update_only_with_finite_loss(total_loss, gradients_and_variables, tensors: StepTensors):
    """Make the gradients wait for a check of the loss. Nothing waits for the trainer's own check.

    The assertion's message holds all that the user needs to know, so that nothing is fetched for it.
    """
    import tensorflow.compat.v1 as tf

    named = {**tensors.losses, "total loss": total_loss}
    if tensors.learning_rates:
        named["learning rate"] = tensors.learning_rates[0]
    numbers = [tf.strings.join([f"{name} ", tf.as_string(value, shortest=True)]) for name, value in named.items()]
    texts = tf.stack([*numbers, *(tf.reshape(name, []) for name in tensors.filenames)])
    message = tf.strings.reduce_join(tf.io.encode_base64(texts), separator=" ")
    data = [_MARK, message, tf.constant(len(numbers))]
    with tf.control_dependencies([tf.Assert(tf.math.is_finite(total_loss), data, name="finite_loss")]):
        guarded = [
            (tf.identity(gradient) if isinstance(gradient, tf.Tensor) else gradient, variable)
            for gradient, variable in gradients_and_variables
        ]
        return tf.identity(total_loss), guarded


def _non_finite_loss(error: Exception) -> NonFiniteLossError | None:
    """Return what the assertion's message says, or None where the error is another one."""
    found = _MESSAGE.search(str(error).replace('"', "").replace("\n", " "))
    if not found:
        return None
    encoded = (word + "=" * (-len(word) % 4) for word in found[1].split())
    words = [base64.urlsafe_b64decode(word).decode(errors="replace") for word in encoded]
    num_numbers = int(found[2])
    numbers, filenames = ", ".join(words[:num_numbers]), ", ".join(words[num_numbers:])
    return NonFiniteLossError(f"  {numbers}\n  images of the batch: {filenames}")
