"""OpenVINO: for Intel's CPUs, in bfloat16 where they compute with it, or in 8-bit integers."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from scripts.lib.models import exported_model, onnx_conversion, onnx_graph
from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.onnx_conversion import ConversionError
from scripts.lib.models.runtimes.converted import ConvertedModel


class Model(ConvertedModel):
    """The OpenVINO or ONNX file of an exported model on the CPU.

    Args:
        folder: of the exported model.
        file: `exported_model.OPENVINO` or `OPENVINO_INT8`; where it is missing, the ONNX file of its kind is read.
        precision: of what is not in 8-bit integers, "f32" or "bf16"; None: bfloat16 where the CPU has instructions for
            it (AMX or AVX512-BF16), else float32.
    """

    def __init__(
        self, folder: Path, file: str = exported_model.OPENVINO, precision: str | None = None, threads: int = 0
    ):
        core = _core()
        self.precision = precision or ("bf16" if computes_in_bfloat16() else "f32")
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self.precision,
            "INFERENCE_NUM_THREADS": threads,  # 0: its own choice
        }
        try:
            model = _read(folder, file)
            texts = {name: value.astype(str) for name, value in model.get_rt_info("framework").astype(dict).items()}
            self._compiled = core.compile_model(model, "CPU", settings)
            metadata = ModelMetadata.from_text(texts)
        except ConversionError:
            raise
        except Exception as error:  # onnx and OpenVINO raise all kinds
            raise ConversionError(f"OpenVINO: {repr(error).strip().splitlines()[-1][:200]}") from error
        self._takes_batches = self._compiled.input().partial_shape.is_dynamic
        super().__init__(metadata)

    def _infer(self, batch: np.ndarray) -> list[np.ndarray]:
        request = self._compiled.create_infer_request()
        batches = [batch] if self._takes_batches else batch[:, np.newaxis]
        found = [request.infer([images], share_inputs=True).values() for images in batches]
        return [np.concatenate(values) for values in zip(*found, strict=True)]


@functools.cache
def _core() -> Any:
    """Return the one `openvino.Core` of this process.

    Each one gives signals a stack and gives back the former when it goes (OpenVINO 2026.4, on Linux). If two go in the
    order in which they came, the stack that stays is one that is no more, and Ctrl+C is a segmentation fault.
    """
    import openvino

    return openvino.Core()


def computes_in_bfloat16() -> bool:
    """Return whether OpenVINO chooses bfloat16 on this CPU."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def convert(folder: Path, file: str) -> None:
    """Write an OpenVINO file of an exported model beside its ONNX file, weights in float32 or in 8-bit integers.

    Raises:
        ConversionError: OpenVINO cannot run the ONNX file.
    """
    import openvino

    Model(folder, file, "f32")
    (folder / file).parent.mkdir(exist_ok=True)
    openvino.save_model(_read(folder, file), folder / file, compress_to_fp16=False)


def _read(folder: Path, file: str) -> Any:
    """Return an `openvino.Model` from an OpenVINO file, or where it is missing from the ONNX file of its kind.

    In 8-bit integers it takes one image: OpenVINO 2026.4 gives all channels of the first convolution the first one's
    bias where the size of the batch is open.
    """
    core = _core()
    if (folder / file).is_file():
        return core.read_model(folder / file)
    if file == exported_model.OPENVINO:
        return core.read_model(onnx_graph.read_network(onnx_conversion.find_or_make(folder))[0])
    model = core.read_model(onnx_graph.read_network(onnx_conversion.find_int8(folder))[0])
    model.reshape([1, *list(model.input().partial_shape)[1:]])
    return model
