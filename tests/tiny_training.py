"""The smallest training there is: a quarter of the sample's model at 64x64, on twelve pictures of coloured squares."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format

from scripts.lib.config import override, pipeline_config
from scripts.lib.records import tf_example, tf_record
from tests import made_model

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "ssd_mobilenet_v1_sample.config"


def write(folder: Path, num_steps: int, learning_rate: float = 0.004, num_images: int = 12) -> Path:
    """Writes train.record, test.record, label_map.pbtxt and pipeline.config; returns the config's path.

    Args:
        folder: an existing one.
        num_steps: of the training.
        learning_rate: so large that it fails, e.g. 1e20.
        num_images: of each record.
    """
    (folder / "label_map.pbtxt").write_text(made_model.LABEL_MAP, encoding="utf-8")
    config = pipeline_config.read(CONFIG)
    override.set_num_steps(config, num_steps)
    schedule = config.train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    schedule.learning_rate_base, schedule.warmup_learning_rate, schedule.warmup_steps = learning_rate, learning_rate, 0
    config.train_config.batch_size = 2
    config.train_config.batch_queue_capacity, config.train_config.prefetch_queue_capacity = 8, 2
    config.train_config.num_batch_queue_threads = 1
    model = config.model.ssd
    model.num_classes = 2
    model.image_resizer.fixed_shape_resizer.height = model.image_resizer.fixed_shape_resizer.width = made_model.SIDE
    model.feature_extractor.depth_multiplier, model.feature_extractor.min_depth = 0.25, 8
    for part, reader in zip(("train", "test"), pipeline_config.input_readers(config), strict=True):
        record = _name_classes(made_model.write_record(folder / f"{part}.record", num_images, mislabelled=()))
        reader.tf_record_input_reader.input_path[:] = [record.as_posix()]
        reader.label_map_path = (folder / "label_map.pbtxt").as_posix()
    path = folder / "pipeline.config"
    path.write_text(text_format.MessageToString(config), encoding="utf-8")
    return path


def _name_classes(record: Path) -> Path:
    """Gives the examples what the trainer and the evaluator read besides: the class's name and the image's own."""
    examples = []
    for data in tf_record.read_records(record):
        example = tf_example.Example.FromString(data)
        feature = example.features.feature
        name = b"Red" if feature["image/object/class/label"].int64_list.value[0] == 1 else b"Green"
        feature["image/object/class/text"].bytes_list.value[:] = [name]
        file = record.stem.encode() + b"_" + feature["image/filename"].bytes_list.value[0]
        feature["image/source_id"].bytes_list.value[:] = feature["image/filename"].bytes_list.value[:] = [file]
        examples.append(tf_example.serialized(example))
    with record.open("wb") as file:
        for data in examples:
            tf_record.write_record(file, data)
    return record
