"""A detector as the server uses it: from the bytes of an image file to an answer in JSON's types."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException

from scripts.lib.detection import detections
from scripts.lib.images import decode, palette
from scripts.lib.models.detector import Detector


class ServedModel:
    """A model with its score thresholds. Several threads may use it at once. Its arguments are those of `Detector`.

    Attributes:
        detector: the model.
        score_thresholds: class name -> the score from which on a detection counts: report.py's, else 0.5.
        colors: class name -> "#rrggbb", as detect.py draws the class.
    """

    def __init__(self, folder: Path, *how: Any):
        self.detector = Detector(folder, *how)
        names = list(self.detector.class_names.values())
        self.score_thresholds = detections.default_thresholds([folder], names)
        self.colors = palette.class_colors(names)
        self._one_at_a_time = threading.Lock()
        self.detector.detect(np.zeros((64, 64, 3), np.uint8))  # the first run is the slowest

    def detect(self, data: bytes, min_score: float | None = None) -> dict[str, Any]:
        """Return an image's size, its detections in pixels, and its tags: the best score of each class.

        Args:
            data: an image file's content; it is turned upright by its EXIF data.
            min_score: leave out detections below; None: those below `score_thresholds`. Tags always keep to those.

        Raises:
            HTTPException: the image cannot be decoded.
        """
        lowest = min([*self.score_thresholds.values(), 1.0 if min_score is None else min_score])
        with contextlib.nullcontext() if decode.plain_jpeg_size(data) else self._one_at_a_time:  # it may be large
            pixels, findings = decode.decode(data, "the image")
            if pixels is None:
                raise HTTPException(400, findings[0].message)
            height, width = pixels.shape[:2]
            found = self.detector.detect(pixels, lowest)
        counting = [detection for detection in found if detection.score >= self.score_thresholds[detection.class_name]]
        shown = counting if min_score is None else [detection for detection in found if detection.score >= min_score]
        return {
            "width": width,
            "height": height,
            "detections": [
                {"class": detection.class_name, "score": round(detection.score, 4)}
                | {side: round(getattr(detection, side), 2) for side in ("xmin", "ymin", "xmax", "ymax")}
                for detection in shown
            ],
            "tags": {name: round(score, 4) for name, score in detections.best_scores(counting).items()},
            "score_thresholds": self.score_thresholds,
            **({"notes": [note.message for note in findings]} if findings else {}),
        }
