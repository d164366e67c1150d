"""Checks that a set-up can learn: a training on a few images of the record must find their boxes again.

Records, label map, model, anchors and losses are the config's own. What hinders learning by heart is left out
(augmentation, dropout), and what is tuned for long trainings is replaced by what suits a short one (optimizer,
schedule, decay of the batch norm averages).
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import Message

from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.core.wording import counted
from scripts.lib.evaluation.metrics_file import headline
from scripts.lib.records import tf_example, tf_record
from scripts.lib.training.loop import TrainingStep
from scripts.lib.training.plan import TrainingPlan, plan
from scripts.lib.training.run import train

TARGET = 0.9  # mAP@0.5
NUM_STEPS = 1000  # at most


def check(prepared: TrainingPlan) -> int:
    """Train on `options.overfit` images in a temporary folder, print the verdict, and return the exit status.

    Raises:
        DataError: the record has too few images with an object, or the model did not learn them.
    """
    os.environ.pop("TF_CONFIG", None)  # whatever cluster this machine is in
    options = prepared.options
    with tempfile.TemporaryDirectory(prefix="overfit_", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        record = folder / "overfit.record"
        write_record(prepared.config.train_input_reader.tf_record_input_reader.input_path, options.overfit, record)
        config = small_config(prepared.config, record, options.overfit, options.num_steps or NUM_STEPS)
        options = dataclasses.replace(options, train_dir=str(folder / "train"), eval_every=100, eval_dir="")
        overfitting = plan(TrainingPlan(options, config), target=TARGET)
        observer = train(overfitting)
        if observer.interruption.signal:
            return observer.interruption.exit_status
        best = overfitting.evaluations.best
        print(verdict(observer.last_step, headline(best).value if best else 0.0, config))
        return 0


def write_record(sources: list[str], num_images: int, path: Path) -> None:
    """Write the first images that have an object, each once, as they are.

    Raises:
        DataError: there are fewer.
    """
    seen: set[bytes] = set()
    shards = (shard for source in sources for shard in tf_record.matching_files(source))
    examples = (data for shard in shards for data in tf_record.read_records(shard))
    with files.atomic_write(path) as file:
        for data in examples:
            features = tf_example.features(data)
            image = features["image/encoded"][0]
            if features.get("image/object/class/label") and image not in seen:
                seen.add(image)
                tf_record.write_record(file, data)
                if len(seen) == num_images:
                    return
        there = f"{', '.join(sources)} holds {counted(len(seen), 'image')} with an object"
        problem = f"--overfit {num_images}: {there}; give no more"
        raise DataError([problem], "the check was not started")


def small_config(config: Message, record: Path, num_images: int, num_steps: int) -> Message:
    """Return the config that trains on the record and evaluates it; see the module's docstring."""
    small = type(config)()
    small.CopyFrom(config)
    train_config = small.train_config
    del train_config.data_augmentation_options[:]
    train_config.batch_size = min(num_images, 8)
    train_config.num_steps = num_steps
    train_config.gradient_clipping_by_norm = train_config.gradient_clipping_by_norm or 10.0
    train_config.sync_replicas = False
    train_config.optimizer.Clear()
    train_config.optimizer.use_moving_average = False
    schedule = train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    schedule.learning_rate_base, schedule.warmup_learning_rate = 0.001, 0.0001
    schedule.total_steps, schedule.warmup_steps = num_steps, min(20, num_steps // 2)
    for message in _messages_below(pipeline_config.detector(small)):
        for field, value in (("use_dropout", False), ("override_base_feature_extractor_hyperparams", True)):
            if field in message.DESCRIPTOR.fields_by_name:
                setattr(message, field, value)
        if message.DESCRIPTOR.name == "BatchNorm":
            message.decay = 0.9  # averages of the last ten steps or so
    reader = small.train_input_reader
    reader.tf_record_input_reader.input_path[:] = [record.as_posix()]
    reader.ClearField("sample_1_of_n_examples")
    del small.eval_input_reader[:]
    small.eval_input_reader.add().CopyFrom(reader)
    small.eval_input_reader[0].shuffle, small.eval_input_reader[0].num_readers = False, 1
    small.eval_config.Clear()
    small.eval_config.metrics_set.append("pascal_voc_detection_metrics")
    small.eval_config.num_examples, small.eval_config.num_visualizations = num_images, 0
    return small


def _messages_below(message: Message) -> Iterator[Message]:
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in value if field.is_repeated else [value]:
                yield from _messages_below(part)


def verdict(step: TrainingStep, best: float, config: Message) -> str:
    """Return the sentence for a set-up that learned, after its last step and with its best mAP@0.5.

    Raises:
        DataError: it did not learn.
    """
    images = f"the {counted(config.eval_config.num_examples, 'image')} it was trained on"
    if best >= TARGET:
        return f"The set-up can learn: mAP@0.5 {best:.3f} on {images}, after {counted(step.number, 'step')}."
    resizer = pipeline_config.detector(config).image_resizer
    problem = (
        f"mAP@0.5 on {images} is {best:.3f} after {counted(step.number, 'step')}, expected {TARGET}; "
        f"loss {step.loss:.3f}. Likely causes: boxes or classes that do not belong to the images (look at them with "
        f"check_dataset.py), objects that are too small for the model's input ({' '.join(str(resizer).split())}), "
        "anchors of other shapes than the boxes, frozen layers (freeze_variables), or too few steps (--num_steps)"
    )
    raise DataError([problem], "the set-up did not learn")
