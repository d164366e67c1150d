"""VOC XML among images: renamed images, sub-folders, and names that fit two images or none."""

from __future__ import annotations

import pytest
from PIL import Image

from scripts.lib.annotations import voc_xml
from scripts.lib.annotations.formats import voc
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.images.image_names import ImageFolder

BOX = "<name>Tops</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"


@pytest.mark.parametrize(
    ("file", "stated", "on_disk", "name", "codes"),
    [
        ("a.xml", "a.jpg", ["a.jpg"], "a.jpg", []),
        ("a.xml", "a.jpg", None, "a.jpg", []),
        ("shop/a.xml", "a.jpg", ["a.jpg", "shop/a.jpg"], "shop/a.jpg", []),
        ("new.xml", "old.jpg", ["new.png"], "new.png", ["filename-renamed"]),
        ("a.xml", "b.jpg", ["a.jpg", "b.jpg"], "b.jpg", ["filename-mismatch"]),
        ("a.xml", "b.jpg", ["c.jpg"], "b.jpg", ["filename-mismatch"]),
        ("a.xml", "a.jpg", ["c.jpg"], "a.jpg", []),
    ],
)
def test_the_image_that_is_meant(file, stated, on_disk, name, codes, tmp_path):
    voc_xml.write(tmp_path / file, Annotation(stated, 9, 9))
    images = None if on_disk is None else ImageFolder(tmp_path, on_disk)
    (annotation,), findings = voc.read(f"{tmp_path}/{file}", tmp_path, images)
    assert annotation.filename == name
    assert [finding.code for finding in findings] == codes


@pytest.mark.parametrize(
    ("filename", "on_disk", "name", "says"),
    [
        ("<filename>C:\\me\\a.jpg</filename>", "a.jpg", "a.jpg", "<filename> says 'C:\\\\me\\\\a.jpg'"),
        (
            "<filename>/data/upload/1-old.jpg</filename>",
            "new.png",
            "new.png",
            "<filename> says '/data/upload/1-old.jpg'",
        ),
        ("<filename>../../secret.jpg</filename>", "new.png", "new.png", "<filename> says '../../secret.jpg'"),
        ("", "new.png", "new.png", "has no <filename>"),
    ],
)
def test_case_8_image_and_size_are_found_without_them(filename, on_disk, name, says, tmp_path):
    folder, images = tmp_path / "ann", tmp_path / "img"
    folder.mkdir()
    images.mkdir()
    Image.new("RGB", (32, 20)).save(tmp_path / "secret.jpg")
    Image.new("RGB", (64, 48)).save(images / on_disk)
    (folder / "new.xml").write_text(f"<annotation>{filename}<object>{BOX}</object></annotation>", encoding="utf-8")
    (annotation,), findings = voc.read(f"{folder}/new.xml", folder, ImageFolder(images))
    assert (annotation.filename, annotation.width, annotation.height) == (name, 64, 48)
    assert [(one.severity, one.code) for one in findings] == [("note", "size-missing"), ("note", "filename-renamed")]
    assert findings[1].message == f"{says}, the image is {name!r}; the CSV gets the name on disk"
    (annotation,), findings = voc.read(f"{folder}/new.xml", folder, None)
    assert (annotation.width, annotation.height) == (0, 0) and len(findings) == 2
    (annotation,), findings = voc.read(f"{folder}/new.xml", folder, ImageFolder(images, ["other.jpg"]))
    assert findings[1].code == "filename-mismatch" and says in findings[1].message


def test_case_8_size_of_an_image_that_exif_turns_stays_open(tmp_path, images):
    (tmp_path / "dress.xml").write_text(f"<annotation><object>{BOX}</object></annotation>", encoding="utf-8")
    (annotation,), _ = voc.read(f"{tmp_path}/dress.xml", tmp_path, images)
    assert (annotation.filename, annotation.width, annotation.height) == ("dress.jpg", 0, 0)
