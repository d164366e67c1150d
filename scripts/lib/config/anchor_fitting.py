"""Fit a config's anchors to the boxes of a training record, by k-means with the distance 1 - IoU.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger" (CVPR 2017), section 2: the IoU of boxes with one centre, since
the Euclidean distance would count the errors of large boxes more. YOLO uses the centroids as anchors; the Object
Detection API combines every scale with every aspect ratio, so each of the two is clustered separately. Their numbers
stay, and so do the shapes of the box predictor's variables.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from google.protobuf.message import Message

from scripts.lib.config import ssd_anchors
from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, DataError, Finding, UsageError
from scripts.lib.core.progress import progress
from scripts.lib.records import tf_example, tf_record

MATCHED = 0.5  # IoU from which the configs' matchers take an anchor for an object
_MAX_BOXES = 5_000  # more say nothing new
_RESTARTS = 5


class Fit(NamedTuple):
    """The anchors before and after.

    Attributes:
        former, fitted: mean IoU of the boxes with their best anchor.
        former_matched, fitted_matched: share of the boxes with an anchor of at least `MATCHED`.
    """

    former: float
    fitted: float
    former_matched: float
    fitted_matched: float


def fit(config: Message, boxes_xyxy: np.ndarray, image_sizes: np.ndarray) -> Fit:
    """Set the scales and aspect ratios of a config's anchors, unless its own fit the boxes as well.

    Args:
        config: a TrainEvalPipelineConfig; changed in place.
        boxes_xyxy, image_sizes: as of `read_boxes`.

    Raises:
        UsageError: the config's anchors are of another kind, or there are too few boxes.
    """
    step = -(-len(boxes_xyxy) // _MAX_BOXES) or 1
    generator, shapes = _generator(config), _shapes(config, boxes_xyxy[::step], image_sizes[::step])
    wanted = max(_num_scales(generator), len(generator.aspect_ratios), 1)
    if len(np.unique(shapes, axis=0)) < wanted:
        raise UsageError(f"--fit_anchors needs {wanted} boxes of different shapes; the record has {len(shapes)} boxes")
    former = ssd_anchors.best_overlaps(shapes, _anchors(config))
    kept = type(generator).FromString(generator.SerializeToString())

    sides = np.sqrt(shapes.prod(axis=1, keepdims=True))  # of the square with a box's area: its scale
    ratios = [width / height for width, height in cluster(shapes / sides, len(generator.aspect_ratios))]
    generator.aspect_ratios[:] = sorted(map(_rounded, ratios), key=lambda ratio: abs(np.log(ratio)))
    _set_scales(generator, [_rounded(side) for side, _ in cluster(np.repeat(sides, 2, axis=1), _num_scales(generator))])

    fitted = ssd_anchors.best_overlaps(shapes, _anchors(config))
    if fitted.mean() <= former.mean():
        generator.CopyFrom(kept)
        fitted = former
    return Fit(former.mean(), fitted.mean(), (former >= MATCHED).mean(), (fitted >= MATCHED).mean())


def read_boxes(record: str, total: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read the boxes of a record.

    Args:
        record: its path, or the pattern of its shards.
        total: how many examples it has, for the progress.

    Returns:
        float64[N, 4], xmin, ymin, xmax, ymax, and float64[N, 2], width and height of the image of each; pixels.

    Raises:
        UsageError: there is no such record.
        DataError: it is damaged, or its examples do not state the sizes of their images.
    """
    boxes, sizes = [np.empty((0, 4))], [np.empty((0, 2))]
    examples = (data for file in tf_record.matching_files(record) for data in tf_record.read_records(file))
    for data in progress(examples, "reading boxes", total):
        features = tf_example.features(data)
        try:
            size = np.array([features["image/width"][0], features["image/height"][0]], np.float64)
            sides = [features.get(f"image/object/bbox/{side}", []) for side in ("xmin", "ymin", "xmax", "ymax")]
            found = np.stack([np.array(side, np.float64) for side in sides], axis=1) * np.tile(size, 2)
        except (KeyError, IndexError, ValueError):
            message = "an example does not say its image's size, or its boxes are incomplete"
            remedy = "make it again with generate_tfrecord.py"
            raise DataError([Finding(ERROR, "record-damaged", files.shown_path(record), message, remedy)]) from None
        found = found[(found[:, 2:] > found[:, :2]).all(axis=1)]
        boxes.append(found)
        sizes.append(np.tile(size, (len(found), 1)))
    return np.concatenate(boxes), np.concatenate(sizes)


