"""OpenVINO: for Intel's CPUs, in bfloat16 where they compute with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scripts.lib.models import exported_model, onnx_conversion, onnx_graph
from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.onnx_conversion import ConversionError
from scripts.lib.models.runtimes.converted import ConvertedModel


class Model(ConvertedModel):
    """The OpenVINO or ONNX file of an exported model on the CPU.

    Args:
        folder: of the exported model.
        precision: "f32" or "bf16"; None: bfloat16 where the CPU has instructions for it (AMX or AVX512-BF16), which
            OpenVINO tells by its device's capabilities, else float32.
    """

    def __init__(self, folder: Path, precision: str | None = None):
        import openvino

        core = openvino.Core()
        if precision is None:
            precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        path = folder / exported_model.OPENVINO
        try:
            network = path if path.is_file() else onnx_graph.read_network(onnx_conversion.find_or_make(folder))[0]
            model = core.read_model(network)
            texts = {name: value.astype(str) for name, value in model.get_rt_info("framework").astype(dict).items()}
            settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
            self._compiled = core.compile_model(model, "CPU", settings)
            metadata = ModelMetadata.from_text(texts)
        except ConversionError:
            raise
        except Exception as error:  # onnx and OpenVINO raise all kinds
            raise ConversionError(f"OpenVINO: {repr(error).strip().splitlines()[-1][:200]}") from error
        super().__init__(metadata)

    def _infer(self, batch: np.ndarray) -> list[np.ndarray]:
        return list(self._compiled.create_infer_request().infer([batch], share_inputs=True).values())
