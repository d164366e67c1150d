"""prelabel.py with a made detector: what it writes, and what it leaves alone."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pytest
from PIL import Image

import xml_to_csv
from scripts import prelabel
from scripts.lib.annotations import proposals, voc_xml
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.models.detector import DetectionArrays
from tests.made_detector import MadeDetector


class ToldDetector(MadeDetector):
    """Finds what it is told by the red of an image's first pixel."""

    found: dict[int, list[tuple[tuple[float, ...], float, int]]] = {}

    def detect_prepared(self, batch, min_score=0.0):
        for image in batch:
            found = self.found.get(image.values[0], [])
            boxes, scores, class_ids = zip(*found, strict=True) if found else ([], [], [])
            yield DetectionArrays(
                np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(class_ids, np.int64)
            )


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Three photos, in one of which the made detector finds nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(prelabel, "Detector", ToldDetector)
    monkeypatch.setattr(
        ToldDetector,
        "found",
        {
            10: [((-3.0, 4.4, 50.6, 100.9), 0.9, 1), ((10, 20, 30, 40), 0.6, 2), ((1, 1, 9, 9), 0.2, 1)],
            20: [((5, 6, 40, 50), 0.55, 2), ((1, 1, 1.2, 9), 0.52, 1), ((1, 1, 9, 9), 0.51, 7)],
        },
    )
    for name, red in (("a.png", 10), ("shop/b.png", 20), ("c.png", 30)):
        (tmp_path / "samples" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 60), (red, 0, 0)).save(tmp_path / "samples" / name)
    return tmp_path


def run(*flags):
    return prelabel.main(["--model=models/exported", "--image_dir=samples", "--annotations_dir=annotations", *flags])


def boxes(path):
    return [(one.name, one.xmin, one.ymin, one.xmax, one.ymax) for one in voc_xml.read(path).objects]


def write_by_hand(path, filename="a.png"):
    voc_xml.write(path, Annotation(filename, 100, 60, [VocObject("Skirts", 1, 2, 3, 4)]))


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.xml")}


def test_what_the_model_finds_becomes_an_annotation_where_labelimg_looks_for_it(project, capsys):
    assert run() is None
    assert sorted(contents(project / "annotations")) == ["a.xml", "shop/b.xml"]
    assert boxes("annotations/a.xml") == [("Tops", 4, 0, 100, 51), ("Skirts", 20, 10, 40, 30)]
    assert boxes("annotations/shop/b.xml") == [("Skirts", 6, 5, 50, 40)]
    annotation = voc_xml.read("annotations/shop/b.xml")
    assert (annotation.filename, annotation.width, annotation.height) == ("b.png", 100, 60)
    assert b"<folder>shop</folder>" in contents(project / "annotations")["shop/b.xml"]
    assert annotation.database.startswith("prelabel.py: exported, step 600, scores 0.55 to 0.55, seal ")
    assert "1 without a file, since nothing is found, 2 written" in capsys.readouterr().out


def test_the_least_score_decides_what_is_proposed(project):
    run("--min_score=0.7")
    assert boxes("annotations/a.xml") == [("Tops", 4, 0, 100, 51)]
    assert not (project / "annotations" / "shop").exists()


@pytest.mark.parametrize("flags", [[], ["--replace"], ["--replace", "--queue_size=9", "--queue_csv=queue.csv"]])
def test_what_a_person_wrote_is_never_touched(project, flags):
    write_by_hand("annotations/a.xml")
    write_by_hand("annotations/other name.xml", filename="shop/b.png")
    before = contents(project / "annotations")
    run(*flags)
    assert contents(project / "annotations") == before


def test_a_proposal_that_a_person_changed_is_the_persons(project):
    run()
    path = project / "annotations" / "a.xml"
    path.write_bytes(path.read_bytes().replace(b"Tops", b"Shorts"))
    before = path.read_bytes()
    run("--replace")
    assert path.read_bytes() == before


def test_a_file_that_a_person_saves_during_the_run_stays(project, monkeypatch):
    def detect_prepared(self, batch, min_score):
        for found in made(self, batch, min_score):
            write_by_hand("annotations/a.xml")
            yield found

    made = ToldDetector.detect_prepared
    monkeypatch.setattr(ToldDetector, "detect_prepared", detect_prepared)
    run()
    assert boxes("annotations/a.xml") == [("Skirts", 1, 2, 3, 4)]


