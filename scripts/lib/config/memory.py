"""How much memory a training or an evaluation will take, told from config and record before TensorFlow is imported.

Besides the detector's own there are the images that wait: `legacy/trainer.py` turns every image to float32 (12 bytes a
pixel), queues it, batches it padded to the largest of the batch, and queues the batches. A detector whose input has one
size gets them resized before (`object_detection_api/training_input.py`); for another, they wait at the size that the
record holds them in, and are most of it all. The shuffle buffer holds 2,048 examples; they are still encoded there, so
that it is the lesser part (`builders/dataset_builder.py`, `core/batcher.py`, `core/prefetcher.py`).
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

from scripts.lib.core import files
from scripts.lib.core.errors import WARNING, DataError, Finding

GIGABYTE = 2**30
_SAMPLED = 200  # images whose size is read
_FLOAT_PIXEL = 12  # bytes: float32, three channels
_BYTE_PIXEL = 3
_EVALUATED_AHEAD = 500  # images in the queue of `legacy/evaluator.py`
_SHRINK = "shrink the photos once by generate_tfrecord.py --max_image_side 640"
_PROGRAM = 700 * 2**20  # TensorFlow, the API and their graph


class Part(NamedTuple):
    """A part of the memory that a training takes.

    Attributes:
        size: in bytes.
        field: of the pipeline config that decides on it; empty where none does.
        value: of that field.
    """

    size: float
    field: str = ""
    value: int = 0


class Model(NamedTuple):
    """What a detector takes in training.

    Attributes:
        parameters: trainable ones.
        bytes_per_pixel: of its input, for each image of the batch: what the gradients need, as measured.
    """

    parameters: float
    bytes_per_pixel: float


# By feature extractor; another one is taken for the largest of those of the same meta architecture. Measured as the
# rest of what a run took (two or three steps of configs/ on 80 photos of 640 pixels). What 300x300 and batch 24 gave
# for ssd_mobilenet_v1 foretold 4.3 GB for 512x512 and batch 8, which then took 4.3 GB, and 4.8 GB for 192x192 and batch
# 64 with short queues, which took 4.1 GB: its small crops make the images that wait smaller.
MODELS = {
    "ssd_mobilenet_v1": Model(7e6, 1250),
    "ssd_mobilenet_v2": Model(6e6, 1250),
    "ssd_mobilenet_v1_fpn": Model(11e6, 1170),
    "ssd_inception_v2": Model(25e6, 1350),
    "faster_rcnn_inception_v2": Model(13e6, 640),
    "faster_rcnn_resnet101": Model(48e6, 3900),
    "faster_rcnn_nas": Model(105e6, 12000),  # not measured: three times ResNet-101
}


class ImageSizes(NamedTuple):
    """The images of a record.

    Attributes:
        sizes: width and height of each in pixels.
        mean_bytes: of an image as it is stored.
    """

    sizes: list[tuple[int, int]]
    mean_bytes: float

    @property
    def mean_pixels(self) -> float:
        return sum(width * height for width, height in self.sizes) / len(self.sizes)

    @property
    def most_pixels(self) -> int:
        return max(width * height for width, height in self.sizes)


def estimate(config: Message, images: ImageSizes) -> list[Part]:
    """What the training will hold at the same time; an upper bound, since random crops are smaller than their photos.

    Args:
        config: a TrainEvalPipelineConfig with an SSD or Faster R-CNN model.
        images: those of its training record.
    """
    train, reader = config.train_config, config.train_input_reader
    parameters, per_image = _model_bytes(config, images)
    resizer = getattr(config.model, config.model.WhichOneof("model")).image_resizer
    if resizer.HasField("fixed_shape_resizer"):
        image = padded = _input_pixels(resizer, images) * _FLOAT_PIXEL
    else:
        image, padded = images.mean_pixels * _FLOAT_PIXEL, images.most_pixels * _FLOAT_PIXEL
    batch = train.batch_size * padded
    in_step = 2 * batch + train.batch_size * per_image  # as it is and cut to the images' sizes, and in the detector
    decoded = reader.num_parallel_map_calls * images.mean_pixels * _BYTE_PIXEL
    return [
        Part(_PROGRAM),
        Part(parameters),
        Part(
            reader.shuffle * reader.shuffle_buffer_size * images.mean_bytes,
            "train_input_reader.shuffle_buffer_size",
            reader.shuffle_buffer_size,
        ),
        Part(decoded, "train_input_reader.num_parallel_map_calls", reader.num_parallel_map_calls),
        Part(train.batch_queue_capacity * image, "train_config.batch_queue_capacity", train.batch_queue_capacity),
        Part(
            train.prefetch_queue_capacity * batch, "train_config.prefetch_queue_capacity", train.prefetch_queue_capacity
        ),
        Part(in_step, "train_config.batch_size", train.batch_size),
    ]


def _model_bytes(config: Message, images: ImageSizes) -> tuple[float, float]:
    """The bytes of the parameters with their gradients and two slots of the optimizer, and those for each image."""
    kind = config.model.WhichOneof("model")
    detector = getattr(config.model, kind)
    name = detector.feature_extractor.type
    alike = [model for other, model in MODELS.items() if other.startswith(kind)]
    parameters, per_pixel = MODELS.get(name) or Model(*map(max, zip(*alike, strict=True)))
    return parameters * 4 * 4, per_pixel * _input_pixels(detector.image_resizer, images)


def _input_pixels(resizer: Message, images: ImageSizes) -> float:
    """Pixels of the detector's largest input: `image_resizer.proto`."""
    if resizer.HasField("fixed_shape_resizer"):
        return resizer.fixed_shape_resizer.height * resizer.fixed_shape_resizer.width
    if not resizer.HasField("keep_aspect_ratio_resizer"):
        return images.most_pixels
    keep = resizer.keep_aspect_ratio_resizer
    if keep.pad_to_max_dimension:
        return keep.max_dimension**2
    return max(
        width * height * min(keep.min_dimension / min(width, height), keep.max_dimension / max(width, height)) ** 2
        for width, height in images.sizes
    )


