"""ONNX Runtime."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from scripts.lib.core import parallel
from scripts.lib.models.metadata import ModelDescription
from scripts.lib.models.onnx_conversion import ConversionError, find_or_make
from scripts.lib.models.runtimes import Found
from scripts.lib.models.runtimes.converted import ConvertedModel


class Model(ConvertedModel):
    """The ONNX file of an exported model on the CPU.

    All cores work on an image that comes alone. Of several, each has a core of its own: of 300x300 pixels on two cores,
    an image took 9.2 ms so, and 10.1 ms otherwise; resizing and suppression, which are not shared between cores, aside.
    """

    def __init__(self, folder: Path):
        self._file = find_or_make(folder)
        try:
            self._session = session(self._file)
            description = ModelDescription.from_metadata(self._session.get_modelmeta().custom_metadata_map)
        except ImportError:
            raise
        except Exception as error:  # ONNX Runtime raises all kinds
            why = str(error).partition("\n")[0][:200]
            raise ConversionError(f"{self._file.name} is damaged, or was not made by this project: {why}") from error
        self._input = self._session.get_inputs()[0].name
        super().__init__(description)

    def run(self, prepared: Sequence[np.ndarray], min_score: float = 0.0) -> Iterator[Found]:
        cores = min(parallel.available_cores(), len(prepared))
        if cores == 1 or self.description.suppression is None:
            return super().run(prepared, min_score)
        return parallel.ordered_map(functools.partial(self._on_one_core, min_score=min_score), prepared, cores)

    def _on_one_core(self, image: np.ndarray, min_score: float) -> Found:
        (boxes,), (scores,) = self._single.run(None, {self._input: image[np.newaxis]})
        return self._suppressed(boxes, scores, min_score)

    @functools.cached_property
    def _single(self):
        return session(self._file, num_threads=1)

    def _infer(self, batch: np.ndarray) -> list[np.ndarray]:
        return self._session.run(None, {self._input: batch})


def session(model: Path | bytes, num_threads: int = 0):
    """An `onnxruntime.InferenceSession` on the CPU, quiet.

    Args:
        model: the file or its content.
        num_threads: that work on one image; 0: all cores; 1: the caller's.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = num_threads
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
    )
