"""RotatedRect CSV, on files made by hand."""

from __future__ import annotations

import pytest

from tests.annotation_sets import boxes, finding_after, read, write


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(0, (10, 30, 30, 50)), (45, (6, 26, 34, 54)), (-14.6958, (8, 28, 32, 52)), (180, (10, 30, 30, 50))],
)
def test_rotated_rect_becomes_the_enclosing_upright_box(degrees, expected, folder, images):
    write(folder, {"out.csv": f"path,class,center_x,center_y,w,h,o\ndress.jpg,Tops,20,40,20,20,{degrees}\n"})
    (annotation,), _ = read("rotated_rect", folder, images)
    assert boxes(annotation) == [("Tops", *expected)]


def test_rotated_rect_is_clipped_to_the_image_and_images_are_gathered(folder, images):
    write(folder, {"out.csv": "dress.jpg,a,0,0,50,50,0\nshop/top.png,b,5,5,2,2,0\nsamples/dress.jpg,c,99,199,4,4,0\n"})
    (first, second), _ = read("rotated_rect", folder, images)
    assert boxes(first) == [("a", 0, 0, 25, 25), ("c", 97, 197, 100, 200)]
    assert boxes(second) == [("b", 4, 4, 6, 6)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",-90", "", "has 6 fields, expected path,class"),
        (",20,40", ",x,40", "'x' is not a number"),
        (",Dresses", ",", "'' is not a class name"),
        ("./dress", "/absent", "the image '/absent.jpg' is not in"),
        ("./dress", '"./dress', "is not CSV"),
    ],
)
def test_finding_names_what_was_found_and_expected(old, new, words, folder, images):
    finding = finding_after(("out.csv", old, new), "rotated_rect", folder, images)
    assert words in finding.message and finding.line == 1
