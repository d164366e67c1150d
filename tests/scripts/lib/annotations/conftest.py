"""Folders that the tests of annotation formats share."""

from __future__ import annotations

import pytest
from PIL import Image

from scripts.lib.images.image_names import ImageFolder


@pytest.fixture
def images(tmp_path):
    """dress.jpg of 100x200 pixels, shown upright as such though stored lying; shop/top.png of 64x48."""
    folder = tmp_path / "samples"
    (folder / "shop").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 100)).save(folder / "dress.jpg", exif=exif)
    Image.new("RGB", (64, 48)).save(folder / "shop" / "top.png")
    return ImageFolder(folder)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "annotations"
    path.mkdir()
    return path
