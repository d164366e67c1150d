"""TensorFlow 1's bilinear resizing, in numpy, as the Object Detection API's `fixed_shape_resizer` does it.

`tf.compat.v1.image.resize_images(..., BILINEAR, align_corners=False)`: a pixel's coordinates are those of its corner,
not its middle, and nothing is averaged where an image shrinks. Other libraries' bilinear resizing differs.
"""

from __future__ import annotations

import functools

import numpy as np

_ROWS = 32  # at a time: small arrays stay in the cache and need no new memory from the system, 2 to 5 times as fast


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
    left, right, share_right = _neighbours(old_width, width)
    every_channel = np.arange(channels)
    left, right = ((pixels[:, None] * channels + every_channel).ravel() for pixels in (left, right))
    share_below, share_right = share_below[:, None], share_right.repeat(channels)
    pixel_rows = image.reshape(old_height, -1)
    resized = np.empty((height, width * channels), np.float32)
    for start in range(0, height, _ROWS):
        part = slice(start, start + _ROWS)
        rows = pixel_rows[below[part]].astype(np.float32)
        _blend(rows, pixel_rows[above[part]].astype(np.float32), share_below[part])
        rows.take(right, axis=1, out=resized[part], mode="clip")  # without it, numpy goes by way of a copy
        _blend(resized[part], rows.take(left, axis=1), share_right)
    return resized.reshape(height, width, channels)


def _blend(values: np.ndarray, others: np.ndarray, share: np.ndarray) -> None:
    """Replace values by share * values + (1 - share) * others."""
    values -= others
    values *= share
    values += others


@functools.lru_cache(maxsize=256)
def _neighbours(old_size: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each new row the old rows before and behind it, and the share of the latter."""
    place = np.arange(size, dtype=np.float32) * (np.float32(old_size) / np.float32(size))
    before = np.floor(place)
    behind = np.minimum(np.ceil(place), old_size - 1)
    return before.astype(np.int64), behind.astype(np.int64), place - before
