"""Images as arrays: the trainer's pixels, upright; what cannot be read is a finding."""

from __future__ import annotations

import io
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from scripts.lib.core import parallel
from scripts.lib.images import decode
from tests.encoded_images import PASSING, SIZE, chunk, encoded, picture


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


RAMP = np.linspace(0, 1, 24 * 24).reshape(24, 24)
DEEP = {  # stored values -> the gray levels that they mean, and whether a note says that they were scaled
    "12 bits in 16": (np.round(RAMP * 4095).astype(np.uint16), "PNG", RAMP * 255, "0 to 4095"),
    "10 bits in 16": (np.round(RAMP * 1023).astype(np.uint16), "TIFF", RAMP * 255, "0 to 1023"),
    "16 bits": (np.round(RAMP * 65535).astype(np.uint16), "PNG", RAMP * 255, ""),
    "8 bits in 16": (np.round(RAMP * 255).astype(np.uint16), "PNG", RAMP * 255, ""),
    "32 bits": (np.round(RAMP * 2**20).astype(np.int32), "TIFF", RAMP * 127.5, "0 to 1.04858e+06"),
    "negative numbers": (np.round(RAMP * 200 - 100).astype(np.int32), "TIFF", RAMP * 255, "-100 to 100"),
    "floats from 0 to 1": (RAMP.astype(np.float32), "TIFF", RAMP * 255, "0 to 1"),
    "floats from 0 to 255": ((RAMP * 255).astype(np.float32), "TIFF", RAMP * 255, ""),
    "large floats": ((RAMP * 4e5).astype(np.float32), "TIFF", RAMP * 255, "0 to 400000"),
}


@pytest.mark.parametrize("name", DEEP)
def test_case_17_more_than_8_bits_are_scaled_by_their_range(name):
    values, format_name, expected, stated = DEEP[name]
    image, findings = decode.decode(encoded(Image.fromarray(values), format_name), "a")
    assert np.abs(image[..., 0].astype(float) - expected).max() <= 1.5
    notes = [f"its values, {stated}, were scaled to 8 bits"] if stated else []
    assert [(finding.severity, finding.message) for finding in findings] == [("note", note) for note in notes]


def deep_colour_png(high: int) -> bytes:
    header = struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + struct.pack(">H", high) * 96 for _ in range(32))
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (deep_colour_png(4095), "has 16 bits a channel, but uses at most 14"),
        (encoded(Image.fromarray(np.full((32, 32), np.nan, np.float32)), "TIFF"), "has values that are not finite"),
        (
            PASSING["jpeg"].replace(b"\x08" + struct.pack(">HH", 40, 60), b"\x0c" + struct.pack(">HH", 40, 60)),
            "12 bits",
        ),
    ],
)
def test_case_17_what_cannot_be_scaled_is_refused(data, words):
    image, (finding,) = decode.decode(data, "a")
    assert image is None and words in finding.message and "8 bits a channel" in finding.remedy
    assert decode.pixels(deep_colour_png(65535)).min() == 255


def test_case_35_only_listed_formats_are_opened(tmp_path, monkeypatch):
    """Pillow would start Ghostscript for EPS."""
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *args, **kwargs: pytest.fail("Ghostscript"))
    (tmp_path / "a.jpg").write_bytes(eps := encoded(picture(), "EPS"))
    for source in (eps, tmp_path / "a.jpg"):
        with pytest.raises(Image.UnidentifiedImageError):
            decode.open_image(source)


def test_case_30_the_pixels_in_work_are_bounded_whatever_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(decode, "PIXELS_AT_ONCE", 100)
    in_work, seen, lock = [], [], threading.Lock()

    def work(num_pixels):
        with decode.in_turn(num_pixels), decode.in_turn(num_pixels):  # within its turn a thread never waits
            with lock:
                in_work.append(num_pixels)
                seen.append(tuple(in_work))
            time.sleep(0.002)
            with lock:
                in_work.remove(num_pixels)

    sizes = [40, 30, 500, 40, 20, 100, 30, 10] * 5
    list(parallel.ordered_map(work, sizes, 8))
    assert len(seen) == len(sizes) and max(map(len, seen)) > 1
    assert all(sum(together) <= 100 for together in seen if 500 not in together)
    assert {together for together in seen if 500 in together} == {(500,)}
