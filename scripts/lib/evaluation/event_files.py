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

from google.protobuf.message import DecodeError
from PIL import Image
from tensorboard.compat.proto import event_pb2, summary_pb2

from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.records import tf_record


class Scalar(NamedTuple):
    """One point of a curve."""

    step: int
    value: float


def paths(folder: Path | str) -> list[Path]:
    """Return the event files directly in a folder, oldest first (their names hold the second they were opened)."""
    return sorted(path for path in Path(folder).glob("*tfevents*") if path.is_file())


def total_bytes(folder: Path | str) -> int:
    """Return the size of the event files directly in a folder."""
    return sum(path.stat().st_size for path in paths(folder))


def read_scalars(folder: Path | str) -> dict[str, list[Scalar]]:
    """Read the curves of all event files in a folder: tag -> points in order of their steps.

    A training that was resumed has several files; if two of them hold a step, the later one counts. A file that ends
    within a record (the run was killed, or still writes), or goes on with other data, gives what it holds up to there.
    """
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for path in paths(folder):
        with contextlib.suppress(DataError, DecodeError):
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
        files.remove(path)


def write(path: Path | str, step: int, scalars: Mapping[str, float], images: Mapping[str, Path] | None = None) -> None:
    """Write an event file of one training step; a file of the same name is replaced.

    TensorBoard expects "tfevents" in its name. `scalars` are tag -> value, `images` tag -> PNG or JPEG file; tags are
    grouped by what stands before the first `/`.
    """
    values = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
    for tag, image_path in (images or {}).items():
        with Image.open(image_path) as image:
            size = {"width": image.width, "height": image.height, "colorspace": 3}
        stored = summary_pb2.Summary.Image(encoded_image_string=image_path.read_bytes(), **size)
        values.append(summary_pb2.Summary.Value(tag=tag, image=stored))
    events = [event_pb2.Event(step=step, summary=summary_pb2.Summary(value=[value])) for value in values]
    with files.atomic_write(path) as file:
        for event in (event_pb2.Event(file_version="brain.Event:2"), *events):
            event.wall_time = time.time()
            tf_record.write_record(file, event.SerializeToString())
