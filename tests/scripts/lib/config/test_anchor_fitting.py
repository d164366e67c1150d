"""Anchors fitted to boxes: k-means with the IoU, and what becomes of a config."""

from __future__ import annotations

import io

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

from scripts.lib.config import anchor_fitting, pipeline_config, ssd_anchors
from scripts.lib.core import files
from scripts.lib.core.errors import UsageError
from scripts.lib.object_detection_api import protos
from scripts.lib.records import tf_example, tf_record

CONFIGS = files.REPOSITORY_ROOT / "configs"


def blobs(*centres: tuple[float, float], count: int = 50) -> np.ndarray:
    """Shapes around some centres, float[N, 2]."""
    noise = np.random.default_rng(3).normal(1, 0.03, (len(centres), count, 2))
    return (np.array(centres)[:, None] * noise).reshape(-1, 2)


def boxes_of(shapes: np.ndarray, image: tuple[int, int] = (400, 200)) -> tuple[np.ndarray, np.ndarray]:
    """Boxes, in pixels of images of one size, whose shapes are shares of the image's sides."""
    sizes = shapes * image
    return np.concatenate([np.zeros_like(sizes), sizes], axis=1), np.tile(np.array(image, np.float64), (len(shapes), 1))


def config_of(model: str):
    return text_format.Parse(f"model {{ {model} }}", protos.load("pipeline").TrainEvalPipelineConfig())


def ssd(generator: str, resizer: str = "fixed_shape_resizer { width: 300 height: 300 }"):
    return config_of(
        f"ssd {{ image_resizer {{ {resizer} }} anchor_generator {{ ssd_anchor_generator {{ {generator} }} }} }}"
    )


def faster_rcnn(resizer: str):
    generator = "grid_anchor_generator { scales: [0.25, 0.5, 1.0] aspect_ratios: [0.5, 1.0, 2.0] }"
    return config_of(f"faster_rcnn {{ image_resizer {{ {resizer} }} first_stage_anchor_generator {{ {generator} }} }}")


def test_the_centroids_of_separate_clusters_are_found_in_order():
    centres = [0.02, 0.06, 0.2, 0.8]
    values = blobs(*((centre, centre) for centre in reversed(centres)))[:, 0]
    found = anchor_fitting.cluster(values, 4)
    np.testing.assert_allclose(found, centres, rtol=0.03)
    assert found == anchor_fitting.cluster(values, 4)


def test_the_distance_is_the_overlap_not_the_length():
    """By length, the two large sides are farther apart than the small ones; by IoU it is the other way round."""
    found = anchor_fitting.cluster(blobs((0.02, 0.02), (0.06, 0.06), (0.8, 0.8), (0.9, 0.9))[:, 0], 3)
    np.testing.assert_allclose(found, [0.02, 0.06, 0.85], rtol=0.05)


def test_the_number_of_centroids_stays_where_there_are_fewer_values():
    assert anchor_fitting.cluster(np.array([0.5, 0.25, 0.5]), 3) == [0.25, 0.5, 0.5]


def test_an_ssds_scales_and_ratios_become_those_of_the_boxes():
    config = ssd("num_layers: 2 aspect_ratios: [1.0, 2.0] reduce_boxes_in_lowest_layer: false")
    side = np.sqrt(np.array([3.0, 1 / 3]))
    boxes = boxes_of(blobs(0.1 * side, 0.6 * side, 0.1 / side, 0.6 / side))
    former, fitted = anchor_fitting.fit(config, *boxes)
    generator = config.model.ssd.anchor_generator.ssd_anchor_generator
    assert (generator.min_scale, generator.max_scale) == (pytest.approx(0.1, rel=0.05), pytest.approx(0.6, rel=0.05))
    assert sorted(generator.aspect_ratios) == [pytest.approx(1 / 3, rel=0.05), pytest.approx(3, rel=0.05)]
    assert former.mean() < 0.6 and fitted.mean() > 0.9
    assert fitted.min() >= ssd_anchors.MATCHED > former.min()


def test_scales_that_are_given_one_by_one_stay_so_many():
    config = ssd("num_layers: 3 scales: [0.35, 0.6, 0.85] aspect_ratios: [1.0] reduce_boxes_in_lowest_layer: false")
    anchor_fitting.fit(config, *boxes_of(blobs((0.05, 0.05), (0.2, 0.2), (0.3, 0.3))))
    generator = config.model.ssd.anchor_generator.ssd_anchor_generator
    np.testing.assert_allclose(list(generator.scales), [0.05, 0.2, 0.3], rtol=0.03)
    assert not generator.HasField("min_scale")


