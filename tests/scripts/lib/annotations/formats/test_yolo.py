"""YOLO text files, on files made by hand."""

from __future__ import annotations

import pytest

from scripts.lib.annotations import registry
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


@pytest.mark.parametrize(("names", "listed"), [("Tops\nDresses\n", "lists 0 to 1"), ("", "lists none")])
def test_case_12_overwritten_class_names_are_one_finding_a_file(names, listed, folder, images):
    write(folder, {"classes.txt": names, "dress.txt": "5 0.5 0.5 0.1 0.1\n7 0.5 0.5 0.1 0.1\n5 0.2 0.2 0.1 0.1\n"})
    annotations, (finding,) = read("yolo", folder, images)
    assert annotations == [] and finding.code == "yolo-class"
    assert finding.message.startswith("has class 5, 7, but ") and finding.message.endswith(f"classes.txt {listed}")
    assert "LabelImg replaces this file" in finding.remedy


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("data.yaml", "train: ../train/images\nnc: 2\nnames: ['Tops', 'Dresses']\n"),
        ("data.yaml", "names:\n  0: Tops\n  1: Dresses\n"),
        ("data.yaml", "names: {'0': Tops, '1': Dresses}\n"),
        ("obj.names", "Tops\nDresses\n"),
        ("classes.txt", "Tops\nDresses"),
        ("train/_darknet.labels", "Tops\nDresses"),
    ],
)
@pytest.mark.parametrize("below", ["", "train", "train/labels"])
def test_case_12_class_names_are_found_where_exports_have_them(file, text, below, folder, images):
    write(folder, {file: text, "train/labels/dress.txt": YOLO["dress.txt"]})
    (annotation,), findings = read("yolo", folder / below, images)
    assert boxes(annotation) == [("Dresses", 10, 20, 30, 60)]
    is_above = below and not (folder / file).is_relative_to(folder / below)
    assert [finding.message for finding in findings] == ["names the classes"] * bool(is_above)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"data.yaml": "names: 3"}, "does not hold names, a list or 0: first, 1: second"),
        ({"data.yaml": "names: Tops"}, "does not hold names"),
        ({"data.yaml": "names: {1: Tops}"}, "does not hold names"),
        ({"data.yaml": "[" * 5000}, "does not hold names"),
        ({"data.yaml": "names: &a [*a]"}, "does not hold names"),
        (
            {"data.yaml": "names: [Tops]", "classes.txt": "Dresses\n"},
            "classes.txt and data.yaml name different classes",
        ),
    ],
)
def test_case_12_class_names_that_cannot_be_used_are_a_finding(files, words, folder, images):
    write(folder, {"dress.txt": YOLO["dress.txt"], **files})
    annotations, (finding,) = read("yolo", folder, images)
    assert annotations == [] and words in finding.message and finding.remedy


def test_names_that_yaml_takes_for_something_else_are_texts(folder, images):
    write(folder, {"data.yaml": "names: [yes, no, 010]", "dress.txt": "1 0.5 0.5 0.1 0.1\n2 0.5 0.5 0.1 0.1\n"})
    (annotation,), _ = read("yolo", folder, images)
    assert [name for name, *_ in boxes(annotation)] == ["no", "010"]


@pytest.mark.parametrize("more", [" 0.5 0.5 0.5 0.5", " 0.91"])
def test_polygons_and_scores_are_refused_with_the_way_out(more, folder, images):
    finding = finding_after(("dress.txt", "0.200000\n", f"0.200000{more}\n"), "yolo", folder, images)
    assert "expected 5: class x_center" in finding.message and "export boxes only" in finding.remedy


def test_case_11_other_texts_of_an_export_are_no_labels(folder):
    others = {
        "README.roboflow.txt": "Shirts - v1 2023-01-01 12:00\n",
        "README.dataset.txt": "# Shirts > 2023 of 4 photos\n",
        "train.txt": "data/obj_train_data/a.jpg\n",
        "labelmap.txt": "# label:color_rgb:parts:actions\n",
        "VOC/ImageSets/Main/Tops_train.txt": "000001 -1\n",
        "VOC/ImageSets/Main/default.txt": "000001\n",
        "lists/Tops_val.txt": "a.jpg  1\n",
    }
    labels = {"a.txt": "0 0.5 0.5 0.1 0.1\n", "b.txt": "", "c.txt": "0\n", "d.txt": "Tops 0.5 0.5 0.1 0.1\n"}
    write(folder, {**others, **labels})
    name, found = registry.find_files(folder)
    assert name == "yolo" and [file.rpartition("/")[2] for file in found] == list(labels)
    write(folder, {"shop/a.xml": ""})
    for file in labels:
        (folder / file).unlink()
    assert registry.find_files(folder)[0] == "voc"


def test_missing_classes_txt_is_a_finding(folder, images):
    write(folder, {"dress.txt": YOLO["dress.txt"]})
    _, (finding,) = read("yolo", folder, images)
    assert "classes.txt" in finding.message


def test_unreadable_image_is_a_finding(folder, images):
    (images.folder / "dress.jpg").write_bytes(b"no image")
    write(folder, YOLO)
    annotations, (finding,) = read("yolo", folder, images)
    assert annotations == [] and finding.code == "image-unreadable"
