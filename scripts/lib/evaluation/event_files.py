"""TensorBoard's event files, read and written without TensorFlow.

An event file is a TFRecord file of `Event` messages (tensorflow/core/util/event.proto). The first one holds the version
of the format, "brain.Event:2". Graph-mode TensorFlow stores a scalar as `simple_value` and an image as `image` of a
summary's value.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tensorboard.compat.proto import event_pb2

from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.records import tf_record


class Scalar(NamedTuple):
    """One point of a curve."""

    step: int
    value: float


class EncodedImage(NamedTuple):
    """A PNG or JPEG image with its size in pixels."""

    encoded: bytes
    width: int
    height: int


def paths(folder: Path | str) -> list[Path]:
    """Return the event files directly in a folder, oldest first (their names hold the second they were opened)."""
    return sorted(Path(folder).glob("*tfevents*"))


def read_scalars(folder: Path | str) -> dict[str, list[Scalar]]:
    """Read the curves of all event files in a folder: tag -> points in order of their steps.

    A training that was resumed has several files; if two of them hold a step, the later one counts. A file that ends
    within a record (the run was killed, or still writes) gives what it holds up to there.
    """
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for path in paths(folder):
        with contextlib.suppress(DataError):
            for data in tf_record.read_records(path):
                event = event_pb2.Event.FromString(data)
                for value in event.summary.value:
                    if value.HasField("simple_value"):
                        curves[value.tag][event.step] = value.simple_value
    return {tag: [Scalar(*point) for point in sorted(points.items())] for tag, points in sorted(curves.items())}


def new_path(folder: Path | str, writer: str) -> Path:
    """Return the path of a new event file, named after this second and its writer, e.g. "report"."""
    return files.path_of(folder) / f"events.out.tfevents.{int(time.time())}.{writer}"


def remove(folder: Path | str, writer: str) -> None:
    """Remove the event files that `new_path` named for this writer."""
    for path in Path(folder).glob(f"events.out.tfevents.*.{writer}"):
        path.unlink()


def write(
    path: Path | str, step: int, scalars: Mapping[str, float], images: Mapping[str, EncodedImage] | None = None
) -> None:
    """Write an event file of one training step; a file of the same name is replaced.

    Args:
        path: a file with "tfevents" in its name, as TensorBoard expects it.
        step: of the training.
        scalars: tag -> value.
        images: tag -> image. TensorBoard groups tags by what stands before the first `/`.
    """
    now = time.time()
    with files.atomic_write(path) as file:
        tf_record.write_record(file, event_pb2.Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        for tag, number in scalars.items():
            event = event_pb2.Event(wall_time=now, step=step)
            event.summary.value.add(tag=tag, simple_value=number)
            tf_record.write_record(file, event.SerializeToString())
        for tag, (encoded, width, height) in (images or {}).items():
            event = event_pb2.Event(wall_time=now, step=step)
            image = event.summary.value.add(tag=tag).image
            image.encoded_image_string, image.width, image.height, image.colorspace = encoded, width, height, 3
            tf_record.write_record(file, event.SerializeToString())
