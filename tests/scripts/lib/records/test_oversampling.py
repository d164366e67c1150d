"""Repeat factor sampling."""

from __future__ import annotations

import pytest

from scripts.lib.dataset.labelled_images import LabelledImage
from scripts.lib.records import oversampling


def test_the_factor_of_a_class_is_that_of_the_paper():
    images = [("common",)] * 96 + [("rare", "rare", "common")] * 4
    factors = oversampling.class_factors(images, 0.16)
    assert factors == {"common": 1.0, "rare": pytest.approx(2.0)}  # sqrt(0.16 / 0.04)


def test_images_without_objects_count_as_images():
    assert oversampling.class_factors([("a",), (), (), ()], 1.0) == {"a": 2.0}


def test_an_image_takes_the_factor_of_its_rarest_class():
    factors = {"common": 1.0, "rare": 3.0}
    assert oversampling.copies("a.jpg", ("common", "rare"), factors) == 3
    assert oversampling.copies("a.jpg", ("common",), factors) == 1
    assert oversampling.copies("a.jpg", (), factors) == 1


def test_a_fraction_is_rounded_up_for_that_share_of_the_images_and_always_the_same():
    counts = [oversampling.copies(f"{index}.jpg", ("rare",), {"rare": 1.3}) for index in range(5000)]
    assert set(counts) == {1, 2} and sum(counts) / 5000 == pytest.approx(1.3, abs=0.02)
    assert counts[:10] == [oversampling.copies(f"{index}.jpg", ("rare",), {"rare": 1.3}) for index in range(10)]


def test_copies_follow_all_images_and_unknown_classes_do_not_count():
    names = {f"{number:02}": ("Skirts",) if number == 5 else ("Tops",) for number in range(16)} | {"x": ("Topps",)}
    images = [LabelledImage(name, (9, 9), classes, ()) for name, classes in names.items()]
    repeated, lines = oversampling.oversampled(
        images, {"Tops": 1, "Skirts": 2}, 0.25
    )  # Skirts: 1 of 16, sqrt(0.25 * 16) = 2
    assert repeated == [*images, images[5]]
    assert "oversampling: Skirts x2.00" in lines and "17 images, 18 with" in lines[-1]
    assert oversampling.oversampled(images, {"Tops": 1}, None) == (images, [])
