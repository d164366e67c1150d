"""Sizes of objects and anchors as the detector sees them, without TensorFlow; and objects that are too small for it.

Formulas of the anchors: Liu et al., "SSD: Single Shot MultiBox Detector" (ECCV 2016), section 2.2, as the Object
Detection API's anchor_generators/multiple_grid_anchor_generator.py (`create_ssd_anchors`) and grid_anchor_generator.py
(`tile_anchors`) fill them in. Only shapes are computed: every cell of a layer's grid has the same ones.

Where the config is None, `DEFAULT_INPUT` and `DEFAULT_STRIDE` count.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from google.protobuf.message import Message

from scripts.lib.core.errors import WARNING, Finding

DEFAULT_INPUT = (300, 300)  # width, height in pixels of the base configs that make_config.py takes by itself
DEFAULT_STRIDE = 16  # of those, and of Faster R-CNN
MATCHED = 0.5  # IoU from which the configs' matchers take an anchor for an object


def check(
    places: Sequence[tuple[str, str]], boxes_xyxy: np.ndarray, image_sizes: np.ndarray, config: Message | None
) -> list[Finding]:
    """Return a warning for each object that covers less than a cell of the finest feature map, and that no anchor fits.

    Training matches such an object by force, with one anchor of too low an IoU. How much worse SSD is on small objects:
    Liu et al., "SSD: Single Shot MultiBox Detector" (ECCV 2016), section 3.1 and figure 4.

    The places are file and object, e.g. "object 2 (Skirts)", of each box; boxes and sizes as in `box_shapes`.
    """
    sizes = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    inputs, _ = input_sizes(image_sizes, config)
    resized = sizes / image_sizes * inputs
    stride = finest_stride(config)
    is_small = resized.prod(axis=1) < stride**2
    anchors = anchor_shapes(config)
    if anchors is not None:  # otherwise they are several times as large as a cell
        is_small &= best_overlaps(box_shapes(boxes_xyxy, image_sizes, config), anchors) < MATCHED
    limit = f"less than a cell of the finest feature map ({stride}x{stride} px): seldom found"
    remedy = "train with a larger input (make_config.py --input_size), or crop the images around such objects"
    findings = []
    for index in np.flatnonzero(is_small):
        pixels, shown, whole = (f"{size[index][0]:.0f}x{size[index][1]:.0f}" for size in (sizes, resized, inputs))
        message = f"{pixels} px are {shown} px at {whole}, {limit}"
        findings.append(Finding(WARNING, "box-tiny", places[index][0], message, remedy, places[index][1]))
    return findings


def finest_stride(config: Message | None) -> int:
    """Return how many pixels of the input a cell of the finest feature map has at its side."""
    if config is None:
        return DEFAULT_STRIDE
    if config.model.WhichOneof("model") == "faster_rcnn":
        return config.model.faster_rcnn.feature_extractor.first_stage_features_stride
    extractor = config.model.ssd.feature_extractor
    if "fpn" in extractor.type:
        return 2**extractor.fpn.min_level
    return 8 if extractor.type == "ssd_inception_v3" else DEFAULT_STRIDE


def anchor_shapes(config: Message | None) -> np.ndarray | None:
    """Return the anchors of a cell of each feature map, finest first; None without an `ssd_anchor_generator`.

    float64[anchors, 2]: width and height as shares of the shorter side of the detector's input.
    """
    if config is None or not config.model.ssd.anchor_generator.HasField("ssd_anchor_generator"):
        return None
    generator = config.model.ssd.anchor_generator.ssd_anchor_generator
    steps = max(generator.num_layers - 1, 1)
    span = generator.max_scale - generator.min_scale
    scales = list(generator.scales) or [generator.min_scale + span * i / steps for i in range(generator.num_layers)]
    scales = [*scales[: generator.num_layers], 1.0]
    anchors = []
    for layer, (scale, next_scale) in enumerate(itertools.pairwise(scales)):
        if layer == 0 and generator.reduce_boxes_in_lowest_layer:
            anchors += [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
            continue
        anchors += [(scale, ratio) for ratio in generator.aspect_ratios]
        if generator.interpolated_scale_aspect_ratio > 0:
            anchors.append((math.sqrt(scale * next_scale), generator.interpolated_scale_aspect_ratio))
    sizes, ratios = np.array(anchors, np.float64).reshape(-1, 2).T
    base = generator.base_anchor_width, generator.base_anchor_height
    return np.stack([sizes * np.sqrt(ratios), sizes / np.sqrt(ratios)], axis=1) * base


def box_shapes(boxes_xyxy: np.ndarray, image_sizes: np.ndarray, config: Message | None) -> np.ndarray:
    """Return the shapes of boxes as the detector sees them, in the unit of its anchors, float64[N, 2].

    `boxes_xyxy`, float[N, 4], are in pixels of images whose width and height are `image_sizes`, float[N, 2].
    """
    sizes = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    resized, inputs = input_sizes(image_sizes, config)
    return sizes / image_sizes * resized / inputs.min(axis=1, keepdims=True)


def input_sizes(image_sizes: np.ndarray, config: Message | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the sizes of images once resized, and of the detector's inputs, which may be padded.

    All are float64[N, 2], width and height in pixels, before the API rounds them.
    """
    resizer = config and getattr(config.model, config.model.WhichOneof("model") or "ssd").image_resizer
    if resizer and resizer.HasField("keep_aspect_ratio_resizer"):
        limits = resizer.keep_aspect_ratio_resizer
        shorter, longer = image_sizes.min(axis=1, keepdims=True), image_sizes.max(axis=1, keepdims=True)
        resized = image_sizes * np.minimum(limits.min_dimension / shorter, limits.max_dimension / longer)
        return resized, np.full_like(resized, limits.max_dimension) if limits.pad_to_max_dimension else resized
    shape = DEFAULT_INPUT
    if resizer and resizer.HasField("fixed_shape_resizer"):
        shape = (resizer.fixed_shape_resizer.width, resizer.fixed_shape_resizer.height)
    resized = np.broadcast_to(np.array(shape, np.float64), image_sizes.shape)
    return resized, resized


def best_overlaps(shapes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return the highest IoU of each box with an anchor of the same centre, float64[N]: its upper bound.

    Boxes, float[N, 2], and anchors, float[A, 2], are width and height in one unit.
    """
    intersections = np.minimum(shapes[:, None], anchors[None]).prod(axis=2)  # [N, A]
    unions = shapes.prod(axis=1)[:, None] + anchors.prod(axis=1)[None] - intersections
    return (intersections / unions).max(axis=1, initial=0.0)
