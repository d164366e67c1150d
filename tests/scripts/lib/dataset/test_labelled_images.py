"""Labelled images: found, decoded, their boxes checked."""

from __future__ import annotations

import io
import os
import pickle

import pytest
from PIL import Image

from scripts.lib.dataset import labelled_images
from scripts.lib.dataset.labelled_images import ImageChecker
from scripts.lib.dataset.labels_csv import LabelRow
from scripts.lib.images import decode, image_names

CLASS_IDS = {"Tops": 1, "Skirts": 2}


@pytest.fixture
def folder(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (100, 80), "teal").save(buffer, "JPEG")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    return tmp_path


def labelled(name, *boxes):
    rows = [LabelRow(name, 100, 80, *box) for box in boxes or [("", None, None, None, None)]]
    (image,) = labelled_images.labelled_images(rows)
    return image


def test_rows_are_gathered_by_image_in_order_of_the_names():
    rows = [LabelRow(name, 10, 10, "Tops", number, 0, 9, 9) for number, name in enumerate(("b", "a", "b"))]
    first, second = labelled_images.labelled_images([*rows, LabelRow("c", 10, 10, "", None, None, None, None)])[:2]
    assert (first.filename, second.filename) == ("a", "b")
    assert second.boxes_xyxy == ((0, 0, 9, 9), (2, 0, 9, 9)) and second.class_names == ("Tops", "Tops")


def test_a_box_without_a_class_is_an_error_not_a_negative(folder):
    checked = ImageChecker(folder, CLASS_IDS)(labelled("a.jpg", ("", 1, 2, 30, 40)))
    assert not checked.is_sound and checked.findings[0].code == "unknown-class"


def test_the_checker_survives_pickling_as_distributed_work_needs(folder):
    image = labelled("a.jpg", ("Skirts", 0, 0, 50, 80))
    checker = ImageChecker(folder, CLASS_IDS, max_image_side=50)
    checked = pickle.loads(pickle.dumps(checker))(image)
    assert checked == checker(image)
    assert checked.is_sound and checked.stored.size == (50, 40) and checked.boxes_xyxy == [(0, 0, 50, 80)]


def test_a_file_too_large_to_be_an_image_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(decode, "MAX_BYTES", 10)
    checked = ImageChecker(folder, CLASS_IDS)(labelled("a.jpg"))
    assert [finding.code for finding in checked.findings] == ["image-too-large"]


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all files")
def test_a_file_that_may_not_be_read_is_an_error(folder):
    (folder / "a.jpg").chmod(0)
    checked = ImageChecker(folder, CLASS_IDS)(labelled("a.jpg"))
    assert [finding.code for finding in checked.findings] == ["image-unreadable"]


def test_two_images_of_one_stem_are_not_chosen_between(folder):
    (folder / "a.png").write_bytes(b"")
    checked = ImageChecker(folder, CLASS_IDS)(labelled("a"))
    assert [finding.code for finding in checked.findings] == ["image-missing"]


def refused(folder, *names):
    """What each name gives once all of them are known: the image's name, or the code of the error."""
    images = [labelled(name) for name in names]
    checker = ImageChecker(folder, CLASS_IDS)
    checker.refuse_shared_images(images)
    made = [pickle.loads(pickle.dumps(checker))(image) for image in images]
    return [result.name or result.findings[-1].code for result in made]


def test_two_names_of_one_image_are_not_taken_for_it(folder):
    twice = "image-annotated-twice"
    assert refused(folder, "a") == refused(folder, "A.JPG") == ["a.jpg"]
    assert refused(folder, "a.jpg", "a") == ["a.jpg", twice]
    assert refused(folder, "a", "a.png", "b") == [twice, twice, "image-missing"]


def test_an_image_of_an_unusual_ending_is_found_under_its_own_name_alone(folder):
    (folder / "b.picture").write_bytes((folder / "a.jpg").read_bytes())
    assert refused(folder, "b.picture", "b") == ["b.picture", "image-missing"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_what_is_no_regular_file_is_missing_not_waited_for(folder):
    os.mkfifo(folder / "pipe.jpg")
    (folder / "null.jpg").symlink_to(os.devnull)
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    assert refused(folder, "pipe.jpg", "null.jpg", "gone.jpg") == ["image-missing"] * 3


def test_a_linked_folder_of_images_is_listed_and_a_circle_of_links_ends(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "b.jpg").write_bytes((folder / "a.jpg").read_bytes())
    try:
        (folder / "shop").symlink_to(other, target_is_directory=True)
        (other / "back").symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("this account may not make links")
    assert image_names.ImageFolder(folder).names == {"a.jpg", "shop/b.jpg"}
    assert refused(folder, "shop/b.jpg") == ["shop/b.jpg"]
