"""The trainer's loop of steps: what each step gave is told, and when it saves and ends is decided by us.

The trainer (object_detection/legacy/trainer.py) hands its graph to tf-slim's `learning.train`, whose step function is
an argument. Ours runs the session once a step, where tf-slim's runs it three times, and fetches beside the loss what
the step has computed anyway: the parts of the loss and the learning rate. Always the same tensors, since TensorFlow
optimises the whole graph anew for each set of them.
"""

from __future__ import annotations

import base64
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.object_detection_api.wrapping import wrap
from scripts.lib.training import resume

CHECKPOINT = "model.ckpt"  # the supervisor's name for checkpoints


class Step(NamedTuple):
    """What a step of the training gave.

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


class Observer(Protocol):
    """Who is told of the steps."""

    def begin(self, is_chief: bool, save: Callable[[], str]) -> None:
        """The first step is about to be done.

        Args:
            is_chief: whether this replica saves checkpoints.
            save: saves one now, unless there is one of this step; returns its prefix. For the chief alone.
        """

    def after_step(self, step: Step) -> bool:
        """Returns whether the training is to end here; the trainer then saves a checkpoint, if it is the chief."""


class NonFiniteLossError(Exception):
    """The loss is infinite or not a number.

    Attributes:
        losses: as the graph computed them: name -> number as text.
        learning_rate: as text, or None.
        filenames: of the images of the step's batch.
    """

    def __init__(self, losses: dict[str, str], learning_rate: str | None, filenames: list[str]):
        super().__init__("the loss is infinite or not a number")
        self.losses, self.learning_rate, self.filenames = losses, learning_rate, filenames


class _Parts:
    """Tensors of the trainer's graph that its functions do not hand on."""

    def __init__(self) -> None:
        self.filenames: list = []
        self.learning_rates: list = []
        self.losses: dict[str, object] = {}


def install(observer: Observer, save_summaries_secs: int, seed: int | None = None) -> None:
    """Has `observer` told of the training's steps. Call it when `object_detection` can be imported.

    Args:
        observer: is told, and decides.
        save_summaries_secs: time between two points of TensorBoard's curves; the trainer's 120 leave a short run two.
        seed: of the graph's random numbers; None: another one each time.

    The training raises:
        NonFiniteLossError: the variables were not changed by that step.
        DataError: a checkpoint could not be written.
    """
    from tf_slim import learning

    parts = _Parts()
    _seed_and_keep_filenames(parts, seed)
    _keep_learning_rate(parts)
    _guard_updates(parts)

    @wrap(learning, "train")
    def train(original, train_op, logdir, *, session_config, saver, is_chief=True, number_of_steps=None, **options):
        _optimise_once(session_config)
        failures = _guard_saving(saver)
        options.update(
            train_step_fn=_step_function(observer, parts, train_op, logdir, saver, is_chief, number_of_steps),
            train_step_kwargs={},
            save_summaries_secs=save_summaries_secs,
            save_interval_secs=0,  # the observer says when
        )
        loss = original(
            train_op,
            logdir,
            session_config=session_config,
            saver=saver,
            is_chief=is_chief,
            number_of_steps=number_of_steps,
            **options,
        )
        if failures:  # of the last checkpoint: the supervisor, asked to stop before, keeps the exception to itself
            raise failures[0]
        return loss


# ------------------------------------------------------------------------------------------------------------ a step


def _step_function(observer: Observer, parts: _Parts, train_op, logdir: str, saver, is_chief: bool, num_steps):
    """The function that tf-slim's loop calls for each step: (session, ...) -> (loss, whether to end)."""
    import tensorflow.compat.v1 as tf

    global_step = tf.train.get_global_step()
    with tf.control_dependencies([train_op]):
        step_after = tf.identity(global_step.read_value())
    fetches = [train_op, step_after, *parts.losses.values(), *parts.learning_rates[:1]]
    names = list(parts.losses)
    prefix = f"{logdir}/{CHECKPOINT}"
    session = None

    def save() -> str:
        return saver.save(session, prefix, global_step=global_step)

    def do_step(current_session, *_):
        nonlocal session
        if session is None:
            observer.begin(is_chief, save)
        session = current_session
        try:
            loss, number, *values = map(float, session.run(fetches))
        except tf.errors.InvalidArgumentError as error:
            raise _non_finite(error) or error from None
        losses = dict(zip(names, values, strict=False))
        step = Step(int(number), loss, losses, values[len(names)] if len(values) > len(names) else None)
        ends = observer.after_step(step)
        return step.loss, ends or bool(num_steps and step.number >= num_steps)

    return do_step


