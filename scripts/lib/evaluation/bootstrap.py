"""Confidence intervals by bootstrap over images (Efron, Tibshirani, An Introduction to the Bootstrap, 1993, chap. 13).

Images are resampled, not objects, since the objects of one image are not independent of each other. A resample is a
vector of weights: how often each image was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

_CHUNK = 50  # resamples computed together: large enough for numpy, small enough for the cache


class Figure(NamedTuple):
    """A number with its 95% interval; NaN if there is nothing to measure."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return "-" if math.isnan(self.value) else f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def weights(num_images: int, num_resamples: int, seed: int = 1) -> Iterator[np.ndarray]:
    """Yield the resamples in chunks, float [up to 50, num_images]; the same seed gives the same resamples."""
    generator = np.random.default_rng(seed)
    for start in range(0, num_resamples, _CHUNK):
        size = min(_CHUNK, num_resamples - start)
        yield generator.multinomial(num_images, np.full(num_images, 1 / num_images), size).astype(float)


def with_intervals(
    figures: Callable[[np.ndarray], dict[str, np.ndarray]], num_images: int, num_resamples: int
) -> dict[str, Figure]:
    """Return name -> figure of all images, with its interval; `figures` takes weights [n, num_images] for float [n]."""
    chunks = [figures(chunk) for chunk in weights(num_images, num_resamples)]
    return {
        name: Figure(float(value[0]), *interval(np.concatenate([chunk[name] for chunk in chunks])))
        for name, value in figures(np.ones((1, num_images))).items()
    }


def interval(samples: np.ndarray) -> tuple[float, float]:
    """Return the 95% percentile interval without NaN samples (resamples without the class); NaN if none is left."""
    samples = samples[~np.isnan(samples)]
    if not samples.size:
        return float("nan"), float("nan")
    return tuple(np.quantile(samples, [0.025, 0.975]).tolist())
