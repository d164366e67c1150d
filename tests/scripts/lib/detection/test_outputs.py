"""The writers of results: whole files or none, and proposals that never replace a person's work."""

from __future__ import annotations

import contextlib
import json

import pytest

from scripts.lib.annotations import voc_xml
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import ERROR, Finding
from scripts.lib.detection import outputs
from scripts.lib.detection.journal import ImageResult

IMAGE = ImageResult("a.png", "a.png.jpg", "", 60, 40, [Detection("Tops", 0.94117, 10, 2, 30.25, 12)])
UNREADABLE = ImageResult("b.png", "b.png.jpg", "", 0, 0, [], Finding(ERROR, "image-empty", "b.png", "is empty"))


def writers(folder):
    return [
        outputs.csv_writer(folder / "detections.csv"),
        outputs.json_writer(folder / "detections.json", {"flip": False}),
        outputs.coco_writer(folder, {1: "Tops"}),
        outputs.tags_writer(folder, {"a.png": ["shirt 7"]}),
    ]


def write(folder, images):
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(writer) for writer in writers(folder)]
        for image in images:
            for add in opened:
                add(image)


def test_what_is_written(tmp_path):
    write(tmp_path, [UNREADABLE, IMAGE])
    assert (tmp_path / "detections.csv").read_text().splitlines()[1:] == ["a.png,Tops,0.9412,10.0,2.0,30.2,12.0"]
    assert (tmp_path / "tags.csv").read_text().splitlines()[1:] == ["shirt 7,Tops,0.9412"]
    assert json.loads((tmp_path / "coco_results.json").read_text()) == [
        {"image_id": 2, "category_id": 1, "bbox": [10, 2, 20.25, 10], "score": 0.94117}
    ]
    images = json.loads((tmp_path / "detections.json").read_text())["images"]
    assert images[0] == {"filename": "b.png", "error": "error: b.png: is empty."}
    assert images[1]["detections"][0]["xmax"] == 30.25


def test_an_error_on_the_way_leaves_the_former_files(tmp_path):
    write(tmp_path, [IMAGE])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 6

    def broken():
        yield UNREADABLE
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write(tmp_path, broken())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_proposal_is_written_replaced_and_removed_and_a_persons_file_is_kept(tmp_path):
    path = tmp_path / "a.xml"
    proposal, empty = Annotation("a.png", 60, 40, [VocObject("Tops", 1, 2, 3, 4)]), Annotation("a.png", 60, 40)
    steps = [(empty, True, outputs.EMPTY), (proposal, False, outputs.WRITTEN), (proposal, False, outputs.KEPT)]
    steps += [(proposal, True, outputs.WRITTEN), (empty, False, outputs.KEPT), (empty, True, outputs.REMOVED)]
    for annotation, replace, outcome in steps:
        assert outputs.store_proposal(path, "a.png", annotation, "model", replace) == (outcome, [])
    assert not path.exists()
    voc_xml.write(path, proposal)
    before = path.read_bytes()
    assert outputs.store_proposal(path, "a.png", empty, "model") == (outputs.KEPT, [])
    assert path.read_bytes() == before


def test_a_name_that_xml_cannot_hold_is_an_error(tmp_path):
    voc = outputs.VocWriter(tmp_path, "model", {})
    voc.write(IMAGE._replace(name="a\x01.png", output_name="a\x01.png.jpg"))
    voc.write(IMAGE)
    assert [(finding.file, finding.code) for finding in voc.findings] == [("a\x01.png", "name-not-xml")]
    assert [path.name for path in tmp_path.iterdir()] == ["a.xml"]


def test_boxes_without_area_in_the_image_are_not_proposed():
    outside = Detection("Tops", 0.99, 70, 2, 80, 12)
    objects, scores = outputs.voc_objects(IMAGE._replace(detections=[outside, *IMAGE.detections]), {"Tops": "top"})
    assert [(one.name, one.xmin, one.xmax) for one in objects] == [("top", 10, 30)] and scores == [0.94117]
