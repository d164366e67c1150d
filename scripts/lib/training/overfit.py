"""Can this set-up learn at all? A training on a few images of the record must find their boxes again.

Records, label map, model, anchors and losses are the config's own. What hinders learning by heart is left out
(augmentation, dropout), and what is tuned for long runs is replaced by what suits a short one (optimizer, schedule,
decay of the batch norm averages).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import Message

from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.records import tf_example, tf_record
from scripts.lib.training.evaluations import TrainingEvaluations, mean_ap
from scripts.lib.training.observer import TrainingRun

TARGET = 0.9  # mAP@0.5
NUM_STEPS = 1000  # at most
EVAL_EVERY = 100
_LEARNING_RATE = 0.001
_WARMUP_STEPS = 20
_BATCH_SIZE = 8
_BATCH_NORM_DECAY = 0.9  # averages of the last ten steps or so
_GRADIENT_NORM = 10.0


@contextlib.contextmanager
def prepared(config: Message, num_images: int, num_steps: int) -> Iterator[tuple[Message, Path]]:
    """A temporary folder with a record of a few images, and the config that trains on it and evaluates it.

    Raises:
        DataError: the record does not have so many images with an object.
    """
    with tempfile.TemporaryDirectory(prefix="overfit_", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        record = folder / "overfit.record"
        write_record(config.train_input_reader.tf_record_input_reader.input_path, num_images, record)
        yield small_config(config, record, num_images, num_steps), folder


def write_record(sources: list[str], num_images: int, path: Path) -> None:
    """Writes the first images that have an object, each once, as they are.

    Raises:
        DataError: there are fewer.
    """
    seen: set[bytes] = set()
    with files.atomic_write(path) as file:
        for data in _records(sources):
            features = tf_example.features(data)
            image = features["image/encoded"][0]
            if features.get("image/object/class/label") and image not in seen:
                seen.add(image)
                tf_record.write_record(file, data)
                if len(seen) == num_images:
                    return
        raise DataError(
            [f"--overfit {num_images}: {', '.join(sources)} holds {len(seen)} images with an object; give no more"],
            "the check was not started",
        )


def _records(sources: list[str]) -> Iterator[bytes]:
    for source in sources:
        for shard in tf_record.matching_files(source):
            yield from tf_record.read_records(shard)


def small_config(config: Message, record: Path, num_images: int, num_steps: int) -> Message:
    """The config for the check: see the module."""
    small = type(config)()
    small.CopyFrom(config)
    train = small.train_config
    del train.data_augmentation_options[:]
    train.batch_size = min(num_images, _BATCH_SIZE)
    train.num_steps = num_steps
    train.gradient_clipping_by_norm = train.gradient_clipping_by_norm or _GRADIENT_NORM
    train.optimizer.Clear()
    train.optimizer.use_moving_average = False
    schedule = train.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    schedule.learning_rate_base, schedule.warmup_learning_rate = _LEARNING_RATE, _LEARNING_RATE / 10
    schedule.total_steps, schedule.warmup_steps = num_steps, min(_WARMUP_STEPS, num_steps // 2)
    model = getattr(small.model, small.model.WhichOneof("model"))
    for message in _messages_below(model):
        for field, value in (("use_dropout", False), ("override_base_feature_extractor_hyperparams", True)):
            if field in message.DESCRIPTOR.fields_by_name:
                setattr(message, field, value)
        if message.DESCRIPTOR.name == "BatchNorm":
            message.decay = _BATCH_NORM_DECAY
    small.train_input_reader.tf_record_input_reader.input_path[:] = [record.as_posix()]
    small.train_input_reader.ClearField("sample_1_of_n_examples")
    del small.eval_input_reader[:]
    reader = small.eval_input_reader.add()
    reader.CopyFrom(small.train_input_reader)
    reader.shuffle, reader.num_readers = False, 1
    small.eval_config.Clear()
    small.eval_config.metrics_set.append("pascal_voc_detection_metrics")
    small.eval_config.num_examples = num_images
    small.eval_config.num_visualizations = 0
    return small


def _messages_below(message: Message) -> Iterator[Message]:
    """The message and all that are set in it, however deep."""
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in value if field.is_repeated else [value]:
                yield from _messages_below(part)


def _resizer(config: Message) -> str:
    """E.g. "fixed_shape_resizer { height: 300 width: 300 }"."""
    model = getattr(config.model, config.model.WhichOneof("model"))
    return " ".join(str(model.image_resizer).split())


def conclude(run: TrainingRun, evaluations: TrainingEvaluations, config: Message) -> int:
    """Prints the verdict; returns the exit status."""
    images = config.eval_config.num_examples
    step = run.step.number
    best = mean_ap(evaluations.best) if evaluations.best else 0.0
    if best >= TARGET:
        print(f"The set-up can learn: mAP@0.5 {best:.3f} on the {images} images it was trained on, after {step} steps.")
        return 0
    raise DataError(
        [
            f"mAP@0.5 on the {images} images it was trained on is {best:.3f} after {step} steps, expected {TARGET}; "
            f"loss {run.step.loss:.3f}. Likely causes: boxes or classes that do not belong to the pictures (look at "
            "them with check_dataset.py), objects that are too small for the model's input "
            f"({_resizer(config)}), anchors of other shapes than the boxes, frozen layers (freeze_variables), or too "
            "few steps (--num_train_steps) where the loss was still falling"
        ],
        "the set-up did not learn",
    )
