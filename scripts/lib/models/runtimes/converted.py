"""What runtimes of converted models share: resizing before the model, suppression after it, where it needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from scripts.lib.models import non_max_suppression, resizing
from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.runtimes import NormalizedDetections, unpadded


class ConvertedModel:
    """A model whose file holds its metadata; a subclass infers."""

    def __init__(self, metadata: ModelMetadata):
        self.metadata = metadata
        self.class_names = metadata.class_names
        self.global_step = metadata.global_step

    def _infer(self, batch: np.ndarray) -> Sequence[np.ndarray]:
        """Return the model's outputs for a batch as the metadata say.

        Returns:
            Boxes and scores of the proposals, or of a model that suppresses itself `frozen_graph.DETECTIONS`.
        """
        raise NotImplementedError

    def prepare(self, image_rgb: np.ndarray) -> np.ndarray:
        if not self.metadata.height:
            return image_rgb
        return resizing.bilinear(image_rgb, self.metadata.height, self.metadata.width)

    def run(self, prepared: Sequence[np.ndarray], min_score: float = 0.0) -> Iterator[NormalizedDetections]:
        if self.metadata.suppression is None:
            for image in prepared:
                yield from unpadded(*self._infer(image[np.newaxis]))
            return
        for boxes, scores in zip(*self._infer(np.stack(prepared)), strict=True):
            yield self._suppressed(boxes, scores, min_score)

    def _suppressed(self, boxes: np.ndarray, scores: np.ndarray, min_score: float) -> NormalizedDetections:
        """Return the detections among one image's proposals."""
        scores = scores[:, 1:]  # without the background
        boxes, scores, classes = non_max_suppression.multiclass(boxes, scores, self.metadata.suppression, min_score)
        return NormalizedDetections(boxes, scores, classes + 1)
