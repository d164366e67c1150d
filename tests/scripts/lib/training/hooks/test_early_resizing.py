"""What the trainer's queue holds, and what the model gets: the same as before."""

from __future__ import annotations

import io

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

from scripts.lib.config import override, pipeline_config
from scripts.lib.core import files
from scripts.lib.records import tf_example, tf_record
from scripts.lib.training.hooks import early_resizing

SIZES = ((300, 200), (96, 128), (64, 32), (600, 600))  # width, height


@pytest.fixture
def config(tmp_path):
    """A sample config of 64x64 pixels, without augmentation, and a record of photos of several sizes, in order."""
    with (tmp_path / "train.record").open("wb") as file:
        for number, size in enumerate(SIZES):
            pixels = np.random.default_rng(number).integers(0, 256, (size[1] // 32, size[0] // 32, 3), np.uint8)
            encoded = io.BytesIO()
            Image.fromarray(pixels).resize(size).save(encoded, "JPEG" if number else "PNG")
            names = {
                "image/encoded": [encoded.getvalue()],
                "image/format": [b"jpeg" if number else b"png"],
                "image/source_id": [str(number).encode()],
                "image/filename": [str(number).encode()],
                "image/object/class/text": [b"Tops"],
            }
            corners = {
                f"image/object/bbox/{name}": [value]
                for name, value in zip(("xmin", "ymin", "xmax", "ymax"), (0.25, 0.25, 0.75, 0.5), strict=True)
            }
            tf_record.write_record(
                file, tf_example.serialized(tf_example.example(names, corners, {"image/object/class/label": [1]}))
            )
    config = pipeline_config.read(files.default_path("configs/ssd_mobilenet_v1_sample.config"))
    override.set_input_size(config, 64)
    config.train_input_reader.tf_record_input_reader.input_path[:] = [(tmp_path / "train.record").as_posix()]
    config.train_input_reader.shuffle = False
    config.train_input_reader.num_readers = config.train_config.num_batch_queue_threads = 1
    config.train_config.batch_size = len(SIZES)
    del config.train_config.data_augmentation_options[:]
    return config


@pytest.fixture
def unchanged_api(tf, monkeypatch):
    """Puts back what `install` replaces."""
    from object_detection.core import batcher

    monkeypatch.setattr(batcher.BatchQueue, "__init__", batcher.BatchQueue.__init__)


def first_batch(tf, config) -> tuple[list[tuple[int, ...]], np.ndarray, np.ndarray]:
    """By the trainer's own functions: shapes of the queued images, what the model gets, and the boxes."""
    from object_detection.builders import dataset_builder, model_builder
    from object_detection.legacy import trainer

    reader, train = config.train_input_reader, config.train_config
    with tf.Graph().as_default(), tf.Session() as session:
        queue = trainer.create_input_queue(
            train.batch_size,
            lambda: dataset_builder.make_initializable_iterator(dataset_builder.build(reader)).get_next(),
            train.batch_queue_capacity,
            train.num_batch_queue_threads,
            train.prefetch_queue_capacity,
            [],
        )
        model = model_builder.build(config.model, is_training=True)
        images, _, boxes, *_ = trainer.get_inputs(queue, 6)
        inputs = [model.preprocess(image)[0] for image in images]
        session.run([tf.local_variables_initializer(), tf.tables_initializer()])
        coordinator = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(session, coordinator)
        queued, given, boxes = session.run([list(images), inputs, list(boxes)])
        coordinator.request_stop()
        session.run(queue._queue.close(cancel_pending_enqueues=True))
        session.close()
        coordinator.join(threads, stop_grace_period_secs=10, ignore_live_threads=True)
    return [image.shape for image in queued], np.concatenate(given), np.concatenate(boxes)


def test_the_model_gets_the_same_images_and_boxes_from_smaller_queues(tf, config, unchanged_api):
    shapes, expected, boxes = first_batch(tf, config)
    assert sorted(shapes) == sorted((1, height, width, 3) for width, height in SIZES)
    early_resizing.install(config.model)
    shapes, given, boxes_early = first_batch(tf, config)
    assert shapes == [(1, 64, 64, 3)] * len(SIZES)
    np.testing.assert_allclose(given, expected, atol=1e-5)
    np.testing.assert_array_equal(boxes_early, boxes)


def test_a_model_whose_input_has_no_fixed_size_is_left_alone(tf, unchanged_api):
    from object_detection.core import batcher

    from scripts.lib.object_detection_api import protos

    before = batcher.BatchQueue.__init__
    model = text_format.Parse(
        "faster_rcnn { image_resizer { keep_aspect_ratio_resizer { min_dimension: 600 } } }",
        protos.load("model").DetectionModel(),
    )
    early_resizing.install(model)
    assert batcher.BatchQueue.__init__ is before