def _optimise_once(session_config) -> None:
    """TensorFlow goes over the graph twice to optimise it before the first step. Once finds the same.

    The first step took 13.7 instead of 17.0 to 21.3 s of CPU, the later ones as long as before (SSD at 128x128, batch
    24, two cores; not at all: 7.4 s, and each later step 5% more).
    """
    from tensorflow.core.protobuf import rewriter_config_pb2

    session_config.graph_options.rewrite_options.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE


# ----------------------------------------------------------------------------------------- what the graph is made of


def _seed_and_keep_filenames(parts: _Parts, seed: int | None) -> None:
    """Seeds the graph before its first random number, and keeps the names of the images of each batch."""
    import tensorflow.compat.v1 as tf
    from object_detection.core import batcher
    from object_detection.legacy import trainer

    @wrap(trainer, "create_input_queue")
    def create_seeded(create, *args, **kwargs):
        if seed is not None:
            tf.set_random_seed(seed)
        return create(*args, **kwargs)

    @wrap(batcher.BatchQueue, "dequeue")
    def dequeue_and_keep(dequeue, queue):
        images = dequeue(queue)
        parts.filenames += [image["filename"] if "filename" in image else image["source_id"] for image in images]
        return images


def _keep_learning_rate(parts: _Parts) -> None:
    from object_detection.builders import optimizer_builder

    @wrap(optimizer_builder, "build")
    def build_and_keep(build, *args, **kwargs):
        optimizer, learning_rates = build(*args, **kwargs)
        parts.learning_rates = learning_rates
        return optimizer, learning_rates


def _guard_updates(parts: _Parts) -> None:
    """Ends the run before a loss that is no number gets into the variables, and says what it was computed from.

    The trainer has a check of its own, yet nothing waits for it: the variables may be changed first. Here the gradients
    wait for the loss. The assertion's message holds all that is to be known, so that nothing is fetched for it.
    """
    import tensorflow.compat.v1 as tf
    from deployment import model_deploy

    @wrap(model_deploy, "optimize_clones")
    def optimize_clones_guarded(original, clones, *args, **kwargs):
        total_loss, gradients_and_variables = original(clones, *args, **kwargs)
        parts.losses = _losses_by_name(clones)
        named = {**parts.losses, "total loss": total_loss}
        if parts.learning_rates:
            named["learning rate"] = parts.learning_rates[0]
        numbers = [tf.strings.join([f"{name}=", tf.as_string(value, shortest=True)]) for name, value in named.items()]
        texts = tf.stack([*numbers, *(tf.reshape(name, []) for name in parts.filenames)])
        message = tf.strings.reduce_join(tf.io.encode_base64(texts), separator=" ")
        data = [_MARK, message, tf.constant(len(numbers))]
        with tf.control_dependencies([tf.Assert(tf.math.is_finite(total_loss), data, name="finite_loss")]):
            total_loss = tf.identity(total_loss)
            guarded = [(_identity(gradient), variable) for gradient, variable in gradients_and_variables]
        return total_loss, guarded

    def _identity(gradient):
        return tf.identity(gradient) if isinstance(gradient, tf.Tensor) else gradient


_MARK = "loss-is-not-finite"
_MESSAGE = re.compile(rf"\[{_MARK}\] *\[([^\]]*)\] *\[(\d+)\]")


def _non_finite(error: Exception) -> NonFiniteLossError | None:
    """What the assertion says, or None where the error is another one."""
    found = _MESSAGE.search(str(error).replace('"', "").replace("\n", " "))
    if not found:
        return None
    encoded = (word + "=" * (-len(word) % 4) for word in found[1].split())
    words = [base64.urlsafe_b64decode(word).decode(errors="replace") for word in encoded]
    numbers = dict(word.rsplit("=", 1) for word in words[: int(found[2])])
    learning_rate = numbers.pop("learning rate", None)
    return NonFiniteLossError(numbers, learning_rate, words[int(found[2]) :])


