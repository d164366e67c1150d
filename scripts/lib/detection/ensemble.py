"""Several models, or a model and its view of the mirrored image, as one detector."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scripts.lib.detection import weighted_boxes
from scripts.lib.models.detector import DetectionArrays, Detector, PreparedImage

WEAK_SCORE = 0.01  # detections below are left out of the fusion unless lower scores are asked for


def load(models: Sequence[Path | str], flip: bool = False, *how: Any) -> Detector:
    """Return the detector of one model, or the ensemble of several; see `Ensemble`, and for `how` `Detector`."""
    detectors = [Detector(model, *how) for model in models]
    return detectors[0] if len(detectors) == 1 and not flip else Ensemble(detectors, flip)


class _View(NamedTuple):
    """A detector on the image or its mirror image."""

    detector: Detector
    is_mirrored: bool
    common_ids: dict[int, int]  # its class ids -> those of the ensemble

    def prepare(self, image_rgb: np.ndarray) -> PreparedImage:
        return self.detector.prepare(np.ascontiguousarray(image_rgb[:, ::-1]) if self.is_mirrored else image_rgb)

    def detect(self, batch: Sequence[PreparedImage], min_score: float) -> Iterator[DetectionArrays]:
        """Yield the detections of each image, in its own frame and with the ensemble's class ids."""
        for image, found in zip(batch, self.detector.detect_prepared(batch, min_score), strict=True):
            boxes_yxyx = found.boxes_yxyx
            if self.is_mirrored:
                ymin, xmin, ymax, xmax = boxes_yxyx.T
                boxes_yxyx = np.stack([ymin, image.width - xmax, ymax, image.width - xmin], axis=1)
            class_ids = np.array([self.common_ids.get(class_id, 0) for class_id in found.class_ids.tolist()], np.int64)
            known = class_ids > 0  # others have no name
            yield DetectionArrays(boxes_yxyx[known], found.scores[known], class_ids[known])


class Ensemble(Detector):
    """Detectors whose detections are fused (see `weighted_boxes`).

    The models may differ in architecture, input size and label map: classes are matched by name. A class that only
    some of them know is judged by those only. The ids are those of the first model, then further ones.

    Args:
        detectors: one or more.
        flip: each detector also gets each image's mirror image, which counts as another model's view.
    """

    def __init__(self, detectors: Sequence[Detector], flip: bool = False):
        self.runtime = ", ".join(dict.fromkeys(detector.runtime for detector in detectors))
        self.class_names = dict(detectors[0].class_names)
        for name in dict.fromkeys(name for detector in detectors for name in detector.class_names.values()):
            if name not in self.class_names.values():
                self.class_names[max(self.class_names) + 1] = name
        self.label_names = dict(ChainMap(*(detector.label_names for detector in detectors)))
        ids = {name: class_id for class_id, name in self.class_names.items()}
        self._views = [
            _View(detector, is_mirrored, {class_id: ids[name] for class_id, name in detector.class_names.items()})
            for detector in detectors
            for is_mirrored in ((False, True) if flip else (False,))
        ]
        self._views_of_class = Counter(class_id for view in self._views for class_id in {*view.common_ids.values()})

    def global_step(self) -> int | None:
        return self._views[0].detector.global_step()

    def prepare(self, image_rgb: np.ndarray) -> PreparedImage:
        """Return a `PreparedImage` whose values are those of all views."""
        return PreparedImage([view.prepare(image_rgb) for view in self._views], *image_rgb.shape[:2])

    def detect_prepared(self, batch: Sequence[PreparedImage], min_score: float = 0.0) -> Iterator[DetectionArrays]:
        lowest = min(min_score, WEAK_SCORE)
        found_by_view = [
            view.detect([image.values[index] for image in batch], lowest) for index, view in enumerate(self._views)
        ]
        for found_each in zip(*found_by_view, strict=True):  # an image: the detections of all views
            fused = weighted_boxes.fuse(found_each, self._views_of_class)
            kept = fused.scores >= min_score
            yield DetectionArrays(*(values[kept] for values in fused))
