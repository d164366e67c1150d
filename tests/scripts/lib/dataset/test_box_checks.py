"""The boxes of one image against the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from scripts.lib.core.errors import errors
from scripts.lib.dataset import box_checks

SIZE = (200, 100)


def check(boxes, annotated_size=SIZE, raw_size=SIZE, orientation=1, names=None):
    names = names or ["Tops"] * len(boxes)
    return box_checks.check_boxes("a.jpg", names, boxes, annotated_size, raw_size, orientation)


def codes(findings):
    return [finding.code for finding in findings]


@pytest.mark.parametrize("box", [(0, 0, 200, 100), (1, 1, 200, 100), (10, 20, 50, 60)])
def test_a_good_box_stays_as_it_is(box):
    assert check([box]) == ([box], [])


@pytest.mark.parametrize(
    ("box", "code"),
    [
        ((50, 20, 10, 60), "box-inverted"),
        ((10, 60, 50, 20), "box-inverted"),
        ((10, 20, 10, 60), "box-zero-area"),
        ((10, 20, 50, 20), "box-zero-area"),
        ((10, 20, 203, 60), "box-outside-image"),
        ((-3, 20, 50, 60), "box-outside-image"),
        ((10, 20, 50, 103), "box-outside-image"),
        ((300, 20, 400, 60), "box-outside-image"),
    ],
)
def test_a_box_that_cannot_be_right_is_an_error(box, code):
    _, findings = check([(0, 0, 20, 20), box])
    assert codes(findings) == [code]
    assert findings[0].severity == "error"
    assert str(box) in findings[0].message and findings[0].object == "object 2 (Tops)" and findings[0].remedy


@pytest.mark.parametrize(
    ("box", "clipped"),
    [((-2, -1, 50, 60), (0, 0, 50, 60)), ((10, 20, 202, 101), (10, 20, 200, 100))],
)
def test_up_to_two_pixels_outside_are_clipped_and_said(box, clipped):
    boxes, findings = check([box])
    assert boxes == [clipped]
    assert codes(findings) == ["box-clipped"] and not errors(findings)


def test_a_box_beyond_the_edge_has_no_area_once_clipped():
    _, findings = check([(200, 20, 202, 60)])
    assert codes(findings) == ["box-clipped", "box-zero-area"]


def test_duplicate_boxes_are_told_apart_by_their_classes():
    box = (10, 10, 50, 50)
    _, findings = check([box, (0, 0, 9, 9), box], names=["Tops", "Tops", "Tops"])
    assert codes(findings) == ["box-duplicate"] and "same box and class" in findings[0].message
    assert findings[0].object == "objects 1 and 3 (Tops)"
    _, findings = check([box, box], names=["Tops", "Skirts"])
    assert "different classes" in findings[0].message and findings[0].object == "objects 1 and 2 (Tops, Skirts)"


@pytest.mark.parametrize(
    ("stated", "code"), [((0, 0), "size-missing"), ((200, 0), "size-missing"), ((400, 200), "size-mismatch")]
)
def test_a_wrong_size_is_reported_and_the_image_counts(stated, code):
    boxes, findings = check([(10, 20, 50, 60)], annotated_size=stated)
    assert boxes == [(10, 20, 50, 60)]
    assert codes(findings) == [code] and f"{stated[0]}x{stated[1]}" in findings[0].message
    assert "200x100" in findings[0].message and not errors(findings)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_of_the_stored_pixels_follows_exif(orientation):
    """Paints the box, has Pillow turn the picture upright, and looks where the paint is."""
    raw, box = Image.new("L", (30, 20)), (3, 5, 11, 17)
    raw.paste(255, box)
    raw.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(raw))
    ys, xs = np.nonzero(upright)
    painted = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert box_checks.upright_box(box, raw.size, orientation) == painted


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_of_older_labelimg_are_turned_with_the_image(orientation):
    box = (10, 20, 50, 60)
    boxes, findings = check([box], annotated_size=(200, 100), raw_size=(200, 100), orientation=orientation)
    assert boxes == [box_checks.upright_box(box, (200, 100), orientation)]
    assert codes(findings) == ["exif-raw-frame"] and not errors(findings)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_in_the_upright_frame_stay(orientation):
    boxes, findings = check([(10, 20, 50, 160)], (100, 200), (200, 100), orientation)
    assert boxes == [(10, 20, 50, 160)]
    assert codes(findings) == ["exif-upright-frame"] and not errors(findings)


@pytest.mark.parametrize(
    ("annotated_size", "raw_size", "orientation", "expected"),
    [
        ((100, 100), (100, 100), 6, ["exif-frame-undecidable"]),
        ((200, 100), (200, 100), 3, ["exif-frame-undecidable"]),
        ((200, 100), (200, 100), 2, ["exif-frame-undecidable"]),
        ((0, 0), (200, 100), 6, ["exif-frame-undecidable", "size-missing"]),
        ((640, 480), (200, 100), 6, ["exif-frame-undecidable", "size-mismatch"]),
    ],
    ids=["square", "180 degrees", "mirrored", "no size", "another size"],
)
def test_an_undecidable_frame_is_flagged_and_upright_assumed(annotated_size, raw_size, orientation, expected):
    box = (10, 20, 50, 60)
    boxes, findings = check([box], annotated_size, raw_size, orientation)
    assert boxes == [box]
    assert codes(findings) == expected and findings[0].severity == "warning"


pixel = st.integers(-5, 210)


@given(st.lists(st.tuples(pixel, pixel, pixel, pixel), max_size=4), st.integers(1, 8), st.booleans())
def test_boxes_without_an_error_are_inside_the_image_and_have_an_area(boxes, orientation, in_raw_frame):
    upright = SIZE[::-1] if orientation >= 5 else SIZE
    checked, findings = check(boxes, SIZE if in_raw_frame else upright, SIZE, orientation)
    assert len(checked) == len(boxes)
    if not errors(findings):
        for xmin, ymin, xmax, ymax in checked:
            assert 0 <= xmin < xmax <= upright[0] and 0 <= ymin < ymax <= upright[1]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("Pants_Legings", "Pants_Leggings"), ("pants_leggings", "Pants_Leggings"), ("Skirt", "Skirts"), ("Zebra", None)]
    + [("Pants", "Pants_Leggings"), ("Long skirts", "Skirts"), ("Shorts", None)],
)
def test_an_unknown_class_comes_with_the_nearest_known(name, nearest):
    known = ["Pants_Leggings", "Dresses", "Skirts"]
    (finding,) = box_checks.check_classes("a.jpg", ["Dresses", name], known)
    assert finding.severity == "error" and finding.object == f"object 2 ({name})"
    assert name in finding.message and "Dresses" in finding.message
    assert (f"did you mean {nearest!r}?" in finding.remedy) == (nearest is not None)
    assert "did you mean" in finding.remedy or nearest is None
