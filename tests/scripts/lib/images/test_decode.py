"""Images as arrays: the trainer's pixels, upright; what cannot be read is a finding."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from scripts.lib.images import decode
from tests.encoded_images import PASSING, SIZE


def test_a_file_is_read_or_a_finding_says_why_not(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(PASSING["png"])
    image, findings = decode.read(tmp_path / "a.png")
    assert (image.shape, image.dtype, findings) == ((*SIZE[::-1], 3), np.uint8, [])
    (tmp_path / "cut.jpg").write_bytes(PASSING["jpeg"][:-99])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    expected = {"cut": "unreadable", "empty": "empty", "folder": "unreadable", "none": "missing"}
    for name, code in expected.items():
        image, (finding,) = decode.read(tmp_path / f"{name}.jpg")
        assert image is None and finding.code == f"image-{code}" and finding.file.endswith(f"{name}.jpg")
    monkeypatch.setattr(decode, "MAX_BYTES", 10)
    assert decode.read(tmp_path / "a.png")[1][0].code == "image-too-large"


@pytest.mark.parametrize("progressive", [False, True])
def test_pixels_are_those_of_the_trainers_reader_and_upright(tf, progressive):
    """A plain JPEG by libjpeg's fast transform, to the bit; a turned one by Pillow."""
    pixels = np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8)
    plain, turned = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(plain, "JPEG", quality=80, progressive=progressive)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(pixels).save(turned, "JPEG", quality=80, exif=exif)
    with tf.Graph().as_default(), tf.Session() as session:
        expected = session.run(tf.io.decode_jpeg(plain.getvalue(), channels=3))
    assert (decode.pixels(plain.getvalue()) == expected).all()
    upright = decode.pixels(turned.getvalue())
    assert upright.shape == (60, 40, 3)
    assert np.abs(upright.astype(int) - np.rot90(expected, 3)).mean() < 5


def test_more_pixels_than_are_decoded(monkeypatch):
    monkeypatch.setattr(decode, "MAX_PIXELS", 500)
    png = io.BytesIO()
    Image.new("RGB", (30, 20)).save(png, "PNG")
    image, (finding,) = decode.decode(png.getvalue(), "a.png")
    assert image is None and finding.code == "image-too-large" and "30x20" in finding.message