@pytest.mark.parametrize(
    ("resizer", "sides"),
    [
        ("keep_aspect_ratio_resizer { min_dimension: 200 max_dimension: 1000 }", (400, 200)),
        ("keep_aspect_ratio_resizer { min_dimension: 600 max_dimension: 600 }", (600, 300)),
        ("fixed_shape_resizer { width: 512 height: 512 }", (512, 512)),
    ],
)
def test_a_faster_rcnns_anchors_are_in_pixels_of_the_resized_image(resizer, sides):
    config = faster_rcnn(resizer)
    shapes = np.array([[0.1, 0.2], [0.2, 0.4], [0.4, 0.8], [0.4, 0.3], [0.3, 0.2], [0.15, 0.6]])
    former, fitted = anchor_fitting.fit(config, *boxes_of(np.repeat(shapes, 5, axis=0)))
    generator = config.model.faster_rcnn.first_stage_anchor_generator.grid_anchor_generator
    pixels = np.sqrt((shapes * sides).prod(axis=1))
    assert pixels.min() < 257 * generator.scales[0] < 256 * generator.scales[-1] < 1.01 * pixels.max()
    assert len(generator.scales) == len(generator.aspect_ratios) == 3
    assert fitted.mean() > former.mean()


def test_anchors_that_fit_stay():
    config = pipeline_config.read(CONFIGS / "ssd_mobilenet_v1_multi.config")
    kept = config.SerializeToString()
    anchors = np.concatenate(ssd_anchors.shapes_by_layer(config))
    former, fitted = anchor_fitting.fit(config, *boxes_of(np.repeat(anchors, 3, axis=0)))
    assert config.SerializeToString() == kept
    assert former.mean() == fitted.mean() == pytest.approx(1.0)


def test_many_boxes_take_no_longer():
    config = pipeline_config.read(CONFIGS / "ssd_mobilenet_v1_multi.config")
    shapes = np.random.default_rng(1).uniform(0.05, 0.9, (200_000, 2))
    assert anchor_fitting.fit(config, *boxes_of(shapes))[1].mean() > 0.5


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_boxes_are_refused(count):
    with pytest.raises(UsageError, match=f"needs 6 boxes of different shapes; the record has {count} box"):
        anchor_fitting.fit(ssd("aspect_ratios: [1.0]"), *boxes_of(np.full((count, 2), 0.5)))


def test_other_anchors_are_refused():
    config = config_of("ssd { anchor_generator { multiscale_anchor_generator { min_level: 3 } } }")
    with pytest.raises(UsageError, match="has multiscale_anchor_generator; it can fit an ssd_anchor_generator"):
        anchor_fitting.fit(config, *boxes_of(blobs((0.1, 0.1))))


def write_record(path, *boxes_xyxy: list[tuple[float, ...]]) -> str:
    """A record of images of 100x50 pixels with boxes in shares of their sides."""
    encoded = io.BytesIO()
    Image.new("RGB", (100, 50)).save(encoded, "PNG")
    with path.open("wb") as file:
        for boxes in boxes_xyxy:
            sides = zip(("xmin", "ymin", "xmax", "ymax"), zip(*boxes, strict=True), strict=False)
            floats = {f"image/object/bbox/{name}": list(values) for name, values in sides}
            labels = {"image/object/class/label": [1] * len(boxes)}
            example = tf_example.example({"image/encoded": [encoded.getvalue()]}, floats, labels)
            tf_record.write_record(file, tf_example.serialized(example))
    return str(path)


def test_boxes_of_a_record_are_in_pixels_and_images_without_one_count_for_nothing(tmp_path):
    boxes = [(0.1, 0.2, 0.3, 0.4), (0.5, 0.5, 0.5, 0.6)]  # the second box has no width
    found, sizes = anchor_fitting.read_boxes(write_record(tmp_path / "a.record", boxes, []))
    np.testing.assert_allclose(found, [[10, 10, 30, 20]], rtol=1e-6)
    np.testing.assert_allclose(sizes, [[100, 50]])
