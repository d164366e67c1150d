"""TensorFlow 1's bilinear resizing, in numpy, as the Object Detection API's `fixed_shape_resizer` does it.

`tf.compat.v1.image.resize_images(..., BILINEAR, align_corners=False)`: a pixel's coordinates are those of its corner,
not its middle, and nothing is averaged where an image shrinks. Other libraries' bilinear resizing differs.
"""

from __future__ import annotations

import functools

import numpy as np


def bilinear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image.

    Args:
        image: uint8 [old height, old width, channels].
        height, width: of the result.

    Returns:
        float32 [height, width, channels], in the image's range of values.
    """
    old_height, old_width, channels = image.shape
    above, below, share_below = _neighbours(old_height, height)
    rows = _between(image[above], image[below], share_below[:, None, None])
    left, right, share_right = _neighbours(old_width, width)
    every_channel = np.arange(channels)
    rows = rows.reshape(height, -1)
    left, right = ((pixels[:, None] * channels + every_channel).ravel() for pixels in (left, right))
    resized = _between(rows.take(left, axis=1), rows.take(right, axis=1), share_right.repeat(channels))
    return resized.reshape(height, width, channels)


def _between(first: np.ndarray, second: np.ndarray, share_of_second: np.ndarray) -> np.ndarray:
    """Return (1 - share) * first + share * second in float32."""
    first = first.astype(np.float32, copy=False)
    difference = second.astype(np.float32, copy=second.dtype == np.float32)
    difference -= first
    difference *= share_of_second
    difference += first
    return difference


@functools.lru_cache(maxsize=256)
def _neighbours(old_size: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each new row the old rows before and behind it, and the share of the latter."""
    place = np.arange(size, dtype=np.float32) * (np.float32(old_size) / np.float32(size))
    before = np.floor(place)
    behind = np.minimum(np.ceil(place), old_size - 1)
    return before.astype(np.int64), behind.astype(np.int64), place - before
