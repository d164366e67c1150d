"""The checks of a data set, apart from the script; tests/scripts/test_check_dataset.py holds them against the steps."""

from __future__ import annotations

from scripts.lib.core.errors import ERROR, NOTE, WARNING, Finding
from scripts.lib.dataset.doctor import checks


def codes(findings):
    return sorted((finding.severity, finding.code, finding.file) for finding in findings)


def test_a_check_is_a_function_in_the_list(read_data_set, monkeypatch):
    data, findings = read_data_set(["a.png"], [("a.png", "Tops"), ("a.png", "Skirts")])
    assert codes(findings) == [(WARNING, "box-duplicate", "a.png")]
    assert checks.check(data) == []

    def wide_images(data):
        return [Finding(NOTE, "wide", image.name, "is wide") for image in data.images if image.size[0] >= 40]

    monkeypatch.setattr(checks, "CHECKS", (*checks.CHECKS, wide_images))
    assert codes(checks.check(data)) == [(NOTE, "wide", "a.png")]


def test_labels_without_image_are_errors_and_images_without_labels_are_warnings(read_data_set):
    data, findings = read_data_set(["a.png", "new.png"], [("a.png", "Tops"), ("gone.png", "Skirts")])
    assert codes(findings) == [(ERROR, "image-missing", "gone.png")]
    assert codes(checks.check(data)) == [(WARNING, "image-not-annotated", "new.png")]
    facts = data.facts()
    assert (facts["annotated_images"], facts["images"], facts["images_with_sound_boxes"]) == (2, 2, 1)
    assert facts["boxes"] == {"Tops": 1, "Skirts": 0} and data.boxes_by_class() == facts["boxes"]


def test_a_class_without_boxes_is_a_warning(read_data_set):
    data, _ = read_data_set(["a.png"], [("a.png", "Tops")])
    (finding,) = checks.check(data)
    assert finding.code == "class-without-boxes" and "'Skirts'" in finding.message
