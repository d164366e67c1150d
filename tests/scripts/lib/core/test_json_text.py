"""JSON from elsewhere: hostile texts, and contents of another shape than expected."""

from __future__ import annotations

import json
import re

import pytest

from scripts.lib.core import json_text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("{", "is not JSON: Expecting property name"),
        ("[" * 100_000, "is not usable JSON: lists or objects are nested too deeply in it"),
        ('{"a":' * 100_000, "is not usable JSON: lists or objects are nested too deeply in it"),
        ("1" * 5_000, "is not JSON: the number 111111111111... has 5000 digits"),
        (r'{"name": "a\ud800"}', "is not usable JSON: it has half of a character (a lone surrogate)"),
        (b'"\xff"', "is not JSON: 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_case_32_a_hostile_text_is_refused_in_one_sentence(text, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        json_text.parse(text)


@pytest.mark.parametrize("value", [0, -7, 2**59, 1.5, "Röcke 赤", "\U0001f600", [], {"a": [None, True]}])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_any_other_json_is_read(value, ensure_ascii):
    text = json.dumps(value, ensure_ascii=ensure_ascii)
    assert json_text.parse(text) == json_text.parse(b"\xef\xbb\xbf" + text.encode()) == value


SHAPE = {"step": (int, type(None)), "classes": {str: {"boxes": int}}, "scores": [float], "done": bool}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, ""),
        ({"step": None}, ""),
        ({"scores": [1, 0.5]}, ""),
        ({"step": "3"}, "has '3' as step, expected a whole number"),
        ({"step": True}, "has True as step, expected a whole number"),
        ({"classes": []}, "has a list as classes, expected an object"),
        ({"classes": {"Tops": {"boxes": "many"}}}, "has 'many' as classes.Tops.boxes, expected a whole number"),
        ({"classes": {"Tops": {}}}, "lacks classes.Tops.boxes"),
        ({"scores": [0.5, float("nan")]}, "has nan as scores[1], expected a finite number"),
        ({"scores": [False]}, "has False as scores[0], expected a finite number"),
        ({"done": 1}, "has 1 as done, expected true or false"),
    ],
)
def test_another_shape_is_named_by_its_place(change, message):
    text = json.dumps({"step": 3, "classes": {"Tops": {"boxes": 2}}, "scores": [], "done": True, "more": 1, **change})
    if not message:
        assert json_text.parse(text, SHAPE)["more"] == 1
        return
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        json_text.parse(text, SHAPE)


def test_a_file_is_read_up_to_a_size(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}')
    assert json_text.read(path, {"a": int}, max_bytes=8) == {"a": 1}
    with pytest.raises(ValueError, match=r"^has 8 bytes, expected at most 7$"):
        json_text.read(path, max_bytes=7)
    with pytest.raises(FileNotFoundError):
        json_text.read(tmp_path / "b.json")
