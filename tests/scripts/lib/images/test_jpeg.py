"""JPEG headers, and damage found without Pillow."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from scripts.lib.images import decode, jpeg
from tests.encoded_images import CONVERTED, PASSING, SIZE, encoded, picture, pixels, with_orientation


@pytest.mark.parametrize("name", ["jpeg", "progressive", "gray jpeg", "rgb jpeg"])
def test_the_header_of_a_plain_jpeg_states_its_size(name):
    frame, scan = jpeg.read_header(PASSING[name])
    assert frame.size == jpeg.plain_size(PASSING[name]) == SIZE and frame.is_usual
    assert frame.num_components == (1 if name == "gray jpeg" else 3)
    assert PASSING[name][scan : scan + 2] == b"\xff\xda"


def test_pillow_has_to_look_at_every_other_file():
    for data in (with_orientation(6), CONVERTED["cmyk jpeg"][0], PASSING["png"], PASSING["jpeg"][:20], b""):
        assert jpeg.plain_size(data) is None


@pytest.mark.parametrize("name", ["jpeg", "progressive", "gray jpeg", "rgb jpeg"])
def test_simplejpeg_decodes_the_pixels_of_pillow(name):
    """The condition under which a decoder other than Pillow may verify: the same within 1/255 on average."""
    assert np.abs(simplejpeg.decode_jpeg(PASSING[name]) - pixels(PASSING[name])).mean() <= 1


def is_sound(data):
    try:
        simplejpeg.decode_jpeg(data, "RGB", strict=True)
        return True
    except ValueError:
        return False


def test_a_quarter_of_the_size_shows_all_damage_that_the_whole_shows():
    """Of 600 damaged and sound JPEGs, baseline and progressive, colour and gray."""
    rng = random.Random(1)
    noise = Image.effect_noise((90, 70), 60)
    sources = []
    for image, options in ((noise.convert("RGB"), {}), (noise.convert("RGB"), {"progressive": True}), (noise, {})):
        sources.append(encoded(image, "JPEG", quality=85, **options))
    verdicts = []
    for number in range(600):
        data = bytearray(sources[number % 3])
        place = rng.randrange(2, len(data))
        data[place:] = rng.choice(
            (b"", data[place + 1 :], bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :])
        )
        data = bytes(data)
        size = decode.plain_jpeg_size(data)
        if size is None:
            continue
        is_whole = is_sound(data) or is_sound(jpeg._without_oddities(data))
        assert (jpeg.damage(data, size) == "") == is_whole
        verdicts.append(is_whole)
    assert len(verdicts) > 300 and 30 < sum(verdicts) < len(verdicts) - 30


ODD = {
    "case 13: scan parameters of a Samsung phone": lambda data: _with_scan_parameters(data, b"\x00\x82\x18"),
    "an unknown JFIF version": lambda data: data.replace(b"JFIF\x00\x01\x01", b"JFIF\x00\x02\x02"),
    "bytes between the segments": lambda data: data.replace(b"\xff\xdb", b"\x00\x00\xff\xdb", 1),
    "a fill byte": lambda data: data.replace(b"\xff\xc4", b"\xff\xff\xc4", 1),
}


def _with_scan_parameters(data, parameters):
    position = data.index(b"\xff\xda") + 11  # of three components
    return data[:position] + parameters + data[position + 3 :]


@pytest.mark.parametrize("name", ODD)
def test_what_every_decoder_reads_is_whole_and_damage_behind_it_is_found(name):
    plain = encoded(picture(), "JPEG")
    odd = ODD[name](plain)
    assert odd != plain and (pixels(odd) == pixels(plain)).all()
    assert jpeg.damage(odd, SIZE) == ""
    assert jpeg.damage(odd[:-40] + odd[-2:], SIZE)
    assert "Premature end" in jpeg.damage(odd[:-2], SIZE)


def test_a_progressive_jpeg_of_many_scans_is_told_by_its_pixels():
    progressive = encoded(picture(), "JPEG", progressive=True)
    assert jpeg.plain_size(progressive) == SIZE
    large = progressive.replace(struct.pack(">HH", *SIZE[::-1]), struct.pack(">HH", 4000, 4000))
    scan = large[large.rindex(b"\xff\xda") : -2]
    bomb = large[:-2] + 40 * scan + large[-2:]
    num_scans = large.count(b"\xff\xda") + 40
    assert jpeg.too_many_scans(bomb) == num_scans and jpeg.plain_size(bomb) is None
    assert jpeg.too_many_scans(large) == 0 and jpeg.too_many_scans(progressive[:-2] + 40 * scan) == 0
    image, (finding,) = decode.decode(bomb, "a.jpg")
    assert image is None and finding.message.startswith(f"the JPEG has {num_scans} scans")
