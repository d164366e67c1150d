"""CreateML JSON, on files made by hand."""

from __future__ import annotations

import json

import pytest

from tests.annotation_sets import CREATE_ML_BOX, boxes, finding_after, read, write


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("[{", "{[", 1, "is not JSON"),
        ('"label": "Dresses"', '"label": 3', None, "'label' is '3', expected a text"),
        ('"x": 20', '"x": "20"', None, "'x' is '20', expected a number"),
        ('"x": 20', '"x": true', None, "'x' is 'True', expected a number"),
        ('"x": 20', '"x": NaN', None, "'x' is 'nan'"),
        ('"x": 20', '"x": 1e400', None, "'x' is 'inf'"),
        ('"coordinates"', '"box"', None, "'coordinates' is 'None', expected an object"),
        ('"dress.jpg"', '"../dress.jpg"', None, "leads out of the image folder"),
        ('"dress.jpg"', '"absent.jpg"', None, "'absent.jpg' is not in"),
    ],
)
def test_finding_names_what_was_found_and_expected(old, new, line, words, folder, images):
    finding = finding_after(("all.json", old, new), "createml", folder, images)
    assert words in finding.message and finding.line == line


def test_one_wrong_entry_does_not_hide_the_others(folder, images):
    entries = [{"image": "dress.jpg"}, {"image": "shop/top.png", "annotations": [CREATE_ML_BOX, {}]}]
    entries.append({"image": "shop/top.png", "annotations": [CREATE_ML_BOX]})
    write(folder, {"all.json": json.dumps(entries)})
    (annotation,), findings = read("createml", folder, images)
    assert annotation.filename == "shop/top.png" and boxes(annotation) == [("Dresses", 10, 20, 30, 60)]
    assert [finding.object for finding in findings] == ["image 1 (dress.jpg)", "image 2 (shop/top.png), object 2"]


def test_deeply_nested_json_is_a_finding(folder, images):
    write(folder, {"all.json": "[" * 200_000})
    _, (finding,) = read("createml", folder, images)
    assert finding.code == "json-malformed"