def image_sizes(records: Iterable[str]) -> ImageSizes:
    """The sizes of a record's first images.

    Raises:
        DataError, DecodeError: the record is damaged, or holds no examples.
        OSError: an image is no image.
    """
    from PIL import Image

    from scripts.lib.records import read

    sizes, stored = [], []
    for example in itertools.islice(itertools.chain.from_iterable(map(read.read, records)), _SAMPLED):
        with Image.open(io.BytesIO(example.encoded)) as image:
            sizes.append(image.size)
        stored.append(len(example.encoded))
    return ImageSizes(sizes, sum(stored) / len(stored))


def check(config: Message, path: Path | str, available: float | None = None) -> list[Finding]:
    """A warning where the training needs more memory than there is, with the field that holds most of it.

    Args:
        config: a TrainEvalPipelineConfig, with a model and a readable training record on this machine.
        path: its file, for the finding.
        available: bytes; None: those of this machine, where it tells them.
    """
    available = available_bytes() if available is None else available
    images = _image_sizes_if_readable(config.train_input_reader)
    if available is None or images is None or config.model.WhichOneof("model") not in ("ssd", "faster_rcnn"):
        return []
    parts = estimate(config, images)
    needed = sum(part.size for part in parts)
    if needed <= available:
        return []
    named = sorted((part for part in parts if part.field), reverse=True)
    listed = ", ".join(f"{part.field} {part.value}: {_gigabytes(part.size)}" for part in named[:3])
    message = f"the training takes up to {_gigabytes(needed)} of memory, {_gigabytes(available)} are free ({listed})"
    largest = named[0]
    lower = int(largest.value * (1 - (needed - available) / largest.size))
    is_enough = lower >= (config.train_config.batch_size if "batch_queue" in largest.field else 1)
    remedy = f"lower {largest.field} to {lower}" if is_enough else f"lower {largest.field}, then {named[1].field}"
    if images.most_pixels > 640 * 640:
        remedy += f", or {_SHRINK}"
    return [Finding(WARNING, "training-memory", files.shown_path(path), message, remedy)]


def check_evaluation(reader: Message, path: Path | str, available: float | None = None) -> list[Finding]:
    """A warning where the images that wait for the legacy evaluator, a fixed number of them, need more than there is.

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
    message = (
        f"without --fast, the evaluation takes up to {_gigabytes(needed)} of memory, {_gigabytes(available)} are free: "
        f"{_EVALUATED_AHEAD} decoded images wait"
    )
    return [
        Finding(WARNING, "evaluation-memory", files.shown_path(path), message, f"{_SHRINK}, or evaluate with --fast")
    ]


def _image_sizes_if_readable(reader: Message) -> ImageSizes | None:
    try:
        return image_sizes(reader.tf_record_input_reader.input_path)
    except (DataError, DecodeError, OSError):  # which the steps that make and read records report
        return None


def _gigabytes(size: float) -> str:
    return f"{size / GIGABYTE:.1f} GB"


# ------------------------------------------------------------------------------------------------------ the machine's


def available_bytes() -> int | None:
    """Memory that a program may still take on this machine, a container's limit included; None where nothing tells."""
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
    """What a container's limit leaves, if it has one: cgroup v2, where memory.max is "max" without."""
    with contextlib.suppress(OSError, ValueError):
        limit, usage = (Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii") for name in ("max", "stat"))
        used = dict(line.split() for line in usage.splitlines())["anon"]  # the files' cache can be given back
        return [int(limit) - int(used)]
    return []


def _windows_bytes() -> int | None:
    """MEMORYSTATUSEX.ullAvailPhys (sysinfoapi.h)."""
    import ctypes

    class MemoryStatus(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "page", "page_free", "virtual", "virtual_free")),
            ("extended", ctypes.c_ulonglong),
        ]

    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    return status.free if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
