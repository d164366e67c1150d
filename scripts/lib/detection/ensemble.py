"""Several models, or a model and its mirror image, as one detector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from scripts.lib.core import files
from scripts.lib.core.errors import UsageError
from scripts.lib.detection import weighted_boxes
from scripts.lib.models.detector import DetectionArrays, Detector, PreparedImage

WEAK_SCORE = 0.01  # where low scores are of no interest, detections below this take no part in the fusion


def load(
    models: Sequence[Path | str], flip: bool = False, weights: Sequence[float] | None = None, runtime: str = "auto"
) -> Detector:
    """The detector of one model, or the ensemble of several.

    Args:
        models: folders of exported models.
        flip: look at each image's mirror image, too (test-time augmentation).
        weights: how much each model's scores count in the fusion; None: all the same.
        runtime: see `Detector`.

    Raises:
        UsageError: a folder is no exported model, or a model shares no class with the others.
    """
    detectors = [Detector(model, runtime) for model in models]
    if len(detectors) == 1 and not flip:
        return detectors[0]
    _check_classes(models, detectors)
    return Ensemble(detectors, flip, weights)


def _check_classes(models: Sequence[Path | str], detectors: Sequence[Detector]) -> None:
    for model, detector in zip(models, detectors, strict=True):
        own = set(detector.class_names.values())
        others = {name for other in detectors if other is not detector for name in other.class_names.values()}
        if others and not own & others:
            raise UsageError(
                f"--model {files.shown_path(model)} knows {', '.join(sorted(own))}, the other models "
                f"{', '.join(sorted(others))}: an ensemble needs classes of the same names"
            )


class Ensemble(Detector):
    """Detectors whose detections are fused (see `weighted_boxes`).

    The models may differ in architecture and input size, and in their label maps: classes are matched by name. A class
    that only some of them know is judged by these alone.

    Args:
        detectors: one or more.
        flip: each image's mirror image counts as the image of another model.
        weights: how much each detector's scores count; None: all the same.

    Attributes:
        class_names: class id -> name: those of the first model, then what the others know beyond.
        runtime: of each model, separated by commas.
    """

    def __init__(self, detectors: Sequence[Detector], flip: bool = False, weights: Sequence[float] | None = None):
        flips = (False, True) if flip else (False,)
        self._views = [(detector, is_mirrored) for detector in detectors for is_mirrored in flips]
        weights = [1.0] * len(detectors) if weights is None else weights
        self._weights = [weight for weight in weights for _ in flips]
        self.runtime = ", ".join(dict.fromkeys(detector.runtime for detector in detectors))
        self.class_names = dict(detectors[0].class_names)
        for name in dict.fromkeys(name for detector in detectors for name in detector.class_names.values()):
            if name not in self.class_names.values():
                self.class_names[max(self.class_names) + 1] = name
        ids = {name: class_id for class_id, name in self.class_names.items()}
        self._common_ids = [_lookup(detector.class_names, ids) for detector, _ in self._views]
        self._weight_of_class = {
            class_id: sum(
                weight
                for (detector, _), weight in zip(self._views, self._weights, strict=True)
                if name in detector.class_names.values()
            )
            for name, class_id in ids.items()
        }

    def global_step(self) -> int | None:
        """The training step of the first model."""
        return self._views[0][0].global_step()

    def prepare(self, image_rgb: np.ndarray) -> PreparedImage:
        """What each model takes of the image, and of its mirror image."""
        mirrored = np.ascontiguousarray(image_rgb[:, ::-1]) if any(flip for _, flip in self._views) else None
        views = [detector.prepare(mirrored if flip else image_rgb) for detector, flip in self._views]
        return PreparedImage(views, *image_rgb.shape[:2])

    def detect_prepared(self, batch: Sequence[PreparedImage], min_score: float = 0.0) -> Iterator[DetectionArrays]:
        """As `Detector.detect_prepared`."""
        least = min(min_score, WEAK_SCORE)
        seen = [
            [
                _in_common(found, view.width if flip else None, ids)
                for found, view in zip(detector.detect_prepared(views, least), views, strict=True)
            ]
            for (detector, flip), ids, views in zip(
                self._views, self._common_ids, zip(*(image.values for image in batch), strict=True), strict=True
            )
        ]
        for predictions in zip(*seen, strict=True):
            fused = weighted_boxes.fuse(predictions, self._weights, self._weight_of_class)
            kept = fused.scores >= min_score
            yield DetectionArrays(*(values[kept] for values in fused))


def _in_common(found: DetectionArrays, mirrored_width: int | None, common_ids: np.ndarray) -> DetectionArrays:
    """One view's detections in the frame of the image and with the class ids of the ensemble."""
    boxes = found.boxes_yxyx
    if mirrored_width is not None:
        ymin, xmin, ymax, xmax = boxes.T
        boxes = np.stack([ymin, mirrored_width - xmax, ymax, mirrored_width - xmin], axis=1)
    class_ids = common_ids.take(found.class_ids, mode="clip")
    known = class_ids > 0
    return DetectionArrays(boxes[known], found.scores[known], class_ids[known])


def _lookup(class_names: dict[int, str], common_ids: dict[str, int]) -> np.ndarray:
    """Class id of one model -> common class id; 0 for ids that its label map does not have, the last one for beyond."""
    table = np.zeros(max(class_names) + 2, np.int64)
    for class_id, name in class_names.items():
        table[class_id] = common_ids[name]
    return table
