"""What can run an exported model: one module a runtime, each with a class `Model`; see `Model` here.

Only the chosen runtime's library is imported.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from scripts.lib.core import files
from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model
from scripts.lib.models.onnx_conversion import ConversionError

NAMES = ("onnx", "openvino", "tensorflow")
AUTO = "auto"
_CLASSES = {
    **{name: f"{name}.Model" for name in NAMES},
    # What export_model.py checks its formats with, besides.
    "openvino_float32": "openvino.Float32Model",
    "litert": "litert.Model",
    "litert_int8": "litert.Int8Model",
    "saved_model": "saved_model.Model",
}
_LIBRARIES = {
    "onnx": "onnxruntime",
    "openvino_float32": "openvino",
    "litert": "ai_edge_litert",
    "litert_int8": "ai_edge_litert",
    "saved_model": "tensorflow",
}


def add_flag(parser: argparse._ActionsContainer) -> None:
    """Adds --runtime."""
    parser.add_argument(
        "--runtime",
        choices=(AUTO, *NAMES),
        default=AUTO,
        help="what runs the model; auto: ONNX Runtime, or TensorFlow where that cannot; openvino is in "
        "requirements-runtimes.txt",
    )


class Found(NamedTuple):
    """Detections on one image, best first.

    Attributes:
        boxes_yxyx_normalized: float32 [N, 4], shares of the image's height and width.
        scores: float32 [N].
        class_ids: int64 [N], from 1 on.
    """

    boxes_yxyx_normalized: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray


class Model(Protocol):
    """An exported model in a runtime. Several threads may use it at once.

    Args:
        folder: of the exported model.

    Raises:
        UsageError: the folder lacks what the runtime needs.
        ImportError: the runtime is not installed.
        ConversionError: the runtime cannot run this model.

    Attributes:
        class_names: class id -> name.
        global_step: the training step of the checkpoint that was exported, or None where it is not known.
    """

    class_names: Mapping[int, str]

    def __init__(self, folder: Path): ...

    @property
    def global_step(self) -> int | None: ...

    def prepare(self, image_rgb: np.ndarray) -> Any:
        """What `run` takes, of an image uint8 [height, width, 3]: resized, where the model does not do it itself."""

    def run(self, prepared: Sequence[Any], min_score: float = 0.0) -> Iterator[Found]:
        """Detects on a batch of images, in its order; a few detections below `min_score` may be among them."""


def load(folder: Path, name: str = AUTO) -> tuple[Model, str]:
    """An exported model in the runtime of that name, and the name.

    "auto" is ONNX Runtime: in float32 everywhere, faster than TensorFlow, and loaded in a tenth of the time. Where it
    is not installed or cannot run the model, TensorFlow does, and a line says so. OpenVINO is chosen by itself only
    where the export has no other format: in float32 it gains little, and in bfloat16, which it takes on a CPU that has
    it, scores change.

    Raises:
        UsageError: there is no such model, or the runtime that was asked for is missing or cannot run it.
    """
    if name == AUTO and not _has(folder, exported_model.ONNX, exported_model.FROZEN_GRAPH):
        name = "openvino"
    if name == "tensorflow" and not _has(folder, exported_model.FROZEN_GRAPH):
        raise UsageError(f"runtime tensorflow: {files.shown_path(folder)} has no {exported_model.FROZEN_GRAPH}")
    if name != AUTO:
        try:
            return _model(folder, name), name
        except ModuleNotFoundError as error:
            library = _LIBRARIES.get(name, name)
            if error.name != library:
                raise
            suffix = "" if library in ("onnxruntime", "tensorflow") else "-runtimes"
            remedy = f"python -m pip install -r requirements{suffix}.txt"
            raise UsageError(f"runtime {name}: {library} is not installed; {remedy}") from None
        except ConversionError as error:
            remedy = "take tensorflow" if _has(folder, exported_model.FROZEN_GRAPH) else "export the model again"
            raise UsageError(f"runtime {name} cannot run {files.shown_path(folder)}: {error}; {remedy}") from None
    try:
        return _model(folder, "onnx"), "onnx"
    except ConversionError as error:
        why = str(error)
    except ModuleNotFoundError as error:
        if error.name != _LIBRARIES["onnx"]:
            raise
        why = "onnxruntime is not installed"
    reason = f"ONNX Runtime cannot run {files.shown_path(folder)} ({why})"
    if not _has(folder, exported_model.FROZEN_GRAPH):
        raise UsageError(f"{reason}, and there is no {exported_model.FROZEN_GRAPH} for TensorFlow")
    print(f"{reason}: TensorFlow does", file=sys.stderr, flush=True)
    return _model(folder, "tensorflow"), "tensorflow"


def _has(folder: Path, *names: str) -> bool:
    return any((folder / name).is_file() for name in names)


def _model(folder: Path, name: str) -> Model:
    module, _, model = _CLASSES[name].partition(".")
    return getattr(importlib.import_module(f"scripts.lib.models.runtimes.{module}"), model)(folder)
