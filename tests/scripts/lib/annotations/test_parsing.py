"""What the annotation formats share: images, numbers and class names, checked as they are read."""

from __future__ import annotations

import pytest

from scripts.lib.annotations import parsing
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.core.errors import DataError


@pytest.mark.parametrize("name", ["dress.jpg", "img/Red_Dress/dress.jpg", ".\\samples\\dress.JPG", "C:\\dress.jpg"])
def test_an_image_is_found_below_folders_that_are_not_here_with_its_upright_size(name, images):
    assert parsing.annotation_of(name, images, "a.csv") == Annotation("dress.jpg", 100, 200, source="a.csv")


@pytest.mark.parametrize("name", ["../absent.jpg", "absent.jpg", "..", ""])
def test_an_image_elsewhere_is_refused_with_the_line_that_names_it(name, images):
    with pytest.raises(DataError) as error:
        parsing.annotation_of(name, images, "a.csv", line=7)
    (finding,) = error.value.findings
    assert finding.line == 7 and repr(name) in finding.message


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0"])
def test_unreadable_image_is_an_error(content, images):
    (images.folder / "dress.jpg").write_bytes(content)
    with pytest.raises(DataError) as error:
        parsing.annotation_of("dress.jpg", images, "a.csv")
    assert [finding.code for finding in error.value.findings] == ["image-unreadable"]


@pytest.mark.parametrize(("text", "value"), [("12", 12), (" -1.5 ", -1.5), ("2e1", 20), (".5", 0.5)])
def test_a_number_is_read(text, value):
    assert parsing.number(text) == value


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e400", "1e10", "0x1", "1_0", "١", "1" * 41])
def test_what_is_not_a_number_of_pixels_is_refused(text):
    with pytest.raises(ValueError, match="is not a number of pixels"):
        parsing.number(text)


def test_corners_are_rounded_half_up():
    assert parsing.corners_xyxy(10, 20, 5, 4) == (8, 18, 13, 22)


def test_a_class_is_looked_up_from_the_first_index():
    assert [parsing.class_at(index, ["Tee", "Dress"], "list", first=1) for index in ("1", "2")] == ["Tee", "Dress"]
    for index in ("0", "3", "-1", "x", "9" * 50):
        with pytest.raises(ValueError, match="is not a class of list, which has 1 to 2"):
            parsing.class_at(index, ["Tee", "Dress"], "list", first=1)


@pytest.mark.parametrize("text", ["", " ", "a\nb", "T" * 1001])
def test_what_cannot_be_a_class_name_is_refused(text):
    with pytest.raises(ValueError, match="is not a class name"):
        parsing.class_name(text)


def test_the_stem_keeps_sub_folders(tmp_path):
    assert parsing.stem_below(f"{tmp_path}/shop/dress.v2.xml", tmp_path) == "shop/dress.v2"
    assert parsing.stem_below(str(tmp_path / "dress.xml"), tmp_path / "dress.xml") == "dress"
