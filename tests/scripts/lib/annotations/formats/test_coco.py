"""COCO JSON, on files made by hand and on what detect.py writes."""

from __future__ import annotations

import json

import pytest

from scripts.lib.annotations import registry
from scripts.lib.core.boxes import Detection
from scripts.lib.detection import outputs
from scripts.lib.detection.journal import ImageResult
from scripts.lib.images.image_names import ImageFolder
from tests.annotation_sets import COCO, boxes, finding_after, read, write

FILE = "_annotations.coco.json"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('{"images"', '["images"', "is not JSON"),
        ('"categories"', '"classes"', "lacks categories"),
        ("[10, 20.0, 20, 40]", "[10, 20, 20]", "has [10, 20, 20] as bbox, expected x, y, width, height"),
        ("[10, 20.0, 20, 40]", "[10, NaN, 20, 40]", "has nan as bbox[1], expected a finite number"),
        ("[10, 20.0, 20, 40]", "[10, 1e12, 20, 40]", "is not a number of pixels"),
        ('"category_id": 2', '"category_id": 3', "has 3 as category_id, which is not among the categories"),
        ('"image_id": 7', '"image_id": 8', "1 annotation of images that it does not list, e.g. 8"),
        ('"file_name": "dress.jpg"', '"file_name": "absent.jpg"', "'absent.jpg' is not in"),
        ('"file_name": "dress.jpg"', '"file_name": "../dress\\n.jpg"', "is not in"),
        ("[10, 20.0, 20, 40]", "[0.1, 0.1, 0.2, 0.2]", "as bbox, fractions of the image's sides, expected pixels"),
        ('"id": 1, "name"', '"id": 2, "name"', "1 id of several categories, e.g. 2"),
        ('"width": 100', '"width": "wide"', "has 'wide' as width, expected a whole number"),
        ('"iscrowd": 0', '"iscrowd": 1', "1 annotation of a crowd (iscrowd: 1) left out"),
        ('"iscrowd": 0', '"iscrowd": "0"', "has '0' as iscrowd, expected a whole number"),
    ],
)
def test_what_is_wrong_is_named(old, new, words, folder, images):
    assert words in finding_after((FILE, old, new), "coco", folder, images).message


def test_files_of_several_folders_are_read_with_the_images_beside_them(folder, images):
    for side in ("train", "valid"):
        write(folder, {f"{side}/{FILE}": COCO[FILE]})
        (folder / side / "dress.jpg").write_bytes((images.folder / "dress.jpg").read_bytes())
    annotations, findings = read("coco", folder, ImageFolder(folder))
    assert findings == [] and [one.filename for one in annotations] == ["train/dress.jpg", "valid/dress.jpg"]


def test_an_id_of_two_images_is_an_error_and_not_the_boxes_of_the_second(folder, images):
    twice = '[{"id": 7, "file_name": "shop/top.png"}, {"id"'
    finding = finding_after((FILE, '[{"id"', twice), "coco", folder, images)
    assert finding.message == "1 id of several images, e.g. 7" and "each export by itself" in finding.remedy


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"image_id": 7', '"image_id": "7"'),
        ('"dress.jpg"', '"../../upload/1/dress.jpg"'),
        ('"dress.jpg"', '"C:\\\\photos\\\\dress.jpg"'),
        ('{"images"', '\n\n{"images"'),
    ],
    ids=["VIA", "Label Studio", "Windows", "blank lines"],
)
def test_quirks_of_tools_are_read(old, new, folder, images):
    """Case 8, in COCO: a file name that leads elsewhere means the image of that name in the folder."""
    assert old in COCO[FILE]
    write(folder, {FILE: COCO[FILE].replace(old, new, 1)})
    assert registry.find_files(folder)[0] == "coco"
    (annotation,), findings = read("coco", folder, images)
    assert findings == [] and boxes(annotation) == [("Dresses", 10, 20, 30, 60)]


def test_what_detect_writes_is_read(folder, images):
    found = [Detection("Dresses", 0.9, 10, 20, 30, 60), Detection("Tops", 0.8, 1.2, 2.6, 50, 60)]
    results = [
        ImageResult("dress.jpg", "dress.jpg", "", 100, 200, found),
        ImageResult("shop/top.png", "shop/top.png.jpg", "", 64, 48, []),
    ]
    with outputs.coco_writer(folder, {1: "Tops", 2: "Dresses"}) as add:
        for result in results:
            add(result)
    assert registry.find_files(folder)[0] == "coco", "its list of results is none of CreateML"
    annotations, findings = read("coco", folder, images)
    assert findings == []
    assert [boxes(one) for one in annotations] == [[("Dresses", 10, 20, 30, 60), ("Tops", 1, 3, 50, 60)], []]
    assert [(one.filename, one.width, one.height) for one in annotations][0] == ("dress.jpg", 100, 200)


def test_other_json_is_none_of_it(folder, images):
    write(folder, {FILE: COCO[FILE], "tags.json": json.dumps({"images": {}})})
    (annotation,), _ = read("coco", folder, images)
    assert annotation.filename == "dress.jpg"


def test_an_export_without_a_box_is_read(folder, images):
    content = json.loads(COCO[FILE])
    write(folder, {FILE: json.dumps({**content, "annotations": []})})
    (annotation,), findings = read("coco", folder, images)
    assert findings == [] and annotation.objects == []
