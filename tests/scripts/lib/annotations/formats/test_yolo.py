"""YOLO text files, on files made by hand."""

from __future__ import annotations

import pytest

from tests.annotation_sets import YOLO, boxes, finding_after, read, write


def test_yolo_keeps_every_pixel_of_label_img(folder, images):
    """LabelImg writes six decimals: 0.000001 of 100 pixels is far less than half a pixel."""
    corners = [(x, y, x + 1 + y % 7, y + 3) for x, y in ((0, 0), (33, 7), (92, 196), (50, 99))]
    lines = [
        f"0 {(a + c) / 200:.6f} {(b + d) / 400:.6f} {(c - a) / 100:.6f} {(d - b) / 200:.6f}" for a, b, c, d in corners
    ]
    write(folder, {"classes.txt": "Tops\n", "dress.txt": "\n".join(lines)})
    (annotation,), _ = read("yolo", folder, images)
    assert [box[1:] for box in boxes(annotation)] == corners
    assert [box.line for box in annotation.objects] == [1, 2, 3, 4]


def test_yolo_in_sub_folders_and_without_boxes(folder, images):
    write(folder, {**YOLO, "shop/top.txt": ""})
    annotations, _ = read("yolo", folder, images)
    assert [(a.filename, len(a.objects)) for a in annotations] == [("dress.jpg", 1), ("shop/top.png", 0)]


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("dress.txt", "1 0.2", "2 0.2", "'2' is not a class of classes.txt, which has 0 to 1"),
        ("dress.txt", "1 0.2", "-1 0.2", "'-1' is not a class"),
        ("dress.txt", "1 0.2", "1 20", "'2000000' is not a fraction"),
        ("dress.txt", "1 0.2", "1 nan 0.2", "has 6 values, expected 5"),
        ("dress.txt", "1 0.200000", "1 nan", "'nan' is not a number"),
        ("classes.txt", "Dresses", " \nSkirts", "is not a class name"),
    ],
)
def test_finding_names_what_was_found_and_expected(file, old, new, words, folder, images):
    finding = finding_after((file, old, new), "yolo", folder, images)
    assert words in finding.message and finding.line == 1


def test_missing_classes_txt_is_a_finding(folder, images):
    write(folder, {"dress.txt": YOLO["dress.txt"]})
    _, (finding,) = read("yolo", folder, images)
    assert "classes.txt" in finding.message


def test_unreadable_image_is_a_finding(folder, images):
    (images.folder / "dress.jpg").write_bytes(b"no image")
    write(folder, YOLO)
    annotations, (finding,) = read("yolo", folder, images)
    assert annotations == [] and finding.code == "image-unreadable"
