"""What can run an exported model: one module a runtime, each with a class `Model`; see `Model` here.

Only the chosen runtime's library is imported.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from scripts.lib import files
from scripts.lib.command_line import UsageError
from scripts.lib.onnx_conversion import ConversionError

NAMES = ("onnx", "openvino", "tensorflow")
AUTO = "auto"
_LIBRARIES = {"onnx": "onnxruntime", "openvino": "openvino", "tensorflow": "tensorflow"}
_TITLES = {"onnx": "ONNX Runtime", "openvino": "OpenVINO", "tensorflow": "TensorFlow"}


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

    "auto" is ONNX Runtime: in float32 everywhere, twice as fast as TensorFlow and more, and loaded in a tenth of the
    time. Where it is not installed or cannot run the model, TensorFlow does, and a line says so. OpenVINO is never
    chosen by itself: in float32 it gains little, and in bfloat16, which it takes on a CPU that has it, scores change.

    Raises:
        UsageError: there is no such model, or the runtime that was asked for is missing or cannot run it.
    """
    if name != AUTO:
        try:
            return _model(folder, name), name
        except ImportError as error:
            if error.name != _LIBRARIES[name]:
                raise
            remedy = "python -m pip install -r requirements-runtimes.txt" if name == "openvino" else "see README.md"
            raise UsageError(f"--runtime {name}: {_LIBRARIES[name]} is not installed; {remedy}") from None
        except ConversionError as error:
            raise UsageError(f"--runtime {name} cannot run {files.display(folder)}: {error}; take tensorflow") from None
    try:
        return _model(folder, "onnx"), "onnx"
    except ConversionError as error:
        why = str(error)
    except ImportError as error:
        if error.name != _LIBRARIES["onnx"]:
            raise
        why = "onnxruntime is not installed"
    print(f"ONNX Runtime cannot run {files.display(folder)} ({why}): TensorFlow does", file=sys.stderr, flush=True)
    return _model(folder, "tensorflow"), "tensorflow"


def _model(folder: Path, name: str) -> Model:
    return importlib.import_module(f"scripts.lib.runtimes.{name}").Model(folder)