def test_a_rerun_leaves_proposals_unless_told_to_replace_them(project, capsys):
    run()
    before = contents(project / "annotations")
    ToldDetector.found[10] = [((10, 20, 30, 40), 0.8, 2)]
    ToldDetector.found[20] = []
    run()
    assert contents(project / "annotations") == before
    run("--replace")
    assert boxes("annotations/a.xml") == [("Skirts", 20, 10, 40, 30)]
    assert not (project / "annotations" / "shop" / "b.xml").exists()
    assert "1 removed, since nothing is found any more" in capsys.readouterr().out


def test_the_queue_lists_what_no_person_has_labelled_the_least_certain_first(project, capsys):
    run()
    Image.new("RGB", (100, 60), (20, 0, 0)).save(project / "samples" / "d.png")
    write_by_hand("annotations/d.xml", filename="d.png")
    before = contents(project / "annotations")
    run("--queue_size=2", "--queue_csv=lists/queue.csv")
    assert contents(project / "annotations") == before
    rows = list(csv.reader((project / "lists" / "queue.csv").open(encoding="utf-8")))
    assert rows[1:] == [["shop/b.png", "0.9300", "1", "0.5500"], ["a.png", "0.7000", "2", "0.9000"]]
    assert "0.93   1  0.55  shop/b.png" in capsys.readouterr().out
    assert proposals.read_queue(project / "lists" / "queue.csv") == ["shop/b.png", "a.png"]


def test_case_25_a_list_that_is_no_queue_is_not_overwritten(project, capsys):
    queue = project / "queue.csv"
    queue.write_text("filename,price\na.jpg,3\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"queue\.csv exists but is not a queue of this script"):
        prelabel.parse_arguments(["--queue_csv", str(queue), "--image_dir", str(project)])
    assert queue.read_text(encoding="utf-8") == "filename,price\na.jpg,3\n"


def test_bad_pictures_and_annotations_are_all_reported_and_the_rest_goes_on(project):
    (project / "samples" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    Image.new("RGB", (20, 20)).save(project / "samples" / "a.gif")
    (project / "annotations").mkdir()
    (project / "annotations" / "c.xml").write_text("<annotation>", encoding="utf-8")
    with pytest.raises(DataError) as error:
        run()
    assert [(one.file, one.code) for one in error.value.findings] == [
        ("a.gif", "annotation-shared"),
        ("annotations/c.xml", "xml-malformed"),
        ("samples/broken.jpg", "image-unreadable"),
    ]
    assert sorted(contents(project / "annotations")) == ["c.xml", "shop/b.xml"]


def test_xml_to_csv_says_how_many_proposals_nobody_has_reviewed(project, capsys):
    run()
    write_by_hand("annotations/c.xml", filename="c.png")
    xml_to_csv.main(["--annotations_dir=annotations", "--image_dir=samples", "--output_csv=labels.csv"])
    assert "prelabel.py drew and nobody has saved in LabelImg: 2" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_name_that_xml_cannot_hold_is_reported(project):
    (project / "samples" / "a.png").rename(project / "samples" / "a\x01.png")
    with pytest.raises(DataError, match="has a character that XML cannot hold; give the image another name"):
        run()
    assert sorted(contents(project / "annotations")) == ["shop/b.xml"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--image_dir=empty"], "--image_dir empty: no image in it"),
        (["--annotations_dir=yolo/a.txt"], "--annotations_dir yolo/a.txt is a file; give a folder"),
    ],
)
def test_wrong_usage_is_one_sentence(project, flags, says):
    (project / "empty").mkdir()
    (project / "yolo").mkdir()
    (project / "yolo" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n", encoding="utf-8")
    with pytest.raises(UsageError, match=says):
        run(*flags)


def test_a_model_that_is_none_is_named(project, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(project)
    with pytest.raises(UsageError, match="models/exported is not an exported model"):
        run()


def test_the_flags_have_bounds(project):
    for flag in ("--min_score=1.5", "--queue_size=0", "--image_dir=none"):
        with pytest.raises(SystemExit):
            run(flag)
