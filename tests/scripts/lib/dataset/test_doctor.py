"""The checks of a data set, apart from the script; tests/scripts/test_check_dataset.py holds them against the steps."""

from __future__ import annotations

import pytest
from PIL import Image

from scripts.lib.core.errors import ERROR, NOTE, WARNING, Finding
from scripts.lib.dataset import doctor, labels_csv
from scripts.lib.dataset.labels_csv import LabelRow
from scripts.lib.images.image_names import ImageFolder


@pytest.fixture
def read(tmp_path):
    """Read a data set of 40x40 images: the label map has Tops and Skirts, `rows` are (name, class), "": no object."""
    (tmp_path / "samples").mkdir()
    (tmp_path / "map.pbtxt").write_text("item { id: 1 name: 'Tops' } item { id: 2 name: 'Skirts' }", encoding="utf-8")

    def read(images, rows, num_workers=1):
        for seed, name in enumerate(images):
            Image.effect_noise((40, 40), 90 + seed).convert("RGB").save(tmp_path / "samples" / name)
        corners = {True: (1, 2, 30, 40), False: (None, None, None, None)}
        rows = [LabelRow(name, 40, 40, class_name, *corners[bool(class_name)]) for name, class_name in rows]
        labels_csv.write_rows(rows, tmp_path / "labels.csv")
        folder = ImageFolder(tmp_path / "samples")
        labels, findings = doctor.read_labels_csv(tmp_path / "labels.csv", folder)
        data, more = doctor.read(labels, folder, tmp_path / "map.pbtxt", None, num_workers)
        return data, findings + more

    return read


def codes(findings):
    return sorted((finding.severity, finding.code, finding.file) for finding in findings)


def test_a_check_is_a_function_in_the_list(read, monkeypatch):
    data, findings = read(["a.png"], [("a.png", "Tops"), ("a.png", "Skirts")])
    assert codes(findings) == [(WARNING, "box-duplicate", "a.png")]
    assert doctor.check(data) == []

    def wide_images(data):
        return [Finding(NOTE, "wide", image.name, "is wide") for image in data.images if image.size[0] >= 40]

    monkeypatch.setattr(doctor, "CHECKS", (*doctor.CHECKS, wide_images))
    assert codes(doctor.check(data)) == [(NOTE, "wide", "a.png")]


def test_labels_without_image_are_errors_and_images_without_labels_are_warnings(read):
    data, findings = read(["a.png", "new.png"], [("a.png", "Tops"), ("gone.png", "Skirts")])
    assert codes(findings) == [(ERROR, "image-missing", "gone.png")]
    assert codes(doctor.check(data)) == [(WARNING, "image-not-annotated", "new.png")]
    facts = data.facts()
    assert (facts["annotated_images"], facts["images"], facts["images_with_sound_boxes"]) == (2, 2, 1)
    assert facts["boxes"] == {"Tops": 1, "Skirts": 0} and data.boxes_by_class() == {"boxes": facts["boxes"]}


def test_a_class_without_boxes_is_a_warning(read):
    data, _ = read(["a.png"], [("a.png", "Tops")])
    (finding,) = doctor.check(data)
    assert finding.code == "class-without-boxes" and "'Skirts'" in finding.message


def test_threads_change_nothing(read):
    images = [f"{number}.png" for number in range(8)]
    rows = [(name, "Tops" if number % 2 else "Topps") for number, name in enumerate(images)]
    (one, one_findings), (many, many_findings) = read(images, rows), read([], rows, num_workers=4)
    assert one.images == many.images and one_findings == many_findings and len(one_findings) == 4


@pytest.mark.parametrize(
    ("kinds", "from_csv", "expected"),
    [
        ([], True, ["next: python generate_tfrecord.py"]),
        ([(WARNING, "box-tiny")], False, ["read the warnings; then: python xml_to_csv.py"]),
        (
            [(ERROR, "image-missing")] * 9,
            True,
            ["9 annotated images are not in samples", "correct the errors", "or leave"],
        ),
    ],
)
def test_next_steps_depend_on_what_was_found(kinds, from_csv, expected):
    findings = [Finding(severity, code, "a", "is so") for severity, code in kinds]
    steps = doctor.next_steps(findings, 5, "samples", from_csv)
    assert len(steps) == len(expected) and all(map(str.startswith, steps, expected))
