"""Find objects that a detector's input shows too small."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from google.protobuf.message import Message

from scripts.lib.config import ssd_anchors
from scripts.lib.core.errors import WARNING, Finding

DEFAULT_INPUT = (300, 300)  # width, height in pixels of the base configs that make_config.py takes by itself
DEFAULT_STRIDE = 16  # of those, and of Faster R-CNN

LabelledBox = tuple[str, str, tuple[int, int, int, int], tuple[int, int]]


def check(boxes: Iterable[LabelledBox], config: Message | None) -> list[Finding]:
    """Return a warning for each object that covers less than a cell of the finest feature map, and that no anchor fits.

    Training matches such an object by force, with one anchor of too low an IoU. How much worse SSD is on small objects:
    Liu et al., "SSD: Single Shot MultiBox Detector" (ECCV 2016), section 3.1 and figure 4.

    Args:
        boxes: file, object (e.g. "object 2 (Skirts)"), box (xmin, ymin, xmax, ymax in pixels), size of the image.
        config: a TrainEvalPipelineConfig; None: `DEFAULT_INPUT` and `DEFAULT_STRIDE`.
    """
    boxes = list(boxes)
    corners = np.array([box for _, _, box, _ in boxes], np.float64).reshape(-1, 4)
    image_sizes = np.array([size for *_, size in boxes], np.float64).reshape(-1, 2)
    sizes = corners[:, 2:] - corners[:, :2]
    inputs = ssd_anchors.input_sizes(image_sizes, config)[0] if config else np.full_like(image_sizes, DEFAULT_INPUT)
    resized = sizes / image_sizes * inputs
    stride = finest_stride(config) if config else DEFAULT_STRIDE
    is_small = resized.prod(axis=1) < stride**2
    anchors = ssd_anchors.shapes(config) if config else None
    if anchors is not None:  # otherwise they are several times as large as a cell
        shapes = ssd_anchors.box_shapes(corners, image_sizes, config)
        is_small &= ssd_anchors.best_overlaps(shapes, anchors) < ssd_anchors.MATCHED
    limit = f"less than a cell of the finest feature map ({stride}x{stride} px): seldom found"
    remedy = "train with a larger input (make_config.py --input_size), or crop the images around such objects"
    findings = []
    for index in np.flatnonzero(is_small):
        pixels, shown, whole = (f"{size[index][0]:.0f}x{size[index][1]:.0f}" for size in (sizes, resized, inputs))
        message = f"{pixels} px are {shown} px at {whole}, {limit}"
        findings.append(Finding(WARNING, "box-tiny", boxes[index][0], message, remedy, boxes[index][1]))
    return findings


def finest_stride(config: Message) -> int:
    """Return how many pixels of the input a cell of the finest feature map has at its side."""
    if config.model.WhichOneof("model") == "faster_rcnn":
        return config.model.faster_rcnn.feature_extractor.first_stage_features_stride
    extractor = config.model.ssd.feature_extractor
    if "fpn" in extractor.type:
        return 2**extractor.fpn.min_level
    return 8 if extractor.type == "ssd_inception_v3" else DEFAULT_STRIDE
