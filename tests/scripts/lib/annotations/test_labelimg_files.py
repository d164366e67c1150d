"""Which annotation file belongs to which image."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lib.annotations import labelimg_files


@pytest.mark.parametrize(
    ("image", "annotation"), [("a.jpg", "a.xml"), ("shop/a.b.PNG", "shop/a.b.xml"), ("größe.webp", "größe.xml")]
)
def test_an_annotation_lies_where_its_image_does(image, annotation):
    assert labelimg_files.annotation_path(Path("annotations"), image) == Path("annotations") / annotation


def test_images_of_one_folder_whose_names_differ_in_suffix_or_case_share_an_annotation():
    names = ["a.jpg", "shop/a.jpg", "A.png", "b.jpg", "c.jpg", "c.jpeg", "c.png"]
    found = [(one.file, one.message) for one in labelimg_files.sharing_an_annotation(names)]
    assert found == [
        ("A.png", "a.jpg would share its annotation file"),
        ("c.jpeg", "c.jpg and c.png would share its annotation file"),
    ]