def cluster(shapes: np.ndarray, count: int) -> np.ndarray:
    """Cluster by k-means with the distance 1 - IoU: the best of several starts, the same on every run.

    Args:
        shapes: float[N, 2], width and height, at least one of them.
        count: number of clusters.

    Returns:
        float64[count, 2]: the centroids, by area.
    """
    random = np.random.default_rng(0)
    found = [_cluster_once(shapes, _start(shapes, count, random)) for _ in range(_RESTARTS)]
    best = max(found, key=lambda centroids: ssd_anchors.best_overlaps(shapes, centroids).sum())
    return best[np.argsort(best.prod(axis=1), kind="stable")]


def _start(shapes: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Choose shapes far from each other (k-means++)."""
    centroids = shapes[[random.integers(len(shapes))]]
    while len(centroids) < count:
        distances = 1 - ssd_anchors.best_overlaps(shapes, centroids)
        share = distances / distances.sum() if distances.sum() > 0 else None
        centroids = np.vstack([centroids, shapes[random.choice(len(shapes), p=share)]])
    return centroids


def _cluster_once(shapes: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    for _ in range(100):
        nearest = ssd_anchors.overlaps(shapes, centroids).argmax(axis=1)
        groups = [shapes[nearest == index] for index in range(len(centroids))]
        moved = np.stack(
            [group.mean(axis=0) if len(group) else old for group, old in zip(groups, centroids, strict=True)]
        )
        if np.allclose(moved, centroids, rtol=1e-4):
            break
        centroids = moved
    return centroids


def _generator(config: Message) -> Message:
    """Return the SsdAnchorGenerator or GridAnchorGenerator of a config."""
    model = config.model.WhichOneof("model")
    field = {"ssd": "anchor_generator", "faster_rcnn": "first_stage_anchor_generator"}.get(model)
    generator = field and getattr(getattr(config.model, model), field)
    kind = generator and generator.WhichOneof("anchor_generator_oneof")
    if kind not in ("ssd_anchor_generator", "grid_anchor_generator"):
        raise UsageError(
            f"--fit_anchors: the base config has {kind or 'no anchors'}; "
            "it can fit an ssd_anchor_generator (SSD) or a grid_anchor_generator (Faster R-CNN)"
        )
    return getattr(generator, kind)


def _shapes(config: Message, boxes_xyxy: np.ndarray, image_sizes: np.ndarray) -> np.ndarray:
    """Return width and height of boxes in the unit of the config's anchors, float64[N, 2]."""
    if config.model.WhichOneof("model") == "ssd":
        return ssd_anchors.box_shapes(boxes_xyxy, image_sizes, config)
    generator = _generator(config)
    resized, _ = ssd_anchors.input_sizes(image_sizes, config)
    sizes = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    return sizes / image_sizes * resized / (generator.width, generator.height)


def _anchors(config: Message) -> np.ndarray:
    """Return width and height of all anchors, in the same unit, float64[A, 2]."""
    if config.model.WhichOneof("model") == "ssd":
        return np.concatenate(ssd_anchors.shapes_by_layer(config))
    generator = _generator(config)
    return ssd_anchors.anchor_shapes(list(itertools.product(generator.scales, generator.aspect_ratios)))


def _num_scales(generator: Message) -> int:
    return generator.num_layers if generator.DESCRIPTOR.name == "SsdAnchorGenerator" else len(generator.scales)


def _set_scales(generator: Message, scales: Sequence[float]) -> None:
    """Set the scales as the config does: one by one, or the smallest and the largest, between which the API spaces."""
    if generator.scales:
        generator.scales[:] = scales
    else:
        generator.min_scale, generator.max_scale = scales[0], scales[-1]


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
