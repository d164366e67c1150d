"""VOC XML among images: renamed images, sub-folders, and names that fit two images or none."""

from __future__ import annotations

import pytest

from scripts.lib.annotations import voc_xml
from scripts.lib.annotations.formats import voc
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.images.image_names import ImageFolder


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
