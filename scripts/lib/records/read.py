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
                image = _image(tf_example.features(data), number, file)
            except (DecodeError, AttributeError, TypeError, ValueError, OverflowError) as error:
                message = f"example {number} does not hold what an example for detection holds"
                raise DataError([Finding(ERROR, "record-damaged", files.shown_path(file), message, _AGAIN)]) from error
            yield image


def _image(features: dict[str, list], number: int, path: Path) -> RecordImage:
    class_ids = np.array(features.get("image/object/class/label", []), np.int64)
    sides = [
        np.array(features.get(f"image/object/bbox/{side}", []), np.float32) for side in ("ymin", "xmin", "ymax", "xmax")
    ]
    encoded = features.get("image/encoded") or [None]
    if not isinstance(encoded[0], bytes) or any(len(side) != len(class_ids) for side in sides):
        message = f"example {number} has no image, or its boxes and classes differ in number"
        raise DataError([Finding(ERROR, "record-damaged", files.shown_path(path), message, _AGAIN)])
    boxes = np.stack(sides, axis=1)
    if not np.isfinite(boxes).all():
        message = f"example {number} has a box whose corners are not numbers"
        raise DataError([Finding(ERROR, "record-damaged", files.shown_path(path), message, _AGAIN)])
    names = features.get("image/filename") or features.get("image/source_id") or [str(number).encode()]
    difficult = np.array(features.get("image/object/difficult", []), bool)
    return RecordImage(
        names[0].decode("utf-8", "replace"),
        encoded[0],
        boxes,
        class_ids,
        difficult if len(difficult) == len(class_ids) else np.zeros(len(class_ids), bool),
    )
