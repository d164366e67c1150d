"""Set values of a pipeline config, and with them the values that depend on them."""

from __future__ import annotations

from google.protobuf.message import Message

from scripts.lib.config import pipeline_config
from scripts.lib.core.errors import UsageError


def set_num_steps(config: Message, num_steps: int) -> None:
    """Set the number of training steps; a learning rate schedule that ended with the training still does."""
    former = config.train_config.num_steps
    config.train_config.num_steps = num_steps
    optimizer = config.train_config.optimizer
    if not (name := optimizer.WhichOneof("optimizer")):  # the checks name what is missing
        return
    learning_rate = getattr(optimizer, name).learning_rate
    kind = learning_rate.WhichOneof("learning_rate")
    if kind == "cosine_decay_learning_rate":
        schedule = learning_rate.cosine_decay_learning_rate
        if schedule.total_steps == former:
            schedule.total_steps = num_steps
            schedule.warmup_steps = min(schedule.warmup_steps, num_steps // 2)
    elif kind == "manual_step_learning_rate":
        schedule = learning_rate.manual_step_learning_rate.schedule
        if schedule and former and schedule[-1].step < former:
            earlier = 0
            for item in schedule:  # the API accepts only strictly rising steps
                item.step = earlier = max(round(item.step * num_steps / former), earlier + 1)


def set_input_size(config: Message, first: int, second: int | None = None) -> None:
    """Set the size in pixels that images are resized to: width and height, or the shorter side and the longest.

    The latter where the config keeps the aspect ratio. Without the second it is a square, or the longest grows.

    Raises:
        UsageError: the config's resizer has no such size.
    """
    resizer = pipeline_config.detector(config).image_resizer
    resizer = getattr(resizer, resizer.WhichOneof("image_resizer_oneof") or "fixed_shape_resizer")
    kind = resizer.DESCRIPTOR.name
    if kind == "FixedShapeResizer":
        resizer.width, resizer.height = first, second or first
    elif kind == "KeepAspectRatioResizer":
        longest = second or round(resizer.max_dimension * first / resizer.min_dimension)
        if longest < first:
            raise UsageError(f"the input size {first}x{second} has a longer side below the shorter one")
        resizer.min_dimension, resizer.max_dimension = first, longest
    else:
        raise UsageError(f"the input size cannot be set: the config resizes images by its {kind}")


def fill_in_num_examples(config: Message, reader: Message) -> None:
    """Set `eval_config.num_examples` where the config leaves it out: every image of the reader's record once.

    The API's own default is 5,000 images; it reads a smaller record several times over.
    """
    if not config.eval_config.HasField("num_examples"):
        paths = reader.tf_record_input_reader.input_path
        config.eval_config.num_examples = sum(map(pipeline_config.count_examples, paths))
