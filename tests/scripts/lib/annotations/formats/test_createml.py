"""CreateML JSON, on files made by hand."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from scripts.lib.images.image_names import ImageFolder
from tests.annotation_sets import CREATE_ML_BOX, boxes, finding_after, read, write


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("[{", "{[", None, "is not JSON: Expecting property name enclosed in double quotes: line 1"),
        ('"label": "Dresses"', '"label": 3', None, "has 3 as label, expected a text"),
        ('"x": 20', '"x": "20"', None, "has '20' as coordinates.x, expected a"),
        ('"x": 20', '"x": true', None, "has True as coordinates.x, expected a"),
        ('"x": 20', '"x": NaN', None, "has nan as coordinates.x"),
        ('"x": 20', '"x": 1e400', None, "has inf as coordinates.x"),
        ('"coordinates"', '"box"', None, "lacks coordinates"),
        ('"dress.jpg"', '"../absent.jpg"', None, "the image '../absent.jpg' is not in"),
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


@pytest.mark.parametrize("image_dir", ["", "train"])
def test_case_9_image_beside_its_annotations(image_dir, folder):
    (folder / "train").mkdir()
    Image.new("RGB", (64, 48)).save(folder / "train" / "a.jpg")
    (folder / "valid").mkdir()
    Image.new("RGB", (40, 30)).save(folder / "valid" / "a.jpg")
    box = {**CREATE_ML_BOX, "coordinates": {"x": 20, "y": 20, "width": 20, "height": 20}}
    file = "_annotations.createml.json"
    sides = ("train", "valid") if not image_dir else ("train",)
    write(folder, {f"{side}/{file}": json.dumps([{"image": "a.jpg", "annotations": [box]}]) for side in sides})
    annotations, findings = read("createml", folder, ImageFolder(folder / image_dir))
    names = ["train/a.jpg", "valid/a.jpg"] if not image_dir else ["a.jpg"]
    assert findings == [] and [annotation.filename for annotation in annotations] == names
    assert [annotation.width for annotation in annotations] == [64, 40][: len(names)]


def test_case_18_fractions_are_recognised(folder, images):
    box = {"label": "Tops", "coordinates": {"x": 0.5, "y": 0.5, "width": 0.2, "height": 1}}
    write(folder, {"all.json": json.dumps([{"image": "dress.jpg", "annotations": [box]}])})
    _, (finding,) = read("createml", folder, images)
    assert "fractions of the image's sides, expected pixels" in finding.message
