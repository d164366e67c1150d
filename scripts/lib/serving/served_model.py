"""A detector as a server uses it: from the bytes of an image file to an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scripts.lib.core.errors import Finding
from scripts.lib.detection import detections, options
from scripts.lib.images import decode, drawing, image_bytes
from scripts.lib.models.detector import Detector
from scripts.lib.serving.rest import RequestError


class ServedModel:
    """A model with its thresholds. Several threads may use it at once.

    Args:
        folder: of the exported model.
        runtime: as `Detector` takes it.
        max_pixels: a picture with more is refused before it is decoded.

    Attributes:
        detector: the model.
        least_scores: class name -> the score from which on a detection counts: report.py's, else 0.5.
        colors: class name -> "#rrggbb", as on the pictures of detect.py.
        output_shapes: name in the signature -> shape for one picture, as the signature has it.
    """

    def __init__(self, folder: Path, runtime: str, max_pixels: int):
        self.detector = Detector(folder, runtime)
        self._max_pixels = max_pixels
        names = list(self.detector.class_names.values())
        self.least_scores = options.default_thresholds([folder], names)
        self.colors = {name: drawing.PALETTE[place % len(drawing.PALETTE)] for place, name in enumerate(names)}
        first = self.detector.outputs(np.zeros((64, 64, 3), np.uint8))  # the first run is the slowest, too
        self.output_shapes = {  # the signature leaves the number of raw boxes open
            name: (-1, *value.shape[1:]) if name.startswith("raw_") else value.shape for name, value in first.items()
        }

    def outputs(self, data: bytes, name: str) -> dict[str, np.ndarray]:
        """What TensorFlow Serving would give for a picture; see `Detector.outputs`.

        A photo that its EXIF data turn is looked at upright, as everywhere in this project.

        Args:
            data: an image file's content.
            name: of the picture, for messages.

        Raises:
            RequestError: it is no picture, or too large.
        """
        return self.detector.outputs(self._pixels(data, name))

    def detect(self, data: bytes, min_score: float | None = None) -> dict[str, Any]:
        """What is on a picture, in words: size, detections in pixels, tags with the best score of each class.

        Args:
            data: an image file's content.
            min_score: detections below are left out; None: below `least_scores`. Tags always keep to those.

        Raises:
            RequestError: it is no picture, or too large.
        """
        pixels = self._pixels(data, "the picture")
        least = min([*self.least_scores.values(), 1.0 if min_score is None else min_score])
        (found,) = self.detector.detect_each([pixels], 1, least)
        ids = {name: class_id for class_id, name in self.detector.class_names.items()}

        def named(min_scores: dict[str, float]) -> list[detections.Detection]:
            selected = detections.select(found, {ids[name]: score for name, score in min_scores.items()})
            return detections.named(selected, self.detector.class_names)

        counting = named(self.least_scores)
        shown = counting if min_score is None else named(dict.fromkeys(ids, min_score))
        height, width = pixels.shape[:2]
        return {
            "width": width,
            "height": height,
            "detections": [_as_json(detection) for detection in shown],
            "tags": {name: round(score, 4) for name, score in detections.best_scores(counting).items()},
            "least_scores": self.least_scores,
        }

    def _pixels(self, data: bytes, name: str) -> np.ndarray:
        findings: list[Finding] = []
        width, height = _size(data)
        if width * height > self._max_pixels:
            limit = f"{self._max_pixels / 1e6:g} million"
            raise RequestError(413, f"{name} has {width}x{height} pixels; at most {limit} are accepted")
        pixels = decode.decoded(data, name, findings)
        if pixels is None:
            raise RequestError(400, f"{name}: {'; '.join(finding.message for finding in findings)}")
        return pixels


def _size(data: bytes) -> tuple[int, int]:
    """Width and height by the file's header; (0, 0) where it has none, which decoding will report."""
    try:
        with image_bytes.open_image(data) as image:
            return image.size
    except Exception:  # hostile bytes make Pillow's plugins raise nearly anything
        return 0, 0


def _as_json(detection: detections.Detection) -> dict[str, str | float]:
    values = detection._asdict()
    box = {name: round(values[name], 2) for name in ("xmin", "ymin", "xmax", "ymax")}
    return {"class": detection.class_name, "score": round(detection.score, 4), **box}
