"""Estimate the memory of the images that wait in the trainer's and the evaluator's queues, without TensorFlow.

`legacy/trainer.py` shuffles encoded examples, decodes some of them, queues the images as float32, pads them to the
largest of their batch, and queues the batches. For a detector whose input has one size they are resized before they
are queued (`training/hooks/early_resizing.py`); for another they wait at the size they have in the record. What the
detector itself takes comes on top.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from google.protobuf.message import DecodeError, Message

from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import WARNING, DataError, Finding

GIGABYTE = 2**30
_SAMPLED = 200  # images whose size is read
_FLOAT_PIXEL = 12  # bytes: float32, three channels
_BYTE_PIXEL = 3
_EVALUATED_AHEAD = 500  # images in the queue of `legacy/evaluator.py`
_SHRINK = "shrink the images once by generate_tfrecord.py --max_image_side 640"
_PROGRAM = 700 * 2**20  # bytes of TensorFlow, the API and their graph


class Queue(NamedTuple):
    """Images that wait.

    Attributes:
        size: in bytes, at most: random crops are smaller than their images.
        field: of the pipeline config, which decides on it.
    """

    size: float
    field: str

    def value(self, config: Message) -> int:
        part, _, name = self.field.partition(".")
        return getattr(getattr(config, part), name)


class ImageSizes(NamedTuple):
    """The images of a record: mean and largest number of pixels, and mean number of bytes as they are stored."""

    mean_pixels: float
    most_pixels: int
    mean_bytes: float


def check(config: Message, path: Path | str, available: float | None = None) -> list[Finding]:
    """Warn where the images that wait for the training need more memory than is free; name the field to lower.

    Args:
        config: a TrainEvalPipelineConfig with a model and a training record on this machine.
        path: its file, for the finding.
        available: bytes; None: those of this machine, where it tells them.
    """
    available = available_bytes() if available is None else available
    images = _image_sizes_if_readable(config.train_input_reader)
    if available is None or images is None:
        return []
    waiting = queues(config, images)
    needed = _PROGRAM + sum(queue.size for queue in waiting)
    if needed <= available:
        return []
    listed = ", ".join(f"{queue.field} {queue.value(config)}: {_gigabytes(queue.size)}" for queue in waiting[:3])
    sizes = f"{_gigabytes(needed)} of memory, {_gigabytes(available)} are free"
    message = f"the training's queues take up to {sizes} ({listed})"
    first, second = waiting[:2]
    lower = int(first.value(config) * (1 - (needed - available) / first.size))
    is_enough = lower >= (config.train_config.batch_size if "batch_queue" in first.field else 1)
    remedy = f"lower {first.field} to {lower}" if is_enough else f"lower {first.field}, then {second.field}"
    if images.most_pixels > 640 * 640:
        remedy += f", or {_SHRINK}"
    return [Finding(WARNING, "training-memory", files.shown_path(path), message, remedy)]


def queues(config: Message, images: ImageSizes) -> list[Queue]:
    """Return what waits at the same time in a training on these images, largest first."""
    train, reader = config.train_config, config.train_input_reader
    resizer = pipeline_config.detector(config).image_resizer
    if resizer.HasField("fixed_shape_resizer"):
        pixels = padded_pixels = resizer.fixed_shape_resizer.width * resizer.fixed_shape_resizer.height
    else:
        pixels, padded_pixels = images.mean_pixels, images.most_pixels
    image, batch = pixels * _FLOAT_PIXEL, train.batch_size * padded_pixels * _FLOAT_PIXEL
    sizes = {
        "train_input_reader.shuffle_buffer_size": reader.shuffle * reader.shuffle_buffer_size * images.mean_bytes,
        "train_input_reader.num_parallel_map_calls": reader.num_parallel_map_calls * images.mean_pixels * _BYTE_PIXEL,
        "train_config.batch_queue_capacity": train.batch_queue_capacity * image,
        "train_config.prefetch_queue_capacity": train.prefetch_queue_capacity * batch,
        "train_config.batch_size": 2 * batch,  # as it is, and cut to the images' sizes
    }
    return sorted((Queue(size, field) for field, size in sizes.items()), reverse=True)


def check_evaluation(reader: Message, path: Path | str, available: float | None = None) -> list[Finding]:
    """Warn where the images that wait for the legacy evaluator, a fixed number of them, need more memory than is free.

    Args:
        reader: an InputReader whose record lies on this machine.
        path, available: as in `check`.
    """
    available = available_bytes() if available is None else available
    images = _image_sizes_if_readable(reader)
    if available is None or images is None:
        return []
    needed = _PROGRAM + (_EVALUATED_AHEAD + reader.num_parallel_map_calls) * images.mean_pixels * _BYTE_PIXEL
    if needed <= available:
        return []
    sizes = f"{_gigabytes(needed)} of memory, {_gigabytes(available)} are free"
    message = f"without --fast, the evaluation takes up to {sizes}: {_EVALUATED_AHEAD} decoded images wait"
    remedy = f"{_SHRINK}, or evaluate with --fast"
    return [Finding(WARNING, "evaluation-memory", files.shown_path(path), message, remedy)]


def image_sizes(records: Iterable[str]) -> ImageSizes:
    """Read the sizes of a record's first images.

    Raises:
        DataError, DecodeError: the record is damaged, or holds no examples.
        OSError: the bytes of an image are not an image.
    """
    from PIL import Image

    from scripts.lib.records import read

    pixels, stored = [], []
    for example in itertools.islice(itertools.chain.from_iterable(map(read.read, records)), _SAMPLED):
        with Image.open(io.BytesIO(example.encoded)) as image:
            pixels.append(image.width * image.height)
        stored.append(len(example.encoded))
    return ImageSizes(sum(pixels) / len(pixels), max(pixels), sum(stored) / len(stored))


def _image_sizes_if_readable(reader: Message) -> ImageSizes | None:
    try:
        return image_sizes(reader.tf_record_input_reader.input_path)
    except (DataError, DecodeError, OSError):  # which the steps that make and read records report
        return None


def _gigabytes(size: float) -> str:
    return f"{size / GIGABYTE:.1f} GB"


def available_bytes() -> int | None:
    """Return the memory that is free on this machine, within a container's limit; None where nothing tells it."""
    if sys.platform == "win32":
        return _windows_bytes()
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
        return min([free, *_container_bytes()])
    with contextlib.suppress(AttributeError, OSError, ValueError):  # macOS tells what there is, not what is free
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _container_bytes() -> list[int]:
    """Return what a container's limit leaves, if it has one: cgroup v2, where memory.max is "max" without."""
    with contextlib.suppress(OSError, ValueError):
        limit, usage = (Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii") for name in ("max", "stat"))
        used = dict(line.split() for line in usage.splitlines())["anon"]  # the files' cache can be given back
        return [int(limit) - int(used)]
    return []


def _windows_bytes() -> int | None:
    """Return MEMORYSTATUSEX.ullAvailPhys (sysinfoapi.h)."""
    import ctypes

    status = (ctypes.c_ulonglong * 8)(64)  # dwLength and dwMemoryLoad, then seven sizes; the second is ullAvailPhys
    return status[2] if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
