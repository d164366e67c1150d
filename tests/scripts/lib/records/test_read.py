"""Images and ground truth of a record, read without TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.core.errors import DataError
from scripts.lib.records import read, tf_example, tf_record
from tests.encoded_images import PASSING, SIZE, encoded, picture, pixels


def write(path, **changes):
    """A record of one example with two boxes; `changes` replace features by the last part of their names."""
    values = {"xmin": [0.1, 0.2], "ymin": [0.3, 0.4], "xmax": [0.5, 0.6], "ymax": [0.7, 0.8], **changes}
    sides = {f"image/object/bbox/{side}": values[side] for side in ("xmin", "ymin", "xmax", "ymax")}
    ids = {"image/object/class/label": values.get("label", [2, 1])}
    ids |= {"image/object/difficult": values["difficult"]} if "difficult" in values else {}
    encoded = {"image/encoded": values.get("encoded", [PASSING["png"]])}
    names = {f"image/{kind}": values[kind] for kind in ("filename", "source_id") if kind in values}
    with path.open("wb") as file:
        example = tf_example.example({**encoded, **names}, sides, ids)
        tf_record.write_record(file, tf_example.serialized(example))
    return path


def test_boxes_classes_and_pixels_are_those_of_the_example(tmp_path):
    (image,) = read.read(write(tmp_path / "a.record", filename=["ä.png".encode()], difficult=[0, 1]))
    np.testing.assert_allclose(image.boxes_yxyx_normalized, [[0.3, 0.1, 0.7, 0.5], [0.4, 0.2, 0.8, 0.6]], rtol=1e-6)
    assert image.name == "ä.png" and image.class_ids.tolist() == [2, 1] and image.is_difficult.tolist() == [False, True]
    assert (image.pixels() == pixels(PASSING["png"])).all() and image.pixels().shape == (*SIZE[::-1], 3)


@pytest.mark.parametrize(("changes", "name"), [({"source_id": [b"7"]}, "7"), ({}, "1")])
def test_records_of_other_tools_may_lack_names_and_difficult(tmp_path, changes, name):
    (image,) = read.read(write(tmp_path / "a.record", **changes))
    assert image.name == name and not image.is_difficult.any()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoded": []}, "has no image"),
        ({"xmax": [0.5]}, "is not one for detection: has 2 xmin, 2 ymin, 1 xmax, 2 ymax, 2 image/object/class/label"),
        ({"label": [1]}, "is not one for detection: has 2 xmin, 2 ymin, 2 xmax, 2 ymax, 1 image/object/class/label"),
    ],
)
def test_an_example_without_image_or_with_missing_sides_is_an_error(tmp_path, changes, reason):
    with pytest.raises(DataError, match=f"a.record: example 1 {reason}"):
        list(read.read(write(tmp_path / "a.record", **changes)))


def test_case_35_a_hostile_record_starts_no_other_program(tmp_path, monkeypatch):
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *args, **kwargs: pytest.fail("Ghostscript"))
    (image,) = read.read(write(tmp_path / "a.record", encoded=[encoded(picture(), "EPS")]))
    with pytest.raises(DataError):
        image.pixels()


@pytest.mark.parametrize("changes", [{"label": [2**62, 1]}, {"encoded": [b""]}])
def test_case_2_examples_of_other_kinds_are_an_error(changes, tmp_path):
    path = write(tmp_path / "a.record", **changes)
    with path.open("ab") as file:
        tf_record.write_record(file, b"\xff" * 20)
    with pytest.raises(DataError, match="example [12] "):
        list(read.read(path))


def test_case_32_boxes_that_are_not_numbers_and_images_that_are_none_are_an_error(tmp_path):
    with pytest.raises(DataError, match="example 1 has a box whose corners are not numbers"):
        list(read.read(write(tmp_path / "a.record", xmin=[float("nan"), 0.1])))
    (image,) = read.read(write(tmp_path / "a.record", encoded=[b"no image"], filename=[b"a.jpg"]))
    with pytest.raises(
        DataError, match="the record's image a.jpg: the file is not an image that can be read .* make the"
    ):
        image.pixels()
