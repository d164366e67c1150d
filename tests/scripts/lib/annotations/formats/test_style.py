"""The Style data set, on files made by hand."""

from __future__ import annotations

import pytest
from PIL import Image

from scripts.lib.annotations import registry
from scripts.lib.images.image_names import ImageFolder
from tests.annotation_sets import boxes, read, write

STYLE = {"labels.json": "{\n0: 'Tops',\n12: 'Dresses',\n}\n", "train.txt": "12/one\n", "test.txt": "0/two\n"}


@pytest.fixture
def style(folder) -> ImageFolder:
    """The images; the lists lie in `folder`."""
    write(folder, STYLE)
    for name in ("12/one.jpg", "0/two.jpg"):
        (folder / "images" / name).parent.mkdir(parents=True)
        Image.new("RGB", (32, 48)).save(folder / "images" / name)
    return ImageFolder(folder / "images")


def test_style_images_are_the_box(folder, style):
    assert registry.find_files(folder)[0] == "style"
    annotations, findings = read("style", folder, style)
    assert findings == []
    assert [(a.filename, boxes(a)) for a in annotations] == [
        ("0/two.jpg", [("Tops", 0, 0, 32, 48)]),
        ("12/one.jpg", [("Dresses", 0, 0, 32, 48)]),
    ]


def test_a_class_without_a_name_and_an_image_that_is_missing_are_findings(folder, style):
    write(folder, {"train.txt": "7/one\n12/one\n12/absent\n"})
    annotations, findings = read("style", folder, style)
    assert [annotation.filename for annotation in annotations] == ["0/two.jpg", "12/one.jpg"]
    assert [(finding.code, finding.line) for finding in findings] == [("style-class", 1), ("image-missing", 3)]