def _losses_by_name(clones) -> dict:
    """The parts of the loss: those of the model, each the mean over the clones, and the regularisation."""
    import tensorflow.compat.v1 as tf

    by_name: dict[str, list] = {}
    for clone in clones:
        for loss in tf.get_collection(tf.GraphKeys.LOSSES, clone.scope):
            by_name.setdefault(loss.op.name.removeprefix(clone.scope), []).append(loss)
    losses = {name: tf.add_n(values) / len(values) for name, values in by_name.items()}
    name = f"{clones[0].scope}regularization_loss"
    operations = {operation.name: operation for operation in tf.get_default_graph().get_operations()}
    if name in operations:
        losses["regularization_loss"] = operations[name].outputs[0]
    return losses


# ------------------------------------------------------------------------------------------------------- checkpoints


def _guard_saving(saver) -> list[DataError]:
    """Checkpoints are written once a step, hold finite numbers alone, and where that fails it is said in a sentence.

    Returns:
        The errors that saving will have raised: the disk is full, the folder cannot be written to, or a variable is not
        finite.
    """
    import tensorflow.compat.v1 as tf

    floats = [variable for variable in tf.global_variables() if variable.dtype.base_dtype.is_floating]
    all_finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(variable)) for variable in floats]) if floats else None
    original = saver.save
    saved: list[str] = []
    failures: list[DataError] = []

    def save(session, save_path, global_step=None, **options) -> str:
        try:
            return save_or_say(session, save_path, global_step, **options)
        except DataError as error:
            failures.append(error)
            raise

    def save_or_say(session, save_path, global_step=None, **options) -> str:
        step = tf.train.global_step(session, global_step)
        prefix = f"{save_path}-{step}"
        if saved == [prefix]:
            return prefix
        folder = files.shown_path(Path(prefix).parent) if not files.is_url(prefix) else prefix.rpartition("/")[0]
        if all_finite is not None and not session.run(all_finite):
            raise DataError(
                [
                    f"after step {step} the model's variables are not finite, though its loss was: the gradients were "
                    "not; try a tenth of the learning rate, or gradient_clipping_by_norm: 10 in train_config"
                ],
                f"they were not saved; {_last_good(saver, folder)}",
            )
        try:
            original(session, save_path, global_step=step, **options)
        except (tf.errors.OpError, OSError) as error:
            _remove_failed(prefix)
            raise DataError(
                [
                    f"the checkpoint of step {step} cannot be written to {folder}: {_reason(error)}; free some disk "
                    "space, or see that the folder can be written to, and run the same command again"
                ],
                _last_good(saver, folder),
            ) from error
        saved[:] = [prefix]
        return prefix

    saver.save = save
    return failures


def _reason(error: Exception) -> str:
    """What the operating system said, which TensorFlow wraps in a page about the graph."""
    text = getattr(error, "message", None) or str(error)
    names = ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "ENOENT", "EIO")
    known = [os.strerror(getattr(errno, name)) for name in names if hasattr(errno, name)]
    said = [line for line in text.splitlines() if line.strip() and "Graph execution error" not in line]
    return next((reason for reason in known if reason in text), said[0] if said else type(error).__name__)


def _last_good(saver, folder: str) -> str:
    there = [Path(path).name for path in saver.last_checkpoints if files.is_url(path) or checkpoint_files.exists(path)]
    return f"the last good checkpoint in {folder} is {there[-1]}" if there else f"{folder} holds no checkpoint"


def _remove_failed(prefix: str) -> None:
    """Removes what was written of a checkpoint that failed; on a full disk that is what matters."""
    if files.is_url(prefix):
        return
    path = Path(prefix)
    resume.remove_half_written(path.parent)
    if checkpoint_files.fault(path):
        for part in (*path.parent.glob(f"{path.name}.data-*"), *path.parent.glob(f"{path.name}.index")):
            part.unlink(missing_ok=True)
