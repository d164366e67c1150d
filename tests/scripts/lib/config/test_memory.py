"""The memory that a training will take, and the warning where there is less."""

from __future__ import annotations

import io

import pytest
from google.protobuf import text_format
from PIL import Image

from scripts.lib.config import memory
from scripts.lib.config.memory import GIGABYTE, ImageSizes
from scripts.lib.object_detection_api import protos
from scripts.lib.records import tf_example, tf_record

# 90,000 pixels in the detector
CONFIG = """
model { ssd {
  num_classes: 1
  feature_extractor { type: "ssd_mobilenet_v1" }
  image_resizer { fixed_shape_resizer { height: 300 width: 300 } }
} }
train_config { batch_size: 10 batch_queue_capacity: 100 prefetch_queue_capacity: 4 }
train_input_reader { shuffle_buffer_size: 2000 num_parallel_map_calls: 50 }
"""
FIXED = "fixed_shape_resizer { height: 300 width: 300 }"
KEEPING = CONFIG.replace(
    FIXED, "keep_aspect_ratio_resizer { min_dimension: 300 max_dimension: 300 pad_to_max_dimension: true }"
)
IMAGES = ImageSizes(mean_pixels=1e6, most_pixels=2_000_000, mean_bytes=1e5)


def config_of(text: str = CONFIG):
    return text_format.Parse(text, protos.load("pipeline").TrainEvalPipelineConfig())


def sizes_by_field(config, images: ImageSizes = IMAGES) -> dict[str, float]:
    return {field.rpartition(".")[2]: size for field, size in memory.queues(config, images).items()}


def write_images(path, sizes) -> int:
    """A record of black JPEGs; the bytes of all images together."""
    total = 0
    with path.open("wb") as file:
        for size in sizes:
            encoded = io.BytesIO()
            Image.new("RGB", size).save(encoded, "JPEG")
            total += len(encoded.getvalue())
            tf_record.write_record(
                file, tf_example.serialized(tf_example.example({"image/encoded": [encoded.getvalue()]}, {}, {}))
            )
    return total


def test_what_waits_are_float_images_of_the_models_size_where_that_is_one():
    sizes = sizes_by_field(config_of())
    assert sizes["batch_queue_capacity"] == 100 * 90_000 * 12
    assert sizes["prefetch_queue_capacity"] == 4 * 10 * 90_000 * 12
    assert sizes["num_parallel_map_calls"] == 50 * 1e6 * 3, "decoded at the size of the record"


def test_what_waits_for_another_model_are_float_images_as_large_as_in_the_record():
    sizes = sizes_by_field(config_of(KEEPING))
    assert sizes["batch_queue_capacity"] == 100 * 1e6 * 12
    assert sizes["prefetch_queue_capacity"] == 4 * 10 * 2e6 * 12, "a batch is padded to its largest image"
    assert sizes["num_parallel_map_calls"] == 50 * 1e6 * 3
    assert sizes["shuffle_buffer_size"] == 2000 * 1e5, "still encoded"
    assert sizes["batch_size"] == 2 * 10 * 2e6 * 12


def test_without_shuffling_there_is_no_buffer():
    config = config_of(CONFIG.replace("shuffle_buffer_size", "shuffle: false shuffle_buffer_size"))
    assert sizes_by_field(config)["shuffle_buffer_size"] == 0


def test_the_sizes_of_images_are_read_from_the_record(tmp_path):
    total = write_images(tmp_path / "a.record", [(100, 50), (20, 10), (60, 80)])
    found = memory.image_sizes([str(tmp_path / "a.record")])
    assert found == ImageSizes(10_000 / 3, 5_000, total / 3)


@pytest.fixture
def config_and_path(tmp_path):
    write_images(tmp_path / "a.record", [(1500, 1000)] * 2)
    config = config_of(KEEPING)
    config.train_input_reader.tf_record_input_reader.input_path.append(str(tmp_path / "a.record"))
    return config, tmp_path / "pipeline.config"


def test_where_there_is_enough_memory_nothing_is_said(config_and_path):
    assert memory.check(*config_and_path, available=16 * GIGABYTE) == []


def test_where_there_is_less_the_warning_names_the_field_that_holds_most(config_and_path):
    config, path = config_and_path
    paths = config.train_input_reader.tf_record_input_reader.input_path
    needed = 700 * 2**20 + sum(memory.queues(config, memory.image_sizes(paths)).values())
    (finding,) = memory.check(config, path, available=needed - GIGABYTE)
    assert finding.severity == "warning"
    assert finding.message == (
        f"the training's queues take up to {needed / GIGABYTE:.1f} GB of memory, "
        f"{needed / GIGABYTE - 1:.1f} GB are free"
    )
    assert finding.remedy.startswith(
        "lower train_config.batch_queue_capacity (1.7 GB), then train_config.prefetch_queue_capacity (0.7 GB), or "
    )
    assert "--max_image_side 640" in finding.remedy
    config.train_config.batch_queue_capacity = 40
    assert memory.check(config, path, available=needed - GIGABYTE) == []


def test_an_evaluation_keeps_500_images_waiting(config_and_path):
    config, path = config_and_path
    reader = config.train_input_reader
    needed = (500 + 50) * 1.5e6 * 3
    assert memory.check_evaluation(reader, path, available=needed + GIGABYTE) == []
    (finding,) = memory.check_evaluation(reader, path, available=needed)
    assert finding.message == (
        "without --fast, 500 decoded images wait for the evaluation, which takes up to 3.0 GB of memory, 2.3 GB are free"
    )
    assert finding.remedy.endswith("--max_image_side 640, or evaluate with --fast")


def test_a_record_that_cannot_be_read_is_another_checks_business(config_and_path, tmp_path):
    config, path = config_and_path
    with (tmp_path / "a.record").open("wb") as file:
        tf_record.write_record(file, b"example")
    assert memory.check(config, path, available=1) == []
    assert memory.check_evaluation(config.train_input_reader, path, available=1) == []


def test_this_machine_says_how_much_memory_is_free():
    assert 2**26 < memory.available_bytes() < 2**50
