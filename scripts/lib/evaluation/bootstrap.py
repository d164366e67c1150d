"""Confidence intervals by bootstrap over images (Efron, Tibshirani, An Introduction to the Bootstrap, 1993, chap. 13).

The image is the unit that is drawn: objects of one photo are not independent of each other. A resample is a vector of
weights, how often each image was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

_CHUNK = 50  # resamples that are worked on together: large enough for numpy, small enough for the cache


def weights(num_images: int, num_resamples: int, seed: int = 1) -> Iterator[np.ndarray]:
    """Yields the resamples in chunks, float [up to 50, num_images]; the same seed gives the same resamples."""
    generator = np.random.default_rng(seed)
    for start in range(0, num_resamples, _CHUNK):
        size = min(_CHUNK, num_resamples - start)
        yield generator.multinomial(num_images, np.full(num_images, 1 / num_images), size).astype(float)


def resampled(
    figures: Callable[[np.ndarray], dict[str, np.ndarray]], num_images: int, num_resamples: int
) -> dict[str, np.ndarray]:
    """All figures on all resamples.

    Args:
        figures: takes weights [n, num_images], gives name -> float [n].
        num_images: how many images there are.
        num_resamples: how many resamples are drawn.

    Returns:
        Name -> float [num_resamples].
    """
    chunks = [figures(chunk) for chunk in weights(num_images, num_resamples)]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]} if chunks else {}


def interval(samples: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """The percentile interval; resamples without the class (NaN) are left out, NaN where none is left."""
    samples = samples[~np.isnan(samples)]
    if not samples.size:
        return float("nan"), float("nan")
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
