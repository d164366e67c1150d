"""Repeat factor sampling: images of rare classes are recorded more than once.

Source: Gupta, Dollar, Girshick, "LVIS: A Dataset for Large Vocabulary Instance Segmentation", CVPR 2019, "repeat factor
sampling". With f(c) the share of images that show class c and a threshold t, the factor of a class is
r(c) = max(1, sqrt(t / f(c))), and that of an image the largest of its classes'.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from scripts.lib.core.wording import counted
from scripts.lib.dataset.labelled_images import LabelledImage


def class_factors(classes_of_images: Sequence[Iterable[str]], threshold: float) -> dict[str, float]:
    """Return the repeat factor of each class that occurs; an image without objects counts as an image."""
    images_with = Counter(name for classes in classes_of_images for name in set(classes))
    total = len(classes_of_images)
    return {name: max(1.0, math.sqrt(threshold * total / count)) for name, count in sorted(images_with.items())}


def copies(filename: str, classes: Iterable[str], factors: Mapping[str, float]) -> int:
    """Return how often an image is recorded, 1 or more.

    The paper rounds a factor of 1.3 up in three of ten epochs, at random. A record is written once, so a hash of the
    name decides: three of ten images are rounded up, the same ones on every run and platform.
    """
    factor = max((factors.get(name, 1.0) for name in classes), default=1.0)
    draw = int.from_bytes(hashlib.sha256(filename.encode()).digest()[:8], "big") / 2**64  # in [0, 1)
    return math.floor(factor) + (draw < factor - math.floor(factor))


def oversampled(
    images: Sequence[LabelledImage], class_ids: Mapping[str, int], threshold: float | None
) -> tuple[list[LabelledImage], list[str]]:
    """Repeat the images of rare classes: all images, then the second copies, and so on; and lines that say how often.

    Images of classes that the label map lacks, which no record holds, do not count. The threshold is t, or below 0 for
    1 / number of classes; None: nothing is repeated.
    """
    if threshold is None:
        return list(images), []
    classes_of_images = [image.class_names for image in images if class_ids.keys() >= set(image.class_names)]
    factors = class_factors(classes_of_images, threshold if threshold > 0 else 1 / len(class_ids))
    counts = [copies(image.filename, image.class_names, factors) for image in images]
    lines = [f"oversampling: {name} x{factor:.2f}" for name, factor in factors.items()]
    lines.append(f"oversampling: {counted(len(images), 'image')}, {sum(counts)} with those that are repeated")
    rounds = range(max(counts, default=1))
    return [image for copy in rounds for image, count in zip(images, counts, strict=True) if copy < count], lines
