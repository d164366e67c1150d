"""A served model: thresholds, tags, upright images, and images that are refused."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image
from starlette.exceptions import HTTPException

from scripts.lib.serving.served_model import ServedModel
from tests import made_onnx
from tests.made_onnx import encoded_image


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return ServedModel(made_onnx.write(tmp_path_factory.mktemp("model"), Green=0.8), "onnx")


def test_detections_are_in_pixels_and_above_each_class_threshold(model):
    box = {"xmin": 20.0, "ymin": 25.0, "xmax": 120.0, "ymax": 75.0}
    assert model.detect(encoded_image((0, 230, 153))) == {
        "width": 200,
        "height": 100,
        "detections": [{"class": "Green", "score": 0.902, **box}, {"class": "Blue", "score": 0.6, **box}],
        "tags": {"Green": 0.902, "Blue": 0.6},
        "score_thresholds": {"Green": 0.8, "Blue": 0.5},
    }
    answer = model.detect(encoded_image((0, 190, 100)))
    assert (answer["detections"], answer["tags"]) == ([], {})


def test_min_score_shows_more_boxes_and_leaves_the_tags(model):
    answer = model.detect(encoded_image((0, 190, 100)), min_score=0.3)
    assert [found["class"] for found in answer["detections"]] == ["Green", "Blue"]
    assert answer["tags"] == {}
    answer = model.detect(encoded_image((0, 230, 153)), min_score=0.95)
    assert (answer["detections"], answer["tags"]) == ([], {"Green": 0.902, "Blue": 0.6})


def test_an_image_that_exif_turns_is_turned_upright(model):
    exif = Image.Exif()
    exif[0x0112] = 6
    answer = model.detect(encoded_image(size=(40, 80), format="JPEG", exif=exif))
    assert (answer["width"], answer["height"]) == (80, 40)


def test_a_decompression_bomb_is_refused_by_its_header(model):
    bomb = bytearray(encoded_image(size=(16, 16)))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2  # width and height in IHDR
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    with pytest.raises(HTTPException, match="decompression bomb") as refused:
        model.detect(bytes(bomb))
    assert refused.value.status_code == 400


def test_bytes_that_are_not_an_image_are_refused(model):
    with pytest.raises(HTTPException, match="the image file is empty") as refused:
        model.detect(b"")
    assert refused.value.status_code == 400


def test_case_17_scaled_values_are_said(model):
    values = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    assert model.detect(buffer.getvalue())["notes"] == ["its values, 0 to 4095, were scaled to 8 bits"]
