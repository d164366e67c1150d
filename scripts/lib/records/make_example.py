"""A checked image as a `tf.train.Example`, as the Object Detection API reads it.

The features are those that object_detection/data_decoders/tf_example_decoder.py asks for and that
object_detection/g3doc/using_your_own_dataset.md lists.
"""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message

from scripts.lib.dataset.labelled_images import CheckedImage
from scripts.lib.records import tf_example


def make_example(image: CheckedImage, class_ids: Mapping[str, int]) -> Message:
    """Return the Example of an image.

    Args:
        image: one without errors.
        class_ids: class name -> id, from the label map.
    """
    width, height = image.stored.size
    upright_width, upright_height = image.stored.upright_size
    name = image.name.encode()
    return tf_example.example(
        bytes_features={
            "image/filename": [name],
            "image/source_id": [name],
            "image/encoded": [image.stored.encoded],
            "image/format": [image.stored.format.encode()],
            "image/object/class/text": [class_name.encode() for class_name in image.labels.class_names],
        },
        float_features={  # normalised: 0 is the left or top edge of the image, 1 the right or bottom one
            "image/object/bbox/xmin": [xmin / upright_width for xmin, _, _, _ in image.boxes_xyxy],
            "image/object/bbox/xmax": [xmax / upright_width for _, _, xmax, _ in image.boxes_xyxy],
            "image/object/bbox/ymin": [ymin / upright_height for _, ymin, _, _ in image.boxes_xyxy],
            "image/object/bbox/ymax": [ymax / upright_height for _, _, _, ymax in image.boxes_xyxy],
        },
        int64_features={
            "image/height": [height],
            "image/width": [width],
            "image/object/class/label": [class_ids[class_name] for class_name in image.labels.class_names],
        },
    )
