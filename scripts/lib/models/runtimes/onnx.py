"""ONNX Runtime, detect.py's default."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from scripts.lib.core import parallel
from scripts.lib.models import exported_model, onnx_conversion, onnx_graph
from scripts.lib.models.onnx_conversion import ConversionError
from scripts.lib.models.runtimes import NormalizedDetections
from scripts.lib.models.runtimes.converted import ConvertedModel


class Model(ConvertedModel):
    """The ONNX file of an exported model, in float32 or in 8-bit integers, on the CPU.

    All cores work on a single image. Of several, each has a core of its own: of 300x300 pixels on two cores, an image
    took 9.2 ms so, and 10.1 ms otherwise, without resizing and suppression, which are not shared between cores.
    """

    def __init__(self, folder: Path, file: str = exported_model.ONNX):
        if file == exported_model.ONNX:
            path = onnx_conversion.find_or_make(folder)
        elif not (path := folder / file).is_file():
            raise ConversionError(f"there is no {file}, which export_model.py --formats onnx_int8 makes")
        try:
            self._network, metadata = onnx_graph.read_network(path)
            self._session = onnx_conversion.session(self._network)
        except ImportError:
            raise
        except Exception as error:  # onnx and ONNX Runtime raise all kinds
            reason = str(error).partition("\n")[0][:200]
            raise ConversionError(f"{path.name} is damaged, or was not made by this project: {reason}") from error
        self._input = self._session.get_inputs()[0].name
        super().__init__(metadata)

    def run(self, prepared: Sequence[np.ndarray], min_score: float = 0.0) -> Iterator[NormalizedDetections]:
        cores = min(parallel.available_cores(), len(prepared))
        if cores == 1 or self.metadata.suppression is None:
            return super().run(prepared, min_score)
        return parallel.ordered_map(functools.partial(self._on_one_core, min_score=min_score), prepared, cores)

    def _on_one_core(self, image: np.ndarray, min_score: float) -> NormalizedDetections:
        (boxes,), (scores,) = self._single.run(None, {self._input: image[np.newaxis]})
        return self._suppressed(boxes, scores, min_score)

    @functools.cached_property
    def _single(self):
        return onnx_conversion.session(self._network, num_threads=1)

    def _infer(self, batch: np.ndarray) -> list[np.ndarray]:
        return self._session.run(None, {self._input: batch})
