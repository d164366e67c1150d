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
    """A request that is refused, with the HTTP status and further headers of the answer."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class ServedModel:
    """A model with its score thresholds. Several threads may use it at once.

    Attributes:
        detector: the model.
        score_thresholds: class name -> the score from which on a detection counts: report.py's, else 0.5.
        colors: class name -> "#rrggbb", as detect.py draws the class.
    """

    def __init__(self, folder: Path, runtime: str):
        self.detector = Detector(folder, runtime)
        names = list(self.detector.class_names.values())
        self.score_thresholds = detections.default_thresholds([folder], names)
        self.colors = palette.class_colors(names)
        self.detector.detect(np.zeros((64, 64, 3), np.uint8))  # the first run is the slowest

    def detect(self, data: bytes, min_score: float | None = None) -> dict[str, Any]:
        """Return an image's size, its detections in pixels, and its tags: the best score of each class.

        Args:
            data: an image file's content; it is turned upright by its EXIF data.
            min_score: leave out detections below; None: those below `score_thresholds`. Tags always keep to those.

        Raises:
            RequestError: the image cannot be decoded.
        """
        pixels, findings = decode.decode(data, "the image")
        if pixels is None:
            raise RequestError(400, findings[0].message)
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
            **({"notes": [note.message for note in findings]} if findings else {}),
        }


def _as_json(detection: Detection) -> dict[str, str | float]:
    box = {name: round(getattr(detection, name), 2) for name in ("xmin", "ymin", "xmax", "ymax")}
    return {"class": detection.class_name, "score": round(detection.score, 4), **box}
