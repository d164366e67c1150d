"""SSD anchors without TensorFlow: those of the Object Detection API."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format

from scripts.lib.config import pipeline_config, ssd_anchors
from scripts.lib.core import files
from scripts.lib.object_detection_api import protos

CONFIGS = sorted(
    path.name
    for path in (files.REPOSITORY_ROOT / "configs").glob("ssd_*.config")
    if "ssd_anchor_generator" in path.read_text(encoding="utf-8")
)
GENERATORS = {
    "defaults": "aspect_ratios: [1.0, 2.0, 0.5, 3.0, 0.3333]",
    "scales": "num_layers: 3 scales: [0.1, 0.3, 0.9] aspect_ratios: [1.0, 2.5]",
    "all boxes in the lowest layer": "reduce_boxes_in_lowest_layer: false min_scale: 0.1 aspect_ratios: [1.0, 0.4]",
    "no interpolated anchor": "interpolated_scale_aspect_ratio: 0.0 aspect_ratios: [1.0, 2.0]",
    "base": "base_anchor_height: 0.5 base_anchor_width: 1.5 aspect_ratios: [1.0] interpolated_scale_aspect_ratio: 2.0",
}


def config_of(generator: str):
    config = protos.load("pipeline").TrainEvalPipelineConfig()
    return text_format.Parse(
        f"model {{ ssd {{ anchor_generator {{ ssd_anchor_generator {{ {generator} }} }} }} }}", config
    )


def api_shapes(tf, config, height: int, width: int) -> list[np.ndarray]:
    """Width and height of each layer's anchors from the API, as shares of the input's shorter side, each shape once."""
    from object_detection.builders import anchor_generator_builder

    with tf.Graph().as_default():
        generator = anchor_generator_builder.build(config.model.ssd.anchor_generator)
        layers = generator.generate(
            [(2, 2)] * len(generator.num_anchors_per_location()), im_height=height, im_width=width
        )
        with tf.compat.v1.Session() as session:
            corners = session.run([boxes.get() for boxes in layers])  # normalised ymin, xmin, ymax, xmax
    unit = np.array([width, height]) / min(width, height)
    per_cell = generator.num_anchors_per_location()
    return [
        (boxes[:count, [3, 2]] - boxes[:count, [1, 0]]) * unit for boxes, count in zip(corners, per_cell, strict=True)
    ]


@pytest.mark.parametrize("name", [*GENERATORS, *CONFIGS])
@pytest.mark.parametrize("size", [(300, 300), (200, 400)])
def test_they_equal_those_of_the_api(tf, name, size):
    text = GENERATORS.get(name)
    config = config_of(text) if text else pipeline_config.read(files.REPOSITORY_ROOT / "configs" / name)
    np.testing.assert_allclose(ssd_anchors.shapes(config), np.concatenate(api_shapes(tf, config, *size)), rtol=1e-5)


def test_a_config_without_ssd_anchors_has_none():
    config = protos.load("pipeline").TrainEvalPipelineConfig()
    assert ssd_anchors.shapes(config) is None
    config.model.faster_rcnn.num_classes = 1
    assert ssd_anchors.shapes(config) is None
    config.model.ssd.anchor_generator.multiscale_anchor_generator.min_level = 3
    assert ssd_anchors.shapes(config) is None


@pytest.mark.parametrize(
    ("resizer", "expected"),
    [
        ("", (0.25, 0.5)),
        ("fixed_shape_resizer { width: 300 height: 300 }", (0.25, 0.5)),
        ("fixed_shape_resizer { width: 600 height: 300 }", (0.5, 0.5)),
        ("keep_aspect_ratio_resizer { min_dimension: 600 max_dimension: 1024 }", (1.0, 0.5)),
        (
            "keep_aspect_ratio_resizer { min_dimension: 600 max_dimension: 600 pad_to_max_dimension: true }",
            (0.25, 0.125),
        ),
    ],
)
def test_boxes_are_in_the_unit_of_the_anchors(resizer, expected):
    config = config_of("")
    text_format.Parse(resizer, config.model.ssd.image_resizer)
    boxes, sizes = np.array([[10.0, 20, 110, 70]]), np.array([[400.0, 100]])
    np.testing.assert_allclose(ssd_anchors.box_shapes(boxes, sizes, config), [expected])
    if not resizer:
        np.testing.assert_allclose(ssd_anchors.box_shapes(boxes, sizes, None), [expected])


def test_the_resizer_is_that_of_the_models_kind():
    config = protos.load("pipeline").TrainEvalPipelineConfig()
    text_format.Parse("keep_aspect_ratio_resizer { min_dimension: 600 }", config.model.faster_rcnn.image_resizer)
    boxes, sizes = np.array([[10.0, 20, 110, 70]]), np.array([[400.0, 100]])
    np.testing.assert_allclose(ssd_anchors.box_shapes(boxes, sizes, config), [(1.0, 0.5)])


def test_the_best_overlap_is_that_of_boxes_with_one_centre():
    shapes = np.array([[0.2, 0.2], [0.1, 0.4], [1.0, 1.0]])
    overlaps = ssd_anchors.best_overlaps(shapes, np.array([[0.2, 0.2], [0.1, 0.1]]))
    np.testing.assert_allclose(overlaps, [1.0, 0.02 / 0.06, 0.04])
    assert ssd_anchors.best_overlaps(shapes[:0], shapes).shape == (0,)
