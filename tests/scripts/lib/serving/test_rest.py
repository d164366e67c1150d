"""TensorFlow Serving's REST form: what requests may look like, and how they are answered."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from scripts.lib.serving import rest
from scripts.lib.serving.rest import RequestError

DATA = b"\xff\xd8 a picture"
PICTURE = {"b64": base64.b64encode(DATA).decode()}


def parse(request: object, max_pictures: int = 3):
    return rest.parse(json.dumps(request).encode(), max_pictures)


@pytest.mark.parametrize(
    ("request_", "pictures", "is_row"),
    [
        ({"instances": [PICTURE]}, 1, True),
        ({"instances": [PICTURE, {"inputs": PICTURE}]}, 2, True),
        ({"inputs": [PICTURE, PICTURE]}, 2, False),
        ({"inputs": {"inputs": [PICTURE]}}, 1, False),
        ({"inputs": PICTURE}, 1, False),
        ({"signature_name": "serving_default", "instances": [PICTURE]}, 1, True),
        ({"signature_name": "", "instances": [PICTURE]}, 1, True),
    ],
)
def test_rows_and_columns_are_read(request_, pictures, is_row):
    assert parse(request_) == ([DATA] * pictures, is_row)


@pytest.mark.parametrize("text", [PICTURE["b64"].rstrip("="), f" {PICTURE['b64'][:4]}\r\n{PICTURE['b64'][4:]}\n"])
def test_base64_may_lack_its_padding_and_hold_white_space(text):
    assert parse({"instances": [{"b64": text}]}).pictures == [DATA]


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ([PICTURE], 400, "JSON object, not a list"),
        ({}, 400, 'either "instances" or "inputs"'),
        ({"instances": [PICTURE], "inputs": [PICTURE]}, 400, 'either "instances" or "inputs"'),
        ({"instances": PICTURE}, 400, '"instances" has to be a list, not an object'),
        ({"instances": []}, 400, "0 pictures; a request has 1 to 3"),
        ({"instances": [PICTURE] * 4}, 413, "4 pictures; a request has 1 to 3"),
        ({"instances": [PICTURE, "text"]}, 400, "picture 1 has to be"),
        ({"instances": [{"image": PICTURE}]}, 400, "picture 0 has to be"),
        ({"instances": [{"b64": 7}]}, 400, "picture 0 has to be"),
        ({"instances": [{"b64": "a*b="}]}, 400, "picture 0 is no valid base64"),
        ({"instances": [{"b64": "Größe"}]}, 400, "picture 0 is no valid base64"),
        ({"instances": [{"b64": "abcde"}]}, 400, "picture 0 is no valid base64"),
        ({"signature_name": "other", "instances": [PICTURE]}, 400, 'no signature "other"'),
        ({"signature_name": ["x"], "instances": [PICTURE]}, 400, "no signature"),
    ],
)
def test_what_is_wrong_is_said(request_, status, message):
    with pytest.raises(RequestError, match=".*") as caught:
        parse(request_)
    assert (caught.value.status, message in str(caught.value)) == (status, True), str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe{}", b"[" * 200_000, b'{"instances": 1' + b"0" * 5000 + b"}"])
def test_hostile_json_is_a_mistake_of_the_request(body):
    with pytest.raises(RequestError) as caught:
        rest.parse(body, 3)
    assert caught.value.status == 400


def test_answers_have_the_format_of_the_request():
    outputs = [{"detection_scores": np.float32([0.5, number]), "num_detections": np.float32(2)} for number in (0, 1)]
    assert rest.response(outputs, is_row=True) == {
        "predictions": [
            {"detection_scores": [0.5, 0.0], "num_detections": 2.0},
            {"detection_scores": [0.5, 1.0], "num_detections": 2.0},
        ]
    }
    assert rest.response(outputs, is_row=False) == {
        "outputs": {"detection_scores": [[0.5, 0.0], [0.5, 1.0]], "num_detections": [2.0, 2.0]}
    }
