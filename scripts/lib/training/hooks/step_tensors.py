"""Hooks into the trainer's graph: the tensors that describe a step, and a check that its loss is finite."""

from __future__ import annotations

import base64
import re

from scripts.lib.object_detection_api.wrapping import wrap

_MARK = "loss-is-not-finite"
_MESSAGE = re.compile(rf"\[{_MARK}\] *\[([^\]]*)\] *\[(\d+)\]")


class NonFiniteLossError(Exception):
    """The loss is infinite or not a number.

    Attributes:
        losses: name -> number as text.
        learning_rate: as text, or None.
        filenames: of the images of the step's batch.
    """

    def __init__(self, losses: dict[str, str], learning_rate: str | None, filenames: list[str]):
        super().__init__("the loss is infinite or not a number")
        self.losses, self.learning_rate, self.filenames = losses, learning_rate, filenames


class StepTensors:
    """Tensors that the trainer's functions do not hand on; filled while it builds its graph."""

    def __init__(self) -> None:
        self.filenames: list = []
        self.learning_rates: list = []
        self.losses: dict[str, object] = {}


def collect(seed: int | None) -> StepTensors:
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


def _update_only_with_finite_loss(total_loss, gradients_and_variables, tensors: StepTensors):
    """Make the gradients wait for a check of the loss. Nothing waits for the trainer's own check.

    The assertion's message holds all that the user needs to know, so that nothing is fetched for it.
    """
    import tensorflow.compat.v1 as tf

    named = {**tensors.losses, "total loss": total_loss}
    if tensors.learning_rates:
        named["learning rate"] = tensors.learning_rates[0]
    numbers = [tf.strings.join([f"{name}=", tf.as_string(value, shortest=True)]) for name, value in named.items()]
    texts = tf.stack([*numbers, *(tf.reshape(name, []) for name in tensors.filenames)])
    message = tf.strings.reduce_join(tf.io.encode_base64(texts), separator=" ")
    data = [_MARK, message, tf.constant(len(numbers))]
    with tf.control_dependencies([tf.Assert(tf.math.is_finite(total_loss), data, name="finite_loss")]):
        guarded = [
            (tf.identity(gradient) if isinstance(gradient, tf.Tensor) else gradient, variable)
            for gradient, variable in gradients_and_variables
        ]
        return tf.identity(total_loss), guarded


def non_finite_loss(error: Exception) -> NonFiniteLossError | None:
    """Return what the assertion's message says, or None where the error is another one."""
    found = _MESSAGE.search(str(error).replace('"', "").replace("\n", " "))
    if not found:
        return None
    encoded = (word + "=" * (-len(word) % 4) for word in found[1].split())
    words = [base64.urlsafe_b64decode(word).decode(errors="replace") for word in encoded]
    num_numbers = int(found[2])
    numbers = dict(word.rsplit("=", 1) for word in words[:num_numbers])
    learning_rate = numbers.pop("learning rate", None)
    return NonFiniteLossError(numbers, learning_rate, words[num_numbers:])


def _losses_by_name(clones) -> dict:
    """Return the model's losses, each the mean over the clones, and the regularization loss."""
    import tensorflow.compat.v1 as tf

    by_name: dict[str, list] = {}
    for clone in clones:
        for loss in tf.get_collection(tf.GraphKeys.LOSSES, clone.scope):
            by_name.setdefault(loss.op.name.removeprefix(clone.scope), []).append(loss)
    losses = {name: tf.add_n(values) / len(values) for name, values in by_name.items()}
    operations = {operation.name: operation for operation in tf.get_default_graph().get_operations()}
    if regularization := operations.get(f"{clones[0].scope}regularization_loss"):
        losses["regularization_loss"] = regularization.outputs[0]
    return losses
