"""COCO's figures against pycocotools' own summary."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.evaluation import coco
from tests.scripts.lib.evaluation.test_average_precision import made_images


@pytest.mark.parametrize("seed", range(3))
def test_the_summary_equals_that_of_pycocotools(seed):
    images = made_images(seed=seed)
    evaluation = coco._evaluated(images, 3)
    evaluation.accumulate()
    evaluation.summarize()
    figures = coco.summary(coco.match(images, 3), np.ones((1, len(images))))
    # stats: AP, AP50, AP75, small, medium, large, AR@1, AR@10, AR@100, small, medium, large
    expected = np.delete(evaluation.stats, [6, 7])
    found = np.nan_to_num([figures[name][0] for name in coco.METRICS], nan=-1)
    assert found == pytest.approx(expected, abs=1e-9)


def test_an_image_drawn_twice_counts_as_two_images():
    images = made_images(10)
    drawn = [0, 0, 3, 4, 4, 4, 7, 8, 9, 9]
    weights = np.bincount(drawn, minlength=10)[np.newaxis].astype(float)
    weighted = coco.summary(coco.match(images, 3), weights)
    copied = coco.summary(coco.match([images[i] for i in drawn], 3), np.ones((1, 10)))
    for name in coco.METRICS:
        assert weighted[name] == pytest.approx(copied[name], abs=1e-9, nan_ok=True)


def test_without_any_object_there_is_no_figure():
    images = [
        image._replace(
            true_boxes_yxyx=np.zeros((0, 4), np.float32),
            true_class_ids=np.zeros(0, int),
            is_difficult=np.zeros(0, bool),
        )
        for image in made_images(3)
    ]
    figures = coco.summary(coco.match(images, 3), np.ones((1, 3)))
    assert all(np.isnan(value) for value in figures.values())
