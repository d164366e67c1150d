"""A stand-in for an exported model, made in a second: it finds plain coloured squares on a dark ground.

Its graph has the shape of an exported SSD: an image_tensor of any size, a resizer that maps over the images, and the
four outputs. Red squares are of class 1, green ones of class 2; one square an image.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.lib.records import tf_example, tf_record

SIDE = 64
LABEL_MAP = "item { id: 1 name: 'Red' }\nitem { id: 2 name: 'Green' }\n"
CONFIG = """
model {{ ssd {{ num_classes: 2 image_resizer {{ fixed_shape_resizer {{ height: 64 width: 64 }} }} }} }}
eval_input_reader {{
  label_map_path: "{label_map}"
  tf_record_input_reader {{ input_path: "{record}" }}
}}
"""


def write_model(tf, folder: Path, record: Path | None = None, shrink: float = 0.0) -> Path:
    """Writes frozen_inference_graph.pb, label_map.pbtxt and pipeline.config.

    Args:
        tf: TensorFlow in graph mode.
        folder: of the model.
        record: that the config names.
        shrink: part of the image's side by which boxes are too small, for a model that is worse.
    """
    graph = tf.Graph()
    with graph.as_default():
        images = tf.placeholder(tf.uint8, [None, None, None, 3], name="image_tensor")
        with tf.name_scope("Preprocessor"):

            def resize(image):
                resized = tf.image.resize_images(
                    image[tf.newaxis], [SIDE, SIDE], method=tf.image.ResizeMethod.NEAREST_NEIGHBOR
                )
                return resized[0], tf.constant([SIDE, SIDE, 3])

            resized, _ = tf.map_fn(resize, tf.cast(images, tf.float32), dtype=(tf.float32, tf.int32))
        brightness = tf.reduce_max(resized, axis=3)
        rows, columns = (tf.reduce_any(brightness > 100, axis=axis) for axis in (2, 1))
        first = [tf.argmax(tf.cast(line, tf.int32), axis=1) for line in (rows, columns)]
        last = [SIDE - tf.argmax(tf.cast(line[:, ::-1], tf.int32), axis=1) for line in (rows, columns)]
        boxes = tf.cast(tf.stack([*first, *last], axis=1), tf.float32) / SIDE
        is_green = tf.reduce_max(resized[..., 1], axis=[1, 2]) > tf.reduce_max(resized[..., 0], axis=[1, 2])
        boxes = tf.stack([boxes, boxes * 0.5], axis=1) - [0.0, 0.0, shrink, shrink]  # the second lies elsewhere
        scores = tf.reduce_max(brightness, axis=[1, 2]) / 256
        tf.identity(boxes, name="detection_boxes")
        tf.stack([scores, scores * 0.3], axis=1, name="detection_scores")
        tf.stack([1 + tf.cast(is_green, tf.float32)] * 2, axis=1, name="detection_classes")
        tf.fill([tf.shape(resized)[0]], 2.0, name="num_detections")
    folder.mkdir(parents=True)
    (folder / "frozen_inference_graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    (folder / "label_map.pbtxt").write_text(LABEL_MAP, encoding="utf-8")
    config = CONFIG.format(
        label_map=(folder / "label_map.pbtxt").as_posix(), record=record.as_posix() if record else ""
    )
    (folder / "pipeline.config").write_text(config, encoding="utf-8")
    return folder


def write_record(path: Path, num_images: int = 12, mislabelled: Sequence[int] = (3,)) -> Path:
    """Writes a record of squares on images of different sizes, JPEG and PNG; some labelled with the other class."""
    generator = np.random.default_rng(5)
    with path.open("wb") as file:
        for number in range(num_images):
            tf_record.write_record(file, tf_example.serialized(_example(generator, number, number in mislabelled)))
    return path


def _example(generator: np.random.Generator, number: int, mislabelled: bool):
    width, height = (int(side) for side in generator.integers(90, 160, 2))
    pixels = np.full((height, width, 3), 20, np.uint8)
    top, left = generator.integers(5, 30, 2)
    bottom, right = top + generator.integers(40, 60), left + generator.integers(40, 60)
    channel = number % 2
    pixels[top:bottom, left:right, channel] = generator.integers(180, 250)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG" if number % 3 else "JPEG", **({} if number % 3 else {"quality": 95}))
    class_id = (1 - channel if mislabelled else channel) + 1
    return tf_example.example(
        {
            "image/filename": [f"square_{number}.jpg".encode()],
            "image/encoded": [encoded.getvalue()],
            "image/object/class/text": [(b"Red", b"Green")[class_id - 1]],
        },
        {
            "image/object/bbox/ymin": [top / height],
            "image/object/bbox/ymax": [bottom / height],
            "image/object/bbox/xmin": [left / width],
            "image/object/bbox/xmax": [right / width],
        },
        {"image/object/class/label": [class_id], "image/height": [height], "image/width": [width]},
    )
