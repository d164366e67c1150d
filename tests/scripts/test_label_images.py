"""label_images.py: what it refuses, and LabelImg at work in a real window."""

from __future__ import annotations

import subprocess
import sys

import pytest

import xml_to_csv
from scripts import label_images
from scripts.lib.annotations import proposals, voc_xml
from scripts.lib.annotations.proposals import Queued
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core.errors import DataError, UsageError
from tests import labelimg_window


@pytest.fixture
def project(tmp_path):
    """Two images, a class list, and an empty folder of annotations."""
    write_image(tmp_path / "samples" / "a.ppm", 1400, 1100)
    write_image(tmp_path / "samples" / "shop" / "b.ppm", 300, 200)
    (tmp_path / "classes.txt").write_text("Dresses\nSkirts\nTops\n", encoding="utf-8")
    (tmp_path / "annotations").mkdir()
    return tmp_path


def write_image(path, width, height):
    """A plain image; PPM needs no library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P6 %d %d 255\n" % (width, height) + bytes((90, 130, 160)) * (width * height))


def arguments(project):
    paths = {"image_dir": "samples", "class_file": "classes.txt", "annotations_dir": "annotations"}
    return [f"--{flag}={project / name}" for flag, name in paths.items()]


def test_boxes_drawn_after_zooming_scrolling_and_panning_are_saved_and_converted(project):
    with labelimg_window.open_window(project, *arguments(project)) as window:
        window.keys("ctrl+shift+p")  # class names on the image
        window.keys("ctrl+equal")  # 100%
        window.wheel(450, 400, 4, 2, "ctrl")  # 120%
        window.draw_box((350, 300), (590, 480), "Dresses")
        window.wheel(350, 650, 5, 3)
        window.draw_box((350, 300), (590, 480), "Skirts")
        window.drag((300, 650), (260, 650))
        window.draw_box((350, 300), (590, 480), "Tops")
        window.screenshot(project / "drawn.png")
        window.keys("d")  # the next image, which saves this one
        window.wait_for_title("b.ppm [2 / 2]")

    boxes = {one.name: one for one in voc_xml.read(project / "annotations" / "a.xml").objects}
    assert list(boxes) == ["Dresses", "Skirts", "Tops"]
    for box in boxes.values():
        assert box.xmax - box.xmin == pytest.approx(200, abs=1)  # 240 pixels of the screen at 120%
        assert box.ymax - box.ymin == pytest.approx(150, abs=1)
    assert boxes["Skirts"].ymin > boxes["Dresses"].ymin, "scrolled down"
    assert boxes["Tops"].xmin != boxes["Skirts"].xmin, "panned sideways"
    xml_to_csv.main([f"--annotations_dir={project / 'annotations'}", f"--output_csv={project / 'labels.csv'}"])
    lines = (project / "labels.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["a.ppm", "1400", "1100", name] for name in ("Dresses", "Skirts", "Tops")
    ]


def test_a_proposal_opens_in_its_sub_folder_and_the_space_bar_makes_it_a_persons(project):
    boxes = [VocObject("Skirts", 30, 40, 130, 140)]
    path = project / "annotations" / "shop" / "b.xml"
    voc_xml.write(path, proposals.sealed(Annotation("b.ppm", 300, 200, boxes), "model"))
    proposals.write_queue(project / "queue.csv", [Queued("shop/b.ppm", 0.9, 1, 0.6), Queued("a.ppm", 0.1, 0, 0.05)])
    with labelimg_window.open_window(project, *arguments(project), f"--queue={project / 'queue.csv'}") as window:
        window.wait_for_title("b.ppm [1 / 2]")
        window.screenshot(project / "proposed.png")
        window.keys("space", "d")
        window.wait_for_title("a.ppm [2 / 2]")

    assert not proposals.is_unreviewed(path.read_bytes())
    saved = voc_xml.read(path)
    assert saved.database == "Unknown"
    assert [(one.name, one.xmin, one.ymin, one.xmax, one.ymax) for one in saved.objects] == [
        ("Skirts", 30, 40, 130, 140)
    ]
    assert not (project / "annotations" / "b.xml").exists()


def test_without_labelimg_the_error_says_how_to_install_it(project, monkeypatch):
    monkeypatch.setattr(label_images.packages, "is_installed", lambda name: name == "lxml")
    with pytest.raises(
        UsageError, match="labelImg and PyQt5 are not installed .*pip install -r requirements-label.txt"
    ):
        label_images.main(arguments(project))


@pytest.mark.parametrize(
    ("status", "stderr", "reason"),
    [
        (
            -6,
            "qt.qpa.xcb: could not connect to display :0\nThis application failed to start\n",
            "qt.qpa.xcb: could not connect to display :0;",
        ),
        (
            1,
            "Traceback (most recent call last):\n  File\nImportError: libGL.so.1: no such file\n",
            "ImportError: libGL.so.1: no such file;",
        ),
        (-11, "", "exit status -11;"),
    ],
    ids=["Qt", "import", "silent"],
)
def test_qt_that_cannot_open_a_window_is_an_error_with_its_reason(monkeypatch, status, stderr, reason):
    monkeypatch.setattr(label_images.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setenv("DISPLAY", ":0")
    failed = subprocess.CompletedProcess([], status, "", stderr)
    monkeypatch.setattr(label_images.subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(UsageError, match=f"Qt cannot open a window: {reason}"):
        label_images.check_labelimg_can_start()


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (["--image_dir=none"], UsageError, "none: no such folder"),
        (["--image_dir=annotations"], UsageError, "no image in it"),
        (["--image_dir=samples", "--class_file=none.txt"], UsageError, "none.txt: no such file"),
        (["--image_dir=samples", "--class_file=empty.txt"], DataError, "names no class"),
        (["--image_dir=samples", "--queue=none.csv"], SystemExit, "2"),
        (["--image_dir=samples", "--queue=classes.txt"], DataError, "has no column 'filename'"),
        (["--image_dir=samples", "--queue=done.csv"], UsageError, "done.csv lists no image"),
        (["--image_dir=samples", "--queue=queue.csv"], UsageError, "lists 'c.jpg', not in --image_dir"),
        (["--image_dir=twins"], DataError, "a.PPM: A.png would share its annotation file|A.png: a.PPM would share"),
    ],
)
def test_a_wrong_command_is_refused_before_anything_starts(project, monkeypatch, wrong, error, says):
    monkeypatch.chdir(project)
    (project / "empty.txt").write_text("\n \n", encoding="utf-8")
    proposals.write_queue(project / "queue.csv", [Queued("c.jpg", 0.9, 1, 0.6)])
    proposals.write_queue(project / "done.csv", [])
    write_image(project / "twins" / "a.PPM", 20, 20)
    write_image(project / "twins" / "A.png", 20, 20)
    monkeypatch.setattr(label_images, "check_labelimg_can_start", lambda: pytest.fail("started"))
    with pytest.raises(error, match=says):
        label_images.main(["--class_file=classes.txt", *wrong])


def test_broken_annotations_are_named_since_labelimg_would_overwrite_them(project, capsys):
    for number in range(9):
        (project / "annotations" / f"{number}.xml").write_text("<annotation>", encoding="utf-8")
    label_images.warn_of_unreadable_annotations(project / "annotations")
    shown = capsys.readouterr().err
    assert "error: 9 files: " in shown and "/2.xml" in shown and "/3.xml" not in shown
    assert "is not well-formed XML" in shown
    assert shown.count("overwrites its file once you draw one") == 1


def test_help_needs_no_labelimg(repository_root):
    command = [sys.executable, str(repository_root / "scripts" / "label_images.py"), "--help"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    assert "requirements-label.txt" in shown
