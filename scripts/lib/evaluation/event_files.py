"""Event files as TensorBoard reads them, read and written without TensorFlow.

An event file is a TFRecord file of `Event` messages (tensorflow/core/util/event.proto), the first of which says the
version of the format, "brain.Event:2". Graph-mode TensorFlow stores a figure as `simple_value` and a picture as
`image` of a summary's value; newer writers store a scalar as a tensor, which is read, too.
"""

from __future__ import annotations

import contextlib
import struct
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tensorboard.compat.proto import event_pb2

from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.records import tf_record

_FLOAT = 1  # DataType.DT_FLOAT of tensorflow/core/framework/types.proto


class Scalar(NamedTuple):
    """One point of a curve."""

    step: int
    value: float


def paths(folder: Path | str) -> list[Path]:
    """The event files directly in a folder, oldest first (their names hold the second they were opened)."""
    return sorted(Path(folder).glob("*tfevents*"))


def total_bytes(folder: Path | str) -> int:
    """Size of the event files directly in a folder."""
    return sum(path.stat().st_size for path in paths(folder))


def read_scalars(folder: Path | str) -> dict[str, list[Scalar]]:
    """The curves of all event files of a folder.

    A training that went on from a checkpoint has several files; where two of them hold a step, the later one counts.
    A file that ends within a record (the run was killed, or still writes) gives what it holds up to there.

    Returns:
        Tag -> points in order of their steps.
    """
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for path in paths(folder):
        with contextlib.suppress(DataError):
            for data in tf_record.read_records(path):
                event = event_pb2.Event.FromString(data)
                for value in event.summary.value:
                    number = _number(value)
                    if number is not None:
                        curves[value.tag][event.step] = number
    return {tag: [Scalar(*point) for point in sorted(points.items())] for tag, points in sorted(curves.items())}


def _number(value) -> float | None:
    """The figure of a summary's value, or None where it holds a picture, a histogram or a text."""
    if value.WhichOneof("value") == "simple_value":
        return value.simple_value
    tensor = value.tensor
    if value.WhichOneof("value") == "tensor" and tensor.dtype == _FLOAT and not tensor.tensor_shape.dim:
        return tensor.float_val[0] if tensor.float_val else struct.unpack("<f", tensor.tensor_content)[0]
    return None


def new_path(folder: Path | str, what: str) -> Path:
    """A file name for an event file of this second, e.g. new_path("eval", "report")."""
    return files.path_of(folder) / f"events.out.tfevents.{int(time.time())}.{what}"


def remove(folder: Path | str, what: str) -> None:
    """Removes the event files that were named by `new_path` with the same `what`."""
    for path in Path(folder).glob(f"events.out.tfevents.*.{what}"):
        path.unlink()


def write(
    path: Path | str,
    step: int,
    scalars: Mapping[str, float] | None = None,
    pictures: Mapping[str, tuple[bytes, int, int]] | None = None,
) -> None:
    """Writes an event file of one step; a file of the same name is replaced.

    Args:
        path: a file whose name holds "tfevents", as TensorBoard expects it.
        step: the training step that the figures belong to.
        scalars: tag -> figure.
        pictures: tag -> (PNG or JPEG bytes, width, height). Tags group by what stands before the first `/`.
    """
    now = time.time()
    with files.atomic_write(path) as file:
        tf_record.write_record(file, event_pb2.Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        for tag, number in (scalars or {}).items():
            event = event_pb2.Event(wall_time=now, step=step)
            event.summary.value.add(tag=tag, simple_value=number)
            tf_record.write_record(file, event.SerializeToString())
        for tag, (encoded, width, height) in (pictures or {}).items():
            event = event_pb2.Event(wall_time=now, step=step)
            image = event.summary.value.add(tag=tag).image
            image.encoded_image_string, image.width, image.height, image.colorspace = encoded, width, height, 3
            tf_record.write_record(file, event.SerializeToString())
