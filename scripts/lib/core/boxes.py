"""The geometry of boxes: xyxy is xmin, ymin, xmax, ymax; yxyx is ymin, xmin, ymax, xmax; each name says its unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Detection(NamedTuple):
    """One detected object.

    Attributes:
        class_name: as in the model's label map.
        score: 0..1.
        xmin, ymin, xmax, ymax: the box in pixels of the image, origin at its upper left corner, as floats.
    """

    class_name: str
    score: float
    xmin: float
    ymin: float
    xmax: float
    ymax: float

    def to_dict(self) -> dict[str, str | float]:
        """Return the values under the names that tables and JSON give them."""
        return {"class" if name == "class_name" else name: value for name, value in self._asdict().items()}


def round_half_up(value: float) -> int:
    """Return the nearest whole number; 0.5 always goes up (Python's `round` goes to the even neighbour)."""
    return int((value + 0.5) // 1)


def clip_to_pixels(box_xyxy: Sequence[float], width: int, height: int) -> tuple[int, int, int, int] | None:
    """Round a box (pixels) to whole pixels and clip it to the image; None where no area is left of it."""
    xmin, ymin, xmax, ymax = map(round_half_up, box_xyxy)
    xmin, ymin, xmax, ymax = max(xmin, 0), max(ymin, 0), min(xmax, width), min(ymax, height)
    return (xmin, ymin, xmax, ymax) if xmin < xmax and ymin < ymax else None


def are_fractions(corners: Iterable[str | float]) -> bool:
    """Return True for a box in fractions of the image's sides, where pixels are expected: all are between 0 and 1."""
    try:
        values = [float(corner) for corner in corners]
    except ValueError:
        return False
    return all(-0.01 <= value <= 1.01 for value in values) and any(value % 1 for value in values)


def iou(boxes_yxyx: np.ndarray, other_boxes_yxyx: np.ndarray) -> np.ndarray:
    """Return the intersection over union of all pairs; boxes [N, 4] and [M, 4] in any one unit -> [N, M]."""
    import numpy as np  # here, since xml_to_csv.py needs the functions above and starts in a tenth of a second

    a, b = boxes_yxyx[:, np.newaxis], other_boxes_yxyx[np.newaxis]  # [N, 1, 4], [1, M, 4]
    sides = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    intersection = sides[..., 0] * sides[..., 1]
    area_a, area_b = (np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1) for boxes in (a, b))
    union = area_a + area_b - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
