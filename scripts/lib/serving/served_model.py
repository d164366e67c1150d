"""A detector as the server uses it: from the bytes of an image file to an answer in JSON's types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scripts.lib.core.boxes import Detection
from scripts.lib.detection import detections
from scripts.lib.images import decode, palette
from scripts.lib.models.detector import Detector


class RequestError(Exception):
    """A request that is refused.

    Args:
        status: the HTTP status, 400 to 599.
        message: what is wrong.
        headers: further ones of the answer.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class ServedModel:
    """A model with its score thresholds. Several threads may use it at once.

    Args:
        folder: of the exported model.
        runtime: as `Detector` takes it.
        max_pixels: an image with more is refused before it is decoded.

    Attributes:
        detector: the model.
        score_thresholds: class name -> the score from which on a detection counts: report.py's, else 0.5.
        colors: class name -> "#rrggbb", as detect.py draws the class.
    """

    def __init__(self, folder: Path, runtime: str, max_pixels: int):
        self.detector = Detector(folder, runtime)
        self._max_pixels = max_pixels
        names = list(self.detector.class_names.values())
        self.score_thresholds = detections.default_thresholds([folder], names)
        self.colors = palette.class_colors(names)
        self.detector.detect(np.zeros((64, 64, 3), np.uint8))  # the first run is the slowest

    def detect(self, data: bytes, min_score: float | None = None) -> dict[str, Any]:
        """Return an image's size, its detections in pixels, and its tags: the best score of each class.

        An image that its EXIF data turn is turned upright first.

        Args:
            data: an image file's content.
            min_score: leave out detections below; None: those below `score_thresholds`. Tags always keep to those.

        Raises:
            RequestError: it is not an image, or too large.
        """
        pixels = self._pixels(data)
        height, width = pixels.shape[:2]
        lowest = min([*self.score_thresholds.values(), 1.0 if min_score is None else min_score])
        found = self.detector.detect(pixels, lowest)
        counting = [detection for detection in found if detection.score >= self.score_thresholds[detection.class_name]]
        shown = counting if min_score is None else [detection for detection in found if detection.score >= min_score]
        return {
            "width": width,
            "height": height,
            "detections": [_as_json(detection) for detection in shown],
            "tags": {name: round(score, 4) for name, score in detections.best_scores(counting).items()},
            "score_thresholds": self.score_thresholds,
        }

    def _pixels(self, data: bytes) -> np.ndarray:
        width, height = _size(data)
        if width * height > self._max_pixels:
            limit = f"{self._max_pixels / 1e6:g} million"
            raise RequestError(413, f"the image has {width}x{height} pixels; at most {limit} are accepted")
        pixels, findings = decode.decode(data, "the image")
        if pixels is None:
            raise RequestError(400, "; ".join(finding.message for finding in findings))
        return pixels


def _size(data: bytes) -> tuple[int, int]:
    """Return width and height by the file's header; (0, 0) where it cannot be read, which decoding will report."""
    try:
        with decode.open_image(data) as image:
            return image.size
    except Exception:  # hostile bytes make Pillow's plugins raise nearly anything
        return 0, 0


def _as_json(detection: Detection) -> dict[str, str | float]:
    box = {name: round(getattr(detection, name), 2) for name in ("xmin", "ymin", "xmax", "ymax")}
    return {"class": detection.class_name, "score": round(detection.score, 4), **box}
