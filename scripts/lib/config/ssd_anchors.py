"""Compute the anchor boxes of an SSD config without TensorFlow.

Formulas: Liu et al., "SSD: Single Shot MultiBox Detector" (ECCV 2016), section 2.2, as the Object Detection API's
anchor_generators/multiple_grid_anchor_generator.py (`create_ssd_anchors`) and grid_anchor_generator.py
(`tile_anchors`) fill them in. Only shapes are computed: every cell of a layer's grid has the same ones.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from google.protobuf.message import Message

MATCHED = 0.5  # IoU from which the configs' matchers take an anchor for an object


def shapes(config: Message) -> np.ndarray | None:
    """Return the anchors of a cell of each feature map, finest first; None without an `ssd_anchor_generator`.

    float64[anchors, 2]: width and height as shares of the shorter side of the detector's input.
    """
    anchor_generator = config.model.ssd.anchor_generator
    if not anchor_generator.HasField("ssd_anchor_generator"):
        return None
    generator = anchor_generator.ssd_anchor_generator
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

    `boxes_xyxy`, float[N, 4], are in pixels of images whose width and height are `image_sizes`, float[N, 2]. Of the
    config the `image_resizer` counts; None: resized to a square.
    """
    sizes = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    resized, inputs = input_sizes(image_sizes, config)
    return sizes / image_sizes * resized / inputs.min(axis=1, keepdims=True)


def input_sizes(image_sizes: np.ndarray, config: Message | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the sizes of images once resized, and of the detector's inputs, which may be padded.

    All are float64[N, 2], width and height in pixels, before the API rounds them; without a config, 1x1.
    """
    resizer = config and getattr(config.model, config.model.WhichOneof("model") or "ssd").image_resizer
    if resizer and resizer.HasField("keep_aspect_ratio_resizer"):
        limits = resizer.keep_aspect_ratio_resizer
        shorter, longer = image_sizes.min(axis=1, keepdims=True), image_sizes.max(axis=1, keepdims=True)
        resized = image_sizes * np.minimum(limits.min_dimension / shorter, limits.max_dimension / longer)
        return resized, np.full_like(resized, limits.max_dimension) if limits.pad_to_max_dimension else resized
    shape = (1.0, 1.0)
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
