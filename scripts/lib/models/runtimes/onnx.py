"""ONNX Runtime, detect.py's default."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from scripts.lib.core import parallel
from scripts.lib.core.errors import UsageError
from scripts.lib.models import exported_model, onnx_conversion, onnx_graph
from scripts.lib.models.onnx_conversion import ConversionError
from scripts.lib.models.runtimes import NormalizedDetections
from scripts.lib.models.runtimes.converted import ConvertedModel


class Model(ConvertedModel):
    """The ONNX file of an exported model, in float32 or in 8-bit integers.

    On the CPU all cores work on a single image. Of several, each has a core of its own: of 300x300 pixels on two cores,
    an image took 9.2 ms so, and 10.1 ms otherwise, without resizing and suppression, which are not shared between
    cores.
    """

    def __init__(self, folder: Path, file: str = exported_model.ONNX, threads: int = 0, providers: Sequence[str] = ()):
        self._threads = threads or parallel.available_cores()
        find = onnx_conversion.find_or_make if file == exported_model.ONNX else onnx_conversion.find_int8
        path = find(folder)
        try:
            self._network, metadata = onnx_graph.read_network(path)
            self._session = onnx_conversion.session(self._network, threads, providers)
        except (ImportError, UsageError):
            raise
        except Exception as error:  # onnx and ONNX Runtime raise all kinds
            reason = str(error).partition("\n")[0][:200]
            raise ConversionError(f"{path.name} is damaged, or was not made by this project: {reason}") from error
        self._input = self._session.get_inputs()[0].name
        super().__init__(metadata)

    def run(self, prepared: Sequence[np.ndarray], min_score: float = 0.0) -> Iterator[NormalizedDetections]:
        cores = min(self._threads, len(prepared))
        on_cpu = self._session.get_providers() == [onnx_conversion.CPU_PROVIDER]
        if cores == 1 or not on_cpu or self.metadata.suppression is None:
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
