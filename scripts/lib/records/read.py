"""The images of a record, with their ground truth, without TensorFlow."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import simplejpeg
from google.protobuf.message import DecodeError

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, DataError, Finding
from scripts.lib.images import decode
from scripts.lib.records import tf_example, tf_record

_AGAIN = "make the record again with generate_tfrecord.py"


class RecordImage(NamedTuple):
    """One example of a record."""

    name: str  # file name, else source id, else the place in the record, counted from 1
    encoded: bytes  # of the image file
    boxes_yxyx_normalized: np.ndarray  # float32 [num_boxes, 4], 0..1
    class_ids: np.ndarray  # int64 [num_boxes], as in the label map
    is_difficult: np.ndarray  # bool [num_boxes]; such objects count neither as found nor as missed

    def pixels(self) -> np.ndarray:
        """Decode the image as the API's reader does: uint8 [height, width, 3], red, green, blue.

        See `decode.pixels`: the exact transform differs by 1 to 2 of 255, which moved mAP@0.5 by 0.005 on 160 images.

        Raises:
            DataError: it cannot be decoded.
        """
        try:
            with decode.opened(self.encoded) as image:
                if self.encoded.startswith(b"\xff\xd8"):
                    with contextlib.suppress(ValueError):  # Pillow may accept what libjpeg-turbo refuses
                        return simplejpeg.decode_jpeg(self.encoded, "RGB", fastdct=True, strict=False)
                return np.asarray(image.convert("RGB"))
        except Exception as error:  # hostile bytes make Pillow's plugins raise nearly anything
            unreadable = decode.unreadable(self.encoded, f"the record's image {self.name}", error)
            raise DataError([dataclasses.replace(unreadable, remedy=_AGAIN)]) from error


def read(path: Path | str) -> Iterator[RecordImage]:
    """Yield the images of a record, or of all shards of a pattern.

    Raises:
        UsageError: there is no such record.
        DataError: it is damaged, or an example has no image or its boxes do not match its classes.
    """
    for file in tf_record.matching_files(path):
        for number, data in enumerate(tf_record.read_records(file), start=1):
            try:
                yield _image(tf_example.features(data), number)
            except (DecodeError, ValueError) as error:
                reason = "is not a tf.train.Example" if isinstance(error, DecodeError) else error
                message = f"example {number} {reason}"
                raise DataError([Finding(ERROR, "record-damaged", files.shown_path(file), message, _AGAIN)]) from error


def _image(features: dict[str, list], number: int) -> RecordImage:
    if not features.get("image/encoded"):
        raise ValueError("has no image")
    if wrong := tf_example.why_unfit(features):
        raise ValueError(f"is not one for detection: {'; '.join(wrong)}")
    xmin, ymin, xmax, ymax = (np.array(features.get(side, []), np.float32) for side in tf_example.SIDES)
    boxes = np.stack([ymin, xmin, ymax, xmax], axis=1)
    if not np.isfinite(boxes).all():
        raise ValueError("has a box whose corners are not numbers")
    class_ids = np.array(features.get(tf_example.LABELS, []), np.int64)
    names = features.get("image/filename") or features.get("image/source_id") or [str(number).encode()]
    difficult = np.array(features.get("image/object/difficult", []), bool)
    return RecordImage(
        names[0].decode("utf-8", "replace"),
        features["image/encoded"][0],
        boxes,
        class_ids,
        difficult if len(difficult) == len(class_ids) else np.zeros(len(class_ids), bool),
    )
