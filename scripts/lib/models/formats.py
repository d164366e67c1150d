"""The formats that export_model.py writes.

To add one: write a function that makes its files and returns how to check them, and enter it in FORMATS. What runs it
for the check is a module in `runtimes`.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import UsageError
from scripts.lib.environment import packages
from scripts.lib.models import (
    export,
    exported_model,
    metadata,
    onnx_conversion,
    onnx_quantization,
    tflite_conversion,
)
from scripts.lib.models.onnx_conversion import ConversionError
from scripts.lib.records import read


@dataclasses.dataclass
class ExportJob:
    """What is exported, and to where."""

    config: pipeline_config.Message
    checkpoint: str  # prefix
    folder: Path  # of the exported model; the first format, the frozen graph, makes it
    num_calibration_images: int = 0  # training images that set the ranges of 8-bit integers; 0: no int8

    @functools.cached_property
    def calibration_images(self) -> list[np.ndarray]:
        """The images that set the ranges of 8-bit integers, the first of the training record."""
        records = local_records(self.config.train_input_reader)
        if self.num_calibration_images and not records:
            print("No int8: the config's training record, with the images to calibrate it on, is not there")
        return first_images(records, self.num_calibration_images)


class FormatCheck(NamedTuple):
    """How a format is checked: its name for people, the runtime that runs it, and whether it may not round."""

    title: str
    runtime: str
    is_exact: bool = True


class ExportFormat(NamedTuple):
    """A format: what makes its files, their names as patterns, and the libraries that have to be installed."""

    write: Callable[[ExportJob], list[FormatCheck]]  # raises ConversionError where the model cannot have the format
    files: tuple[str, ...]
    libraries: tuple[str, ...] = ()


def _write_frozen(job: ExportJob) -> list[FormatCheck]:
    export.export(job.config, job.checkpoint, job.folder, ["--input_type=image_tensor"])
    metadata.write_json(job.config, job.folder)
    return [FormatCheck("frozen graph, TensorFlow", "tensorflow")]


def _write_saved_model(job: ExportJob) -> list[FormatCheck]:
    """Write the SavedModel that takes the bytes of image files in place of the one that takes pixels."""
    place = job.folder / exported_model.SAVED_MODEL
    with tempfile.TemporaryDirectory(dir=job.folder.parent) as scratch:
        made = Path(scratch) / "export"
        export.export(job.config, job.checkpoint, made, ["--input_type=encoded_image_string_tensor"])
        files.remove(place)
        shutil.move(made / exported_model.SAVED_MODEL, place)
    return [FormatCheck("SavedModel, TensorFlow", "saved_model")]


def _write_onnx(job: ExportJob) -> list[FormatCheck]:
    (job.folder / exported_model.ONNX).write_bytes(onnx_conversion.convert(job.folder))
    return [FormatCheck("ONNX, ONNX Runtime", "onnx")]


def _write_onnx_int8(job: ExportJob) -> list[FormatCheck]:
    if not (job.folder / exported_model.ONNX).is_file():
        _write_onnx(job)
    if job.calibration_images:
        onnx_quantization.write(job.folder, job.calibration_images)
        return [FormatCheck("ONNX int8, ONNX Runtime", "onnx_int8", is_exact=False)]
    return []


def _write_openvino(job: ExportJob) -> list[FormatCheck]:
    from scripts.lib.models.runtimes import openvino

    if not (job.folder / exported_model.ONNX).is_file():
        _write_onnx(job)
    openvino.convert(job.folder, exported_model.OPENVINO)
    checks = [FormatCheck("OpenVINO", "openvino_float32")]
    if openvino.computes_in_bfloat16():
        checks.append(FormatCheck("OpenVINO, bfloat16", "openvino", is_exact=False))
    return checks


def _write_openvino_int8(job: ExportJob) -> list[FormatCheck]:
    from scripts.lib.models.runtimes import openvino

    if not (job.folder / exported_model.ONNX_INT8).is_file() and not _write_onnx_int8(job):
        return []
    openvino.convert(job.folder, exported_model.OPENVINO_INT8)
    return [FormatCheck("OpenVINO int8", "openvino_int8", is_exact=False)]


def _write_tflite(job: ExportJob) -> list[FormatCheck]:
    tflite_conversion.write(job.config, job.folder, job.calibration_images)
    checks = [FormatCheck("TensorFlow Lite, one thread", "litert")]
    if job.calibration_images:
        checks.append(FormatCheck("TensorFlow Lite int8, one thread", "litert_int8", is_exact=False))
    return checks


FROZEN = "frozen"  # always made: the others are made from it and compared with it
FORMATS = {
    FROZEN: ExportFormat(_write_frozen, (exported_model.FROZEN_GRAPH, "checkpoint", f"{exported_model.CHECKPOINT}.*")),
    "saved_model": ExportFormat(_write_saved_model, (exported_model.SAVED_MODEL,)),
    "onnx": ExportFormat(_write_onnx, (exported_model.ONNX,), ("onnx", "tf2onnx", "onnxruntime")),
    "onnx_int8": ExportFormat(_write_onnx_int8, (exported_model.ONNX_INT8,), ("onnx", "tf2onnx", "onnxruntime")),
    "openvino": ExportFormat(_write_openvino, ("openvino/model.*",), ("openvino", "onnx", "tf2onnx")),
    "openvino_int8": ExportFormat(
        _write_openvino_int8, ("openvino/model_int8.*",), ("openvino", "onnx", "tf2onnx", "onnxruntime")
    ),
    "tflite": ExportFormat(_write_tflite, (exported_model.TFLITE, exported_model.TFLITE_INT8), ("ai_edge_litert",)),
}


def check_possible(names: Collection[str], config: pipeline_config.Message) -> None:
    """Raise UsageError where a format's library is missing, or the model cannot have the format."""
    for name in names:
        if missing := [library for library in FORMATS[name].libraries if not packages.is_installed(library)]:
            raise UsageError(f"--formats {name}: {packages.how_to_install(*missing)}")
    for name in {"onnx_int8", "openvino_int8", "tflite"} & {*names}:
        if not metadata.fixed_input_size(config):
            raise UsageError(f"--formats {name} needs an SSD with a fixed_shape_resizer; leave it out")


def write(names: Collection[str], job: ExportJob) -> list[FormatCheck]:
    """Write formats; return how each is to be checked, the frozen graph first.

    Raises:
        UsageError: a format cannot be made of this model.
    """
    checks = []
    for name, export_format in FORMATS.items():
        if name in names or name == FROZEN:
            try:
                checks += export_format.write(job)
            except ConversionError as error:
                raise UsageError(f"--formats {name} cannot be made ({error}); leave it out") from None
    return checks


def remove_others(names: Collection[str], folder: Path) -> None:
    """Remove the formats that were only needed to make those that were asked for."""
    for name, export_format in FORMATS.items():
        if name not in names:
            for path in itertools.chain.from_iterable(map(folder.glob, export_format.files)):
                files.remove(path)


def local_records(reader: pipeline_config.Message) -> list[str]:
    """Return the record files that an input reader names, where they can be read here."""
    return [path for path in reader.tf_record_input_reader.input_path if pipeline_config.record_exists(path)]


def first_images(records: Sequence[str], count: int) -> list[np.ndarray]:
    """Return the first images of records, uint8 [height, width, 3] each."""
    images = itertools.chain.from_iterable(map(read.read, records))
    return [image.pixels() for image in itertools.islice(images, count)]
