"""ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scripts.lib.model_description import ModelDescription
from scripts.lib.onnx_conversion import find_or_make
from scripts.lib.runtimes.converted import ConvertedModel


class Model(ConvertedModel):
    """The ONNX file of an exported model on the CPU."""

    def __init__(self, folder: Path):
        self._session = session(find_or_make(folder))
        self._input = self._session.get_inputs()[0].name
        super().__init__(ModelDescription.from_metadata(self._session.get_modelmeta().custom_metadata_map))

    def _infer(self, batch: np.ndarray) -> list[np.ndarray]:
        return self._session.run(None, {self._input: batch})


def session(model: Path | bytes):
    """An `onnxruntime.InferenceSession` on the CPU, quiet."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
    )
