"""One labelled image -> one Example."""

from __future__ import annotations

import io
import os
import pickle

import pytest
from PIL import Image

from scripts.lib import image_bytes, image_examples, tf_example
from scripts.lib.labels_csv import Row

CLASS_IDS = {"Tops": 1, "Skirts": 2}


@pytest.fixture
def folder(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (100, 80), "teal").save(buffer, "JPEG")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    return tmp_path


def labelled(name, *boxes):
    rows = [Row(name, 100, 80, *box) for box in boxes or [("", None, None, None, None)]]
    (image,) = image_examples.labelled_images(rows)
    return image


def test_rows_are_gathered_by_image_in_order_of_the_names():
    rows = [Row(name, 10, 10, "Tops", number, 0, 9, 9) for number, name in enumerate(("b", "a", "b"))]
    first, second = image_examples.labelled_images([*rows, Row("c", 10, 10, "", None, None, None, None)])[:2]
    assert (first.filename, second.filename) == ("a", "b")
    assert second.boxes_xyxy == ((0, 0, 9, 9), (2, 0, 9, 9)) and second.class_names == ("Tops", "Tops")


def test_a_box_without_a_class_is_an_error_not_a_negative(folder):
    made = image_examples.ExampleMaker(folder, CLASS_IDS)(labelled("a.jpg", ("", 1, 2, 30, 40)))
    assert made.example is None and made.findings[0].code == "unknown-class"


def test_the_maker_survives_pickling_as_distributed_work_needs(folder):
    image = labelled("a.jpg", ("Skirts", 0, 0, 50, 80))
    maker = image_examples.ExampleMaker(folder, CLASS_IDS, max_image_side=50)
    copy = pickle.loads(pickle.dumps(maker))
    assert tf_example.serialized(copy(image).example) == tf_example.serialized(maker(image).example)


def test_a_file_too_large_to_be_an_image_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(image_bytes, "MAX_BYTES", 10)
    made = image_examples.ExampleMaker(folder, CLASS_IDS)(labelled("a.jpg"))
    assert [finding.code for finding in made.findings] == ["image-too-large"]


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all files")
def test_a_file_that_may_not_be_read_is_an_error(folder):
    (folder / "a.jpg").chmod(0)
    made = image_examples.ExampleMaker(folder, CLASS_IDS)(labelled("a.jpg"))
    assert [finding.code for finding in made.findings] == ["image-unreadable"]


def test_two_images_of_one_stem_are_not_chosen_between(folder):
    (folder / "a.png").write_bytes(b"")
    made = image_examples.ExampleMaker(folder, CLASS_IDS)(labelled("a"))
    assert [finding.code for finding in made.findings] == ["image-missing"]
