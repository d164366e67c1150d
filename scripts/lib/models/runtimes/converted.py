"""What runtimes of converted models have in common: resizing before, suppression after, where the model leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from scripts.lib.models import non_max_suppression, resizing
from scripts.lib.models.metadata import ModelDescription
from scripts.lib.models.runtimes import Found


class ConvertedModel:
    """A model whose description is known; a subclass infers."""

    def __init__(self, description: ModelDescription):
        self.description = description
        self.class_names = description.class_names
        self.global_step = description.global_step

    def _infer(self, batch: np.ndarray) -> Sequence[np.ndarray]:
        """The model's outputs: proposals (boxes, scores), or where it is whole, detections as the API names them.

        Args:
            batch: as the description says.
        """
        raise NotImplementedError

    def prepare(self, image_rgb: np.ndarray) -> np.ndarray:
        if not self.description.height:
            return image_rgb
        return resizing.bilinear(image_rgb, self.description.height, self.description.width)

    def run(self, prepared: Sequence[np.ndarray], min_score: float = 0.0) -> Iterator[Found]:
        if self.description.suppression is None:
            for image in prepared:
                yield next(found(*self._infer(image[np.newaxis])))
            return
        for boxes, scores in zip(*self._infer(np.stack(prepared)), strict=True):
            yield self._suppressed(boxes, scores, min_score)

    def _suppressed(self, boxes: np.ndarray, scores: np.ndarray, min_score: float) -> Found:
        """The detections among one image's proposals."""
        scores = scores[:, -len(self.class_names) :]  # without the background, which comes first
        kept = non_max_suppression.multiclass(boxes, scores, self.description.suppression, min_score)
        return Found(kept[0], kept[1], kept[2] + 1)


def found(boxes: np.ndarray, scores: np.ndarray, class_ids: np.ndarray, counts: np.ndarray) -> Iterator[Found]:
    """The detections of each image of a batch, of what the API's graphs give, which is padded."""
    for *values, count in zip(boxes, scores, class_ids, counts, strict=True):
        kept_boxes, kept_scores, kept_ids = (value[: int(count)] for value in values)
        yield Found(kept_boxes, kept_scores, kept_ids.astype(np.int64))
