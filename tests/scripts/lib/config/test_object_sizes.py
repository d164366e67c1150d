"""Objects that are too small for the detector's input."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.config import make, object_sizes, pipeline_config, ssd_anchors
from scripts.make_config import default_base

SCREEN = (1366, 768)


def found(box, config=None, size=SCREEN):
    return object_sizes.check([("a.jpg", "object 1 (head)", box, size)], config)


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
    anchors = ssd_anchors.shapes(config(repository_root, "ssd_mobilenet_v1_multi"))
    widths = np.array([2, 4, 8, 16, 32, 64])
    shapes = np.stack([widths, object_sizes.DEFAULT_STRIDE**2 / widths], axis=1) / object_sizes.DEFAULT_INPUT
    assert ssd_anchors.best_overlaps(shapes, anchors).max() < ssd_anchors.MATCHED
