"""Fit a config's anchors to the boxes of a training record, by k-means with the IoU as closeness.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger" (CVPR 2017), section 2. YOLO uses the centroids as anchors; the
Object Detection API combines every scale with every aspect ratio, so each of the two is clustered separately. For boxes
with one centre that differ only in scale, or only in aspect ratio, the IoU depends on the ratio of the two values: the
nearest centroid by IoU is the nearest by logarithm. The numbers of scales and ratios stay, and so do the shapes of the
box predictor's variables.
"""

from __future__ import annotations

import itertools

import numpy as np
from google.protobuf.message import Message
from scipy.cluster.vq import kmeans

from scripts.lib.config import ssd_anchors
from scripts.lib.core.errors import UsageError
from scripts.lib.core.progress import progress
from scripts.lib.core.wording import counted
from scripts.lib.images import decode
from scripts.lib.records import read

_MAX_BOXES = 5_000  # more say nothing new


def fit(config: Message, boxes_xyxy: np.ndarray, image_sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Set the scales and aspect ratios of a config's anchors, unless its own fit the boxes as well.

    Args:
        config: a TrainEvalPipelineConfig; changed in place.
        boxes_xyxy, image_sizes: as of `read_boxes`.

    Returns:
        float64[N] twice: the IoU of boxes with their best anchor, before and after.

    Raises:
        UsageError: the config's anchors are of another kind, or there are too few boxes.
    """
    step = -(-len(boxes_xyxy) // _MAX_BOXES) or 1
    generator, shapes = _generator(config), _shapes(config, boxes_xyxy[::step], image_sizes[::step])
    is_ssd = config.model.WhichOneof("model") == "ssd"
    num_scales, num_ratios = generator.num_layers if is_ssd else len(generator.scales), len(generator.aspect_ratios)
    wanted = max(num_scales, num_ratios, 1)
    if len(np.unique(shapes, axis=0)) < wanted:
        there = counted(len(shapes), "box")
        raise UsageError(f"--fit_anchors needs {wanted} boxes of different shapes; the record has {there}")
    former = ssd_anchors.best_overlaps(shapes, _anchors(config))
    kept = type(generator).FromString(generator.SerializeToString())

    ratios = cluster(shapes[:, 0] / shapes[:, 1], num_ratios)
    generator.aspect_ratios[:] = sorted(ratios, key=lambda ratio: abs(np.log(ratio)))
    scales = cluster(np.sqrt(shapes.prod(axis=1)), num_scales)
    if generator.scales:
        generator.scales[:] = scales
    else:  # the API spaces the others between them
        generator.min_scale, generator.max_scale = scales[0], scales[-1]

    fitted = ssd_anchors.best_overlaps(shapes, _anchors(config))
    if fitted.mean() <= former.mean():
        generator.CopyFrom(kept)
        fitted = former
    return former, fitted


def read_boxes(record: str, total: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read the boxes of a record.

    Args:
        record: its path, or the pattern of its shards.
        total: how many examples it has, for the progress.

    Returns:
        float64[N, 4], xmin, ymin, xmax, ymax, and float64[N, 2], width and height of the image of each; pixels.

    Raises:
        UsageError: there is no such record.
        DataError: it is damaged.
    """
    boxes, sizes = [np.empty((0, 4))], [np.empty((0, 2))]
    for example in progress(read.read(record), "reading boxes", total):
        with decode.open_image(example.encoded) as image:
            size = np.array(image.size, np.float64)
        found = example.boxes_yxyx_normalized[:, [1, 0, 3, 2]] * np.tile(size, 2)
        found = found[(found[:, 2:] > found[:, :2]).all(axis=1)]
        boxes.append(found)
        sizes.append(np.tile(size, (len(found), 1)))
    return np.concatenate(boxes), np.concatenate(sizes)


def cluster(values: np.ndarray, count: int) -> list[float]:
    """Return the centroids of positive numbers by k-means of their logarithms, ascending, to three digits."""
    if not count:
        return []
    centroids, _ = kmeans(np.log(values), count, rng=0)
    centroids = np.pad(np.sort(centroids), (0, count - len(centroids)), mode="edge")  # fewer different values
    return [float(f"{value:.3g}") for value in np.exp(centroids)]


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
