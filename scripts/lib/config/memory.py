"""Estimate the memory of the images that wait in the trainer's and the evaluator's queues, without TensorFlow.

`legacy/trainer.py` shuffles encoded examples, decodes some of them, queues the images as float32, pads them to the
largest of their batch, and queues the batches. For a detector whose input has one size they are resized before they
are queued (`object_detection_api/hooks.py`); for another they wait at the size they have in the record. What the
detector itself takes comes on top.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psutil
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


class ImageSizes(NamedTuple):
    """The images of a record: mean and largest number of pixels, and mean number of bytes as they are stored."""

    mean_pixels: float
    most_pixels: int
    mean_bytes: float


def check(config: Message, path: Path | str, available: float | None = None) -> list[Finding]:
    """Warn where the images that wait for the training need more memory than is free; name the field to lower.

    The config has a model and a training record on this machine. `available`: bytes; None: those of this machine.
    """
    images = image_sizes(config.train_input_reader.tf_record_input_reader.input_path)
    if images is None:
        return []
    sizes = queues(config, images)
    first, second = [f"{field} ({size / GIGABYTE:.1f} GB)" for field, size in sizes.items()][:2]
    remedy = f"lower {first}, then {second}"
    if images.most_pixels > 640 * 640:
        remedy += f", or {_SHRINK}"
    return _warning("training-memory", path, "the training's queues take", sum(sizes.values()), available, remedy)


def check_evaluation(reader: Message, path: Path | str, available: float | None = None) -> list[Finding]:
    """Warn where the images that wait for the legacy evaluator, a fixed number, need more memory than is free."""
    images = image_sizes(reader.tf_record_input_reader.input_path)
    if images is None:
        return []
    size = (_EVALUATED_AHEAD + reader.num_parallel_map_calls) * images.mean_pixels * _BYTE_PIXEL
    what = f"without --fast, {_EVALUATED_AHEAD} decoded images wait for the evaluation, which takes"
    return _warning("evaluation-memory", path, what, size, available, f"{_SHRINK}, or evaluate with --fast")


def _warning(
    code: str, path: Path | str, what: str, size: float, available: float | None, remedy: str
) -> list[Finding]:
    available = available_bytes() if available is None else available
    needed = size + _PROGRAM
    if needed <= available:
        return []
    message = f"{what} up to {needed / GIGABYTE:.1f} GB of memory, {available / GIGABYTE:.1f} GB are free"
    return [Finding(WARNING, code, files.shown_path(path), message, remedy)]


def queues(config: Message, images: ImageSizes) -> dict[str, float]:
    """Return the bytes that wait at the same time in a training, at most, by the field that decides, largest first."""
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
    return dict(sorted(sizes.items(), key=lambda item: item[1], reverse=True))


def image_sizes(records: Iterable[str]) -> ImageSizes | None:
    """Read the sizes of the first images; None where they cannot be read, which the checks of records report."""
    from scripts.lib.images import decode
    from scripts.lib.records import read

    pixels, stored = [], []
    with contextlib.suppress(DataError, DecodeError, OSError):
        for example in itertools.islice(itertools.chain.from_iterable(map(read.read, records)), _SAMPLED):
            with decode.open_image(example.encoded) as image:
                pixels.append(image.width * image.height)
            stored.append(len(example.encoded))
    if not pixels:
        return None
    return ImageSizes(sum(pixels) / len(pixels), max(pixels), sum(stored) / len(stored))


def available_bytes() -> int:
    """Return the memory that is free on this machine, within a container's limit."""
    free = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # cgroup v2, where memory.max is "max" without a limit
        limit, usage = (Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii") for name in ("max", "stat"))
        used = dict(line.split() for line in usage.splitlines())["anon"]  # the files' cache can be given back
        free = min(free, int(limit) - int(used))
    return free
