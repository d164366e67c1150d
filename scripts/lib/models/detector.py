"""Detect with an exported model, in any runtime: the Python API."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scripts.lib.core.boxes import Detection
from scripts.lib.models import exported_model


class DetectionArrays(NamedTuple):
    """All detections of one image, best score first.

    Attributes:
        boxes_yxyx: float32 [num_detections, 4], pixels of the image.
        scores: float32 [num_detections].
        class_ids: int64 [num_detections], as in the model's label map.
    """

    boxes_yxyx: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray

    def named(self, class_names: Mapping[int, str]) -> list[Detection]:
        """Return the detections with their class names, without those whose class id has no name."""
        return [
            Detection(class_names[class_id], score, xmin, ymin, xmax, ymax)
            for (ymin, xmin, ymax, xmax), score, class_id in zip(*(values.tolist() for values in self), strict=True)
            if class_id in class_names
        ]


class PreparedImage(NamedTuple):
    """An image as the model takes it, and its original size in pixels."""

    values: Any
    height: int
    width: int


class Detector:
    """An exported model, ready to detect. Several threads may use it at once.

    Args:
        folder: what export_inference_graph.py or export_model.py wrote.
        runtime: one of `runtimes.RUNTIMES`, or "auto"; see `runtimes.load`.

    Raises:
        UsageError: the folder is not an exported model, or the runtime cannot run it.

    Attributes:
        class_names: class id -> name.
        runtime: the name of the runtime that runs it.
    """

    def __init__(self, folder: Path | str, runtime: str = "auto"):
        from scripts.lib.models import metadata, runtimes  # here, since they import the API's protos

        folder = Path(folder)
        exported_model.check(folder)
        self._model, self.runtime = runtimes.load(folder, runtime)
        # The label map in the folder, whatever the runtime: a model's own names are those of its conversion.
        has_label_map = (folder / exported_model.LABEL_MAP).is_file()
        self.class_names = metadata.class_names(folder) if has_label_map else dict(self._model.class_names)

    def global_step(self) -> int | None:
        """Return the training step of the checkpoint that was exported, or None where it is not known."""
        return self._model.global_step

    def detect(self, image_rgb: np.ndarray, min_score: float = 0.0) -> list[Detection]:
        """Return the detections on one image, best first, after the model's own non-maximum suppression.

        Args:
            image_rgb: uint8 [height, width, 3], channels in the order red, green, blue, upright, of any size.
            min_score: leave out detections below.
        """
        (found,) = self.detect_each([image_rgb], 1, min_score)
        return found.named(self.class_names)

    def detect_each(
        self, images_rgb: Iterable[np.ndarray], batch_size: int = 16, min_score: float = 0.0
    ) -> Iterator[DetectionArrays]:
        """Yield the detections on each of many images, run in batches: those of `detect`, to float32's last digits."""
        prepared = map(self.prepare, images_rgb)
        while batch := list(itertools.islice(prepared, batch_size)):
            yield from self.detect_prepared(batch, min_score)

    def prepare(self, image_rgb: np.ndarray) -> PreparedImage:
        """Resize an image as the model takes it; to do that in one thread and detect in another."""
        return PreparedImage(self._model.prepare(image_rgb), *image_rgb.shape[:2])

    def detect_prepared(self, batch: Sequence[PreparedImage], min_score: float = 0.0) -> Iterator[DetectionArrays]:
        """Yield the detections on each image of a batch that `prepare` made."""
        found_each = self._model.run([image.values for image in batch], min_score)
        for image, found in zip(batch, found_each, strict=True):
            kept = found.scores >= min_score
            to_pixels = np.array([image.height, image.width] * 2, np.float32)
            boxes_yxyx = found.boxes_yxyx_normalized[kept] * to_pixels
            yield DetectionArrays(boxes_yxyx, found.scores[kept], found.class_ids[kept])
