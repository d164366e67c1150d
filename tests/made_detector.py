"""A stand-in for a detector, made at once: it finds one box an image, by the colour of the image's first pixel."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from scripts.lib.models.detector import DetectionArrays, Detector, PreparedImage


class MadeDetector(Detector):
    """Red says the class and the score, green where the box is; the box of a mirror image is mirrored, too.

    A first pixel (red, green, blue) gives a box of class 1 (red even) or 2 (odd), score red / 255, from
    (green / 10, 2) to (green / 10 + 20, 12), and a weaker one of the same class, shifted by half a pixel.

    Args:
        seconds: it takes for an image.
    """

    def __init__(self, folder=None, runtime: str = "auto", threads: int = 0, providers=(), seconds: float = 0.0):
        self.class_names = {1: "Tops", 2: "Skirts"}
        self.runtime = runtime
        self.batches: list[int] = []
        self._seconds = seconds

    def global_step(self) -> int:
        return 600

    def prepare(self, image_rgb: np.ndarray) -> PreparedImage:
        assert image_rgb.dtype == np.uint8
        return PreparedImage(image_rgb[0, 0].tolist(), *image_rgb.shape[:2])

    def detect_prepared(self, batch: Sequence[PreparedImage], min_score: float = 0.0) -> Iterator[DetectionArrays]:
        self.batches.append(len(batch))
        for image in batch:
            time.sleep(self._seconds)
            red, green, _ = image.values
            xmin, score = green / 10, red / 255
            boxes = np.array([[2, xmin, 12, xmin + 20], [2, xmin + 0.5, 12, xmin + 20.5]], np.float32)
            scores = np.array([score, score / 2], np.float32)
            kept = scores >= min_score
            yield DetectionArrays(boxes[kept], scores[kept], np.full(2, 1 + red % 2)[kept])
