"""The runtimes of exported models.

To add one: write a module here with a class `Model` that follows the protocol `Model` below (`converted.ConvertedModel`
does most of it for files that hold their metadata), and enter it in RUNTIMES. Only the chosen runtime's library is
imported.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from scripts.lib.core import command_line, files
from scripts.lib.core.errors import UsageError
from scripts.lib.environment import packages
from scripts.lib.models import exported_model, onnx_conversion
from scripts.lib.models.onnx_conversion import ConversionError


class Runtime(NamedTuple):
    """Where a runtime's class `Model` is, the library that it needs, and what else the class takes."""

    module: str
    library: str
    options: tuple[str, ...] = ()


RUNTIMES = {
    "onnx": Runtime("onnx", "onnxruntime"),
    "onnx_int8": Runtime("onnx", "onnxruntime", (exported_model.ONNX_INT8,)),
    "openvino": Runtime("openvino", "openvino"),
    "openvino_int8": Runtime("openvino", "openvino", (exported_model.OPENVINO_INT8,)),
    "tensorflow": Runtime("tensorflow", "tensorflow"),
    # Not offered by --runtime; export_model.py checks its formats with them.
    "openvino_float32": Runtime("openvino", "openvino", (exported_model.OPENVINO, "f32")),
    "litert": Runtime("litert", "ai_edge_litert"),
    "litert_int8": Runtime("litert", "ai_edge_litert", (exported_model.TFLITE_INT8,)),
    "saved_model": Runtime("tensorflow", "tensorflow", (exported_model.SAVED_MODEL,)),
}
NAMES = ("onnx", "onnx_int8", "openvino", "openvino_int8", "tensorflow")
AUTO = "auto"


def add_flags(parser: argparse._ActionsContainer) -> None:
    """Add --runtime, --threads and --providers."""
    help_text = "what runs the model; auto: ONNX Runtime (8-bit integers if the export has them), or TensorFlow"
    parser.add_argument("--runtime", choices=(AUTO, *NAMES), default=AUTO, help=help_text)
    help_text = "threads that run the model; 0: one per core"
    parser.add_argument("--threads", type=command_line.not_negative_int, default=0, help=help_text)
    help_text = "ONNX Runtime's execution providers, e.g. CUDAExecutionProvider (default: the CPU's)"
    parser.add_argument("--providers", nargs="+", action="extend", default=[], metavar="PROVIDER", help=help_text)


class NormalizedDetections(NamedTuple):
    """Detections on one image, best first.

    Attributes:
        boxes_yxyx_normalized: float32 [N, 4], 0..1 of the image's height and width.
        scores: float32 [N].
        class_ids: int64 [N], from 1 on.
    """

    boxes_yxyx_normalized: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray


class Model(Protocol):
    """An exported model in a runtime. Several threads may use it at once.

    It is made from the model's folder and, where they are chosen, `threads` (and by ONNX Runtime `providers`); it
    raises UsageError, ImportError or ConversionError where that cannot be.
    """

    class_names: Mapping[int, str]  # by class id
    global_step: int | None  # of the checkpoint that was exported, where it is known

    def prepare(self, image_rgb: np.ndarray) -> Any:
        """Return what `run` takes, from an image uint8 [height, width, 3]: resized, unless the model does it itself."""

    def run(self, prepared: Sequence[Any], min_score: float = 0.0) -> Iterator[NormalizedDetections]:
        """Detect on a batch of images, in its order; a few detections below `min_score` may be among them."""


def unpadded(
    boxes: np.ndarray, scores: np.ndarray, class_ids: np.ndarray, counts: np.ndarray
) -> Iterator[NormalizedDetections]:
    """Yield the detections of each image of a batch, from the padded outputs of the API's graphs."""
    for *values, count in zip(boxes, scores, class_ids, counts, strict=True):
        kept_boxes, kept_scores, kept_ids = (value[: int(count)] for value in values)
        yield NormalizedDetections(kept_boxes, kept_scores, kept_ids.astype(np.int64))


def load(folder: Path, name: str = AUTO, threads: int = 0, providers: Sequence[str] = ()) -> tuple[Model, str]:
    """Return an exported model in the runtime of that name, and the name.

    "auto" is ONNX Runtime: in float32 everywhere, faster than TensorFlow, and loaded in a tenth of the time; on the CPU
    in 8-bit integers where the export holds them, which export_model.py has checked, and a line says so. Where it is
    not installed or cannot run the model, TensorFlow does, and a line says so, too. "auto" chooses OpenVINO only where
    the export has no other format: in bfloat16, its choice on a CPU that has it, scores change.

    Args:
        folder: of the exported model.
        name: one of RUNTIMES, or AUTO.
        threads, providers: see `detector.Detector`.

    Raises:
        UsageError: there is no such model, or the runtime that was asked for is missing or cannot run it.
    """
    shown = files.shown_path(folder)
    has_graph = (folder / exported_model.FROZEN_GRAPH).is_file()
    wanted = _automatic(folder, providers) if name == AUTO else name
    if name == "tensorflow" and not has_graph:
        raise UsageError(f"runtime tensorflow: {shown} has no {exported_model.FROZEN_GRAPH}")
    if providers and RUNTIMES[wanted].library != "onnxruntime":
        raise UsageError(f"providers are ONNX Runtime's, and {shown} would run in {wanted}; leave --providers out")
    try:
        model = _model(folder, wanted, threads, providers)
        if name != wanted and wanted.endswith("_int8"):
            in_float = f"--runtime {wanted.removesuffix('_int8')}: in float32"
            print(f"Running {shown} in 8-bit integers ({wanted}); {in_float}", file=sys.stderr, flush=True)
        return model, wanted
    except ModuleNotFoundError as error:
        if error.name != RUNTIMES[wanted].library:
            raise
        reason = packages.how_to_install(error.name)
    except ConversionError as error:
        reason = str(error)
    if name != AUTO or not has_graph:
        raise UsageError(f"runtime {wanted} cannot run {shown}: {reason}. Take another one, or export the model again")
    print(f"ONNX Runtime cannot run {shown} ({reason}): TensorFlow does", file=sys.stderr, flush=True)
    return _model(folder, "tensorflow", threads), "tensorflow"


def _automatic(folder: Path, providers: Sequence[str]) -> str:
    """Return the name of the runtime that "auto" stands for."""
    on_cpu = {*providers} <= {onnx_conversion.CPU_PROVIDER}  # others gain nothing by 8-bit integers
    if on_cpu and onnx_conversion.is_current(folder, exported_model.ONNX_INT8):
        return "onnx_int8"
    if any((folder / name).is_file() for name in (exported_model.FROZEN_GRAPH, exported_model.ONNX)):
        return "onnx"
    return "openvino_int8" if (folder / exported_model.OPENVINO_INT8).is_file() else "openvino"


def _model(folder: Path, name: str, threads: int = 0, providers: Sequence[str] = ()) -> Model:
    runtime = RUNTIMES[name]
    module = importlib.import_module(f"{__name__}.{runtime.module}")
    chosen = {"threads": threads, "providers": providers}
    return module.Model(folder, *runtime.options, **{key: value for key, value in chosen.items() if value})
