"""Image files as bytes: what passes, what is converted, what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scripts.lib.images import decode, prepare
from tests.encoded_images import (
    COLOURS,
    CONVERTED,
    PASSING,
    SIZE,
    encoded,
    picture,
    pixels,
    png_with_size,
    with_orientation,
)


def prepare_well(data, **options):
    image, findings = prepare.prepare(data, "a.jpg", **options)
    assert image is not None, findings
    return image, findings


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("verify", [True, False])
def test_what_the_trainer_can_decode_passes_byte_for_byte(name, verify):
    image, findings = prepare_well(PASSING[name], verify=verify)
    assert image.encoded is PASSING[name] and findings == []
    assert image.format == ("png" if "png" in name else "jpeg")
    assert image.size == image.upright_size == image.raw_size == SIZE and image.orientation == 1


@pytest.mark.parametrize("name", CONVERTED)
@pytest.mark.parametrize("verify", [True, False])
def test_what_it_cannot_is_stored_as_rgb_jpeg_of_the_same_pixels(name, verify):
    data, shown = CONVERTED[name]
    image, (finding,) = prepare_well(data, verify=verify)
    assert finding.severity == "note" and shown in finding.message
    with Image.open(io.BytesIO(image.encoded)) as jpeg:
        assert (image.format, jpeg.format, jpeg.mode, jpeg.size) == ("jpeg", "JPEG", "RGB", SIZE)
    expected = pixels(encoded(picture("L"), "PNG")) if name == "16-bit png" else pixels(data)
    assert np.abs(pixels(image.encoded) - expected).mean() < 2


@pytest.mark.parametrize("name", [*PASSING, *CONVERTED])
def test_tensorflow_decodes_what_is_stored(tf, name):
    data = PASSING[name] if name in PASSING else CONVERTED[name][0]
    stored = prepare_well(data)[0].encoded
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        decoded = session.run(tf.io.decode_image(stored, channels=3))
    assert decoded.shape == (40, 60, 3)
    assert np.abs(decoded.astype(int) - pixels(stored)).mean() < 1.5


def test_an_arithmetic_coded_jpeg_never_passes_byte_for_byte():
    huffman = encoded(picture(), "JPEG")
    arithmetic = huffman.replace(b"\xff\xc0", b"\xff\xc9")  # the start of frame says which
    assert prepare.prepare(huffman, "a.jpg", verify=False)[0].encoded == huffman
    image, _ = prepare.prepare(arithmetic, "a.jpg", verify=False)
    assert arithmetic != huffman and (image is None or image.encoded != arithmetic)


def test_transparent_pixels_become_white():
    image = picture("RGBA")
    image.putalpha(0)
    assert (pixels(prepare_well(encoded(image, "PNG"))[0].encoded) > 250).all()


def test_a_png_with_a_transparent_colour_is_converted():
    _, (finding,) = prepare_well(encoded(picture(), "PNG", transparency=COLOURS[0]))
    assert "transparency" in finding.message


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
def test_exif_orientation_is_applied(orientation, format_name):
    data = with_orientation(orientation, format_name)
    image, findings = prepare_well(data)
    upright = SIZE[::-1] if orientation >= 5 else SIZE
    assert (image.orientation, image.raw_size, image.upright_size, image.size) == (orientation, SIZE, upright, upright)
    stored = picture()
    turn = [None, None, 0, 3, 1, 5, 4, 6, 2][orientation]  # Image.Transpose that undoes each orientation
    expected = np.asarray(stored.transpose(Image.Transpose(turn))).astype(int)
    assert np.abs(pixels(image.encoded) - expected).mean() < 4
    with Image.open(io.BytesIO(image.encoded)) as jpeg:
        assert jpeg.getexif().get(0x0112, 1) == 1
    assert np.abs(decode.pixels(data).astype(int) - expected).mean() < 4
    assert findings == []


def test_an_image_shrinks_to_max_side_and_never_grows():
    image, _ = prepare_well(PASSING["jpeg"], max_side=30)
    assert image.size == (30, 20) and image.upright_size == SIZE
    assert pixels(image.encoded).shape == (20, 30, 3)
    assert prepare_well(PASSING["jpeg"], max_side=60)[0].encoded is PASSING["jpeg"]
    assert prepare_well(encoded(Image.new("RGB", (1000, 3)), "PNG"), max_side=100)[0].size == (100, 1)


JPEG, PNG = PASSING["jpeg"], PASSING["png"]
FLIPPED_PNG = PNG[:50] + bytes([PNG[50] ^ 0xFF]) + PNG[51:]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"", "image-empty", "empty"),
        (JPEG[: len(JPEG) // 2], "image-unreadable", "truncated"),
        (JPEG[:-2], "image-unreadable", "truncated"),
        (PASSING["progressive"][:-100], "image-unreadable", "truncated"),
        (JPEG[:20], "image-unreadable", "not an image that can be read"),
        (PNG[: len(PNG) // 2], "image-unreadable", "truncated"),
        (PNG[:-12], "image-unreadable", "truncated"),
        (PNG[:-4], "image-unreadable", "truncated"),
        (PNG[:-1], "image-unreadable", "truncated"),
        (FLIPPED_PNG, "image-unreadable", "bad header checksum"),
        (b"<!DOCTYPE html><html>404</html>", "image-unreadable", "a web page"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "image-unreadable", "not an image that can be read"),
        (bytes(1000), "image-unreadable", "not an image that can be read"),
        (png_with_size(50_000, 50_000), "image-too-large", "decompression bomb"),
        (png_with_size(10_000, 9_000), "image-too-large", "10000x9000"),
        (png_with_size(2**31 - 1, 2**31 - 1), "image-too-large", "decompression bomb"),
        (png_with_size(0, 10), "image-unreadable", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_used_is_an_error_that_says_why(data, code, message):
    image, findings = prepare.prepare(data, "folder/a.jpg")
    (finding,) = [finding for finding in findings if finding.severity == "error"]
    assert image is None
    assert (finding.code, finding.file) == (code, "folder/a.jpg") and message in finding.message and finding.remedy


def test_a_jpeg_that_was_cut_and_closed_again_is_a_warning_and_stored_anew():
    closed = JPEG[: len(JPEG) - 60] + b"\xff\xd9"
    image, (finding,) = prepare_well(closed)
    assert finding.severity == "warning" and finding.code == "image-damaged"
    assert image.encoded != closed and simplejpeg.decode_jpeg(image.encoded, strict=True).shape == (40, 60, 3)


@pytest.mark.parametrize("size", [(1, 1), (15, 400)])
def test_a_tiny_image_is_a_warning(size):
    _, (finding,) = prepare_well(encoded(Image.new("RGB", size), "PNG"))
    assert finding.code == "image-tiny" and f"{size[0]}x{size[1]}" in finding.message


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "gif"])
def test_any_bit_may_be_flipped_anywhere(name):
    """Never an exception: an image or an error."""
    data = PASSING[name] if name in PASSING else CONVERTED[name][0]
    for position in range(0, len(data), max(1, len(data) // 150)):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        image, findings = prepare.prepare(bytes(damaged), "a.jpg")
        assert (image is None) == any(finding.severity == "error" for finding in findings)


@given(
    name=st.sampled_from([*PASSING, *CONVERTED]),
    start=st.floats(0, 1),
    removed=st.integers(0, 200),
    inserted=st.binary(max_size=40),
)
def test_hostile_bytes_never_raise(name, start, removed, inserted):
    data = PASSING[name] if name in PASSING else CONVERTED[name][0]
    position = int(start * len(data))
    image, findings = prepare.prepare(data[:position] + inserted + data[position + removed :], "a.jpg")
    assert (image is None) == any(finding.severity == "error" for finding in findings)
    if image is not None:
        assert pixels(image.encoded).shape == (image.size[1], image.size[0], 3)


def test_case_17_a_record_says_that_it_scaled_an_image():
    values = np.linspace(0, 4095, 32 * 32).reshape(32, 32).astype(np.uint16)
    image, findings = prepare.prepare(encoded(Image.fromarray(values), "PNG"), "a.png")
    assert [finding.code for finding in findings] == ["image-scaled", "image-converted"]
    assert decode.pixels(image.encoded).max() >= 250
