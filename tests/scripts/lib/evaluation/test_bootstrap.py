"""Intervals hold the figure, narrow with more images, and are the same on every run."""

from __future__ import annotations

import numpy as np

from scripts.lib.evaluation import average_precision, bootstrap
from tests.scripts.lib.evaluation.test_average_precision import made_images


def test_the_interval_holds_the_figure_and_narrows_with_more_images():
    def width(num_images: int) -> float:
        images = made_images(num_images)
        matches = average_precision.match(images, 1)
        found = bootstrap.with_intervals(
            lambda weights: {"ap": average_precision.average_precision(matches, weights)}, num_images, 200
        )["ap"]
        assert found.value == average_precision.average_precision(matches)[0]
        assert found.low < found.value < found.high
        return found.high - found.low

    assert width(160) < width(20)


def test_resamples_are_the_same_on_every_run():
    first, again = (np.concatenate(list(bootstrap.weights(12, 60))) for _ in range(2))
    assert first.shape == (60, 12)
    assert (first == again).all()
    assert (first.sum(axis=1) == 12).all()


def test_samples_without_the_class_are_left_out_of_the_interval():
    low, high = bootstrap.interval(np.array([np.nan, 0.5, 0.5]))
    assert low == high == 0.5
    assert all(np.isnan(bootstrap.interval(np.array([np.nan]))))
