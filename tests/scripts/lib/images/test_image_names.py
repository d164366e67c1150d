"""Image names: inside the folder, and found there."""

from __future__ import annotations

import pytest

from scripts.lib.images.image_names import ImageFolder, inside_folder


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/a.jpg", "\\a.jpg", "C:a.jpg", "a/../../b.jpg", "a\0.jpg", "a\n.jpg", "x" * 1001]
)
def test_name_that_leaves_the_folder_or_is_none_is_refused(name):
    with pytest.raises(ValueError, match="image name"):
        inside_folder(name)


@pytest.mark.parametrize("name", ["a.jpg", "a b.jpg", ".a.jpg", "é,ü.jpg", 'a"b.jpg', "a/b.jpg", "..a.jpg"])
def test_name_inside_the_folder_stays_as_it_is(name):
    assert inside_folder(name) == name


@pytest.fixture
def images(tmp_path):
    for name in ("IMG 1.JPG", "dress.thumbnail.jpg", "sub/skirt.png", "twice.jpg", "twice.png", "é.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return ImageFolder(tmp_path)


@pytest.mark.parametrize(
    ("name", "stem", "expected"),
    [
        ("IMG 1.JPG", None, "IMG 1.JPG"),
        ("img 1.jpg", None, "IMG 1.JPG"),
        ("dress.thumbnail", None, "dress.thumbnail.jpg"),
        ("dress.thumbnail.png", None, "dress.thumbnail.jpg"),
        ("renamed.jpg", "dress.thumbnail", "dress.thumbnail.jpg"),
        ("old.png", "sub/skirt", "sub/skirt.png"),
        ("e\u0301.jpg", None, "é.jpg"),
        ("twice", None, None),
        ("twice.jpg", None, "twice.jpg"),
        ("notes.txt", "notes", None),
        ("absent.jpg", "absent", None),
    ],
)
def test_image_is_found_however_it_is_spelled(images, name, stem, expected):
    assert images.find(name, stem) == expected


@pytest.mark.parametrize(
    ("names", "wanted", "found"),
    [
        (["train/images/x.jpg", "valid/images/x.jpg"], "train/labels/x", "train/images/x.jpg"),
        (["images/train/x.jpg", "images/val/x.jpg"], "labels/val/x", "images/val/x.jpg"),
        (["VOC2012/JPEGImages/x.jpg"], "VOC2012/Annotations/x.jpg", "VOC2012/JPEGImages/x.jpg"),
        (["JPEGImages/x.jpg"], "x.jpg", "JPEGImages/x.jpg"),
        (["images/x.v1.jpg"], "labels/x.v1", "images/x.v1.jpg"),
        (["shop/x.jpg"], "other/x.jpg", None),
        (["images/x.jpg", "photos/x.jpg"], "labels/x", None),
    ],
)
def test_case_9_image_in_a_folder_beside_the_annotations(names, wanted, found, tmp_path):
    assert ImageFolder(tmp_path, names).find(wanted) == found
