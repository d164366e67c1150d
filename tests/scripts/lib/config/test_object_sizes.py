"""Objects that are too small for the detector's input; SSD anchors without TensorFlow: those of the Object Detection API."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format

from scripts.lib.config import make, object_sizes, pipeline_config
from scripts.lib.core import files
from scripts.lib.object_detection_api import protos
from scripts.make_config import default_base

SCREEN = (1366, 768)


def found(box, config=None, size=SCREEN):
    return object_sizes.check([("a.jpg", "object 1 (head)")], np.array([box]), np.array([size]), config)


def config(repository_root, name):
    return pipeline_config.read(repository_root / "configs" / f"{name}.config")


def test_a_head_that_people_see_is_lost_at_300_pixels_and_not_at_1366(repository_root):
    head = (100, 100, 111, 113)
    (finding,) = found(head)
    assert (finding.severity, finding.code, finding.file, finding.object) == (
        "warning",
        "box-tiny",
        "a.jpg",
        "object 1 (head)",
    )
    assert "11x13 px are 2x5 px at 300x300" in finding.message and "16x16 px" in finding.message
    assert "--input_size" in finding.remedy and "crop" in finding.remedy
    large = config(repository_root, "ssd_mobilenet_v1_fpn")
    (
        large.model.ssd.image_resizer.fixed_shape_resizer.width,
        large.model.ssd.image_resizer.fixed_shape_resizer.height,
    ) = SCREEN
    assert found(head, large) == []


@pytest.mark.parametrize(
    ("name", "side", "stride"),
    [
        ("ssd_mobilenet_v1_multi", 300, 16),
        ("ssd_mobilenet_v1_512", 512, 16),
        ("ssd_mobilenet_v1_fpn", 640, 8),
        ("faster_rcnn_nas", 600, 16),
    ],
)
def test_the_limit_is_a_cell_of_the_finest_feature_map(repository_root, name, side, stride):
    pipeline = config(repository_root, name)
    assert object_sizes.finest_stride(pipeline) == stride
    for shape, is_small in (
        ((stride, stride), False),
        ((stride, stride - 1), True),
        ((4 * stride, stride // 4), False),
    ):
        assert bool(found((0, 0, *shape), pipeline, (side, side))) == is_small


def test_images_that_keep_their_shape_are_measured_as_they_are_resized(repository_root):
    pipeline = config(repository_root, "faster_rcnn_resnet101")  # 600 to 1024
    (finding,) = found((0, 0, 9, 13), pipeline)
    assert "9x13 px are 7x10 px at 1024x576" in finding.message


def test_without_a_config_the_input_is_that_of_make_configs_base(repository_root):
    for examples in (10, 100_000):
        base = pipeline_config.read(default_base(make.DataRecord("a", None, examples)))
        resizer = base.model.ssd.image_resizer.fixed_shape_resizer
        assert (resizer.width, resizer.height) == object_sizes.DEFAULT_INPUT
        assert object_sizes.finest_stride(base) == object_sizes.DEFAULT_STRIDE


def test_what_an_anchor_fits_is_no_smaller_than_can_be_seen(repository_root):
    pipeline = config(repository_root, "ssd_mobilenet_v1_one")  # 128x128, the smallest anchor has 13x13 pixels
    assert found((0, 0, 15, 15), pipeline, (128, 128)) == []
    assert found((0, 0, 8, 8), pipeline, (128, 128)) != []


def test_no_anchor_of_the_default_fits_a_box_of_less_than_a_cell(repository_root):
    anchors = object_sizes.anchor_shapes(config(repository_root, "ssd_mobilenet_v1_multi"))
    widths = np.array([2, 4, 8, 16, 32, 64])
    shapes = np.stack([widths, object_sizes.DEFAULT_STRIDE**2 / widths], axis=1) / object_sizes.DEFAULT_INPUT
    assert object_sizes.best_overlaps(shapes, anchors).max() < object_sizes.MATCHED


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
    np.testing.assert_allclose(
        object_sizes.anchor_shapes(config), np.concatenate(api_shapes(tf, config, *size)), rtol=1e-5
    )


def test_a_config_without_ssd_anchors_has_none():
    config = protos.load("pipeline").TrainEvalPipelineConfig()
    assert object_sizes.anchor_shapes(config) is None
    config.model.faster_rcnn.num_classes = 1
    assert object_sizes.anchor_shapes(config) is None
    config.model.ssd.anchor_generator.multiscale_anchor_generator.min_level = 3
    assert object_sizes.anchor_shapes(config) is None


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
    np.testing.assert_allclose(object_sizes.box_shapes(boxes, sizes, config), [expected])
    if not resizer:
        np.testing.assert_allclose(object_sizes.box_shapes(boxes, sizes, None), [expected])


def test_the_resizer_is_that_of_the_models_kind():
    config = protos.load("pipeline").TrainEvalPipelineConfig()
    text_format.Parse("keep_aspect_ratio_resizer { min_dimension: 600 }", config.model.faster_rcnn.image_resizer)
    boxes, sizes = np.array([[10.0, 20, 110, 70]]), np.array([[400.0, 100]])
    np.testing.assert_allclose(object_sizes.box_shapes(boxes, sizes, config), [(1.0, 0.5)])


def test_the_best_overlap_is_that_of_boxes_with_one_centre():
    shapes = np.array([[0.2, 0.2], [0.1, 0.4], [1.0, 1.0]])
    overlaps = object_sizes.best_overlaps(shapes, np.array([[0.2, 0.2], [0.1, 0.1]]))
    np.testing.assert_allclose(overlaps, [1.0, 0.02 / 0.06, 0.04])
    assert object_sizes.best_overlaps(shapes[:0], shapes).shape == (0,)
