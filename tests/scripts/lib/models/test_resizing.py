"""Resizing in numpy gives the pixels that TensorFlow 1's gives."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.models import resizing


@pytest.mark.parametrize("size", [(300, 300), (96, 160), (1, 1), (77, 401)])
@pytest.mark.parametrize("old_size", [(640, 480), (300, 300), (1, 1), (50, 33), (1023, 2)])
def test_pixels_are_tensorflows(tf, old_size, size):
    image = np.random.default_rng(sum(old_size)).integers(0, 256, (*old_size, 3), np.uint8)
    with tf.Graph().as_default(), tf.Session() as session:
        expected = session.run(tf.image.resize_images(tf.cast(image, tf.float32), size))
    resized = resizing.bilinear(image, *size)
    assert (resized.shape, resized.dtype) == ((*size, 3), np.float32)
    np.testing.assert_allclose(resized, expected, atol=2e-3)  # of 0..255


def test_the_image_is_left_as_it_was():
    image = np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8)
    before = image.copy()
    resizing.bilinear(image, 20, 20)
    assert (image == before).all()
