"""Crops: where they lie, what they show, and that those of an earlier run go."""

from __future__ import annotations

import numpy as np
from PIL import Image

from scripts.lib.core.boxes import Detection
from scripts.lib.detection import crops

CLASSES = ["Tops", "Men/Women", "Hats."]
FOUND = [
    Detection("Tops", 0.9, 10, 20, 30, 60),
    Detection("Men/Women", 0.8, -5, -5, 12.4, 8.6),
    Detection("Tops", 0.7, 0, 0, 100, 80),
    Detection("Hats.", 0.6, 200, 10, 210, 20),  # not on the image
]


def image() -> Image.Image:
    pixels = np.zeros((80, 100, 3), np.uint8)
    pixels[20:60, 10:30] = 255
    return Image.fromarray(pixels)


def names(folder) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_each_detection_is_cut_out_into_the_folder_of_its_class(tmp_path):
    crops.write(tmp_path, "shop/a.png.jpg", image(), FOUND, CLASSES)
    assert names(tmp_path) == ["Men_Women/shop/a.png_1.jpg", "Tops/shop/a.png_1.jpg", "Tops/shop/a.png_2.jpg"]
    with Image.open(tmp_path / "Tops/shop/a.png_1.jpg") as crop:
        assert crop.size == (20, 40) and np.asarray(crop).min() > 250
    with Image.open(tmp_path / "Men_Women/shop/a.png_1.jpg") as crop:
        assert crop.size == (12, 9)
    with Image.open(tmp_path / "Tops/shop/a.png_2.jpg") as crop:
        assert crop.size == (100, 80)


def test_crops_of_an_earlier_run_that_are_too_many_go_and_those_of_other_images_stay(tmp_path):
    crops.write(tmp_path, "a.jpg", image(), FOUND, CLASSES)
    crops.write(tmp_path, "b.jpg", image(), FOUND, CLASSES)
    crops.write(tmp_path, "a.jpg", image(), FOUND[:1], CLASSES)
    assert names(tmp_path) == ["Men_Women/b_1.jpg", "Tops/a_1.jpg", "Tops/b_1.jpg", "Tops/b_2.jpg"]


def test_missing_crops_are_seen(tmp_path):
    assert not crops.are_there(tmp_path, "a.jpg", FOUND, 100, 80, CLASSES)
    assert crops.are_there(tmp_path, "a.jpg", FOUND[3:], 100, 80, CLASSES), "nothing to cut out"
    crops.write(tmp_path, "a.jpg", image(), FOUND, CLASSES)
    assert crops.are_there(tmp_path, "a.jpg", FOUND, 100, 80, CLASSES)
    (tmp_path / "Tops/a_2.jpg").unlink()
    assert not crops.are_there(tmp_path, "a.jpg", FOUND, 100, 80, CLASSES)


def test_no_folder_has_a_name_that_windows_takes_for_a_device(tmp_path):
    classes = ["Aux", "con.x", "Lpt1", "Console", "AuxTop"]
    crops.write(tmp_path, "a.jpg", image(), [Detection(name, 0.9, 0, 0, 9, 9) for name in classes], classes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["AuxTop", "Aux_", "Console", "Lpt1_", "con_.x"]


def test_classes_that_differ_only_in_case_share_a_folder_as_on_windows(tmp_path):
    classes = ["Tops", "tops"]
    found = [Detection(name, 0.9, 0, 0, 9, 9) for name in classes]
    crops.write(tmp_path, "a.jpg", image(), found, classes)
    assert names(tmp_path) == ["Tops/a_1.jpg", "Tops/a_2.jpg"]
    assert crops.are_there(tmp_path, "a.jpg", found, 100, 80, classes)
    crops.write(tmp_path, "a.jpg", image(), found[1:], classes)
    assert names(tmp_path) == ["Tops/a_1.jpg"]
