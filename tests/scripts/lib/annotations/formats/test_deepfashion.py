"""DeepFashion's lists, on files made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lib.annotations import registry
from tests.annotation_sets import DEEP_FASHION, YOLO, finding_after, write


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "words"),
    [
        ("list_bbox.txt", "010 ", "", 3, "expected image x_1 y_1 x_2 y_2"),
        ("list_bbox.txt", "010", "ten", 3, "is 'ten', expected a number"),
        ("list_bbox.txt", "1\n", "2\n", 1, "has 1 lines below its two header lines"),
        ("list_category_img.txt", "     2", "     3", 3, "'3' is not a class of list_category_cloth"),
        ("list_category_img.txt", "Red", "Blue", 3, "one of list_category_img.txt"),
    ],
)
def test_finding_names_what_was_found_and_expected(file, old, new, line, words, folder, images):
    finding = finding_after((f"Anno/{file}", old, new), "deepfashion", folder, images)
    assert words in finding.message and finding.line == line


def test_its_lists_are_not_taken_for_another_format(folder):
    write(folder, {**DEEP_FASHION, **YOLO})
    name, found = registry.find_files(folder)
    assert name == "deepfashion" and [Path(file).name for file in found] == ["list_bbox.txt"]
