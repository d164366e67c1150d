"""JPEG headers, and damage found without Pillow."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from scripts.lib.images import decode, jpeg
from tests.encoded_images import CONVERTED, PASSING, SIZE, pixels, with_orientation


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


def test_a_quarter_of_the_size_shows_all_damage_that_the_whole_shows():
    """Of 600 damaged and sound JPEGs, baseline and progressive, colour and gray."""
    rng = random.Random(1)
    noise = Image.effect_noise((90, 70), 60)
    sources = []
    for picture, options in ((noise.convert("RGB"), {}), (noise.convert("RGB"), {"progressive": True}), (noise, {})):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85, **options)
        sources.append(buffer.getvalue())
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
        try:
            simplejpeg.decode_jpeg(data, "RGB", strict=True)
            is_whole = True
        except ValueError:
            is_whole = False
        assert (jpeg.damage(data, size) == "") == is_whole
        verdicts.append(is_whole)
    assert len(verdicts) > 300 and 30 < sum(verdicts) < len(verdicts) - 30
