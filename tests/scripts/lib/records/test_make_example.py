"""One checked image -> one Example."""

from __future__ import annotations

import pytest

from scripts.lib.dataset.labelled_images import CheckedImage, LabelledImage
from scripts.lib.images.prepare import StoredImage
from scripts.lib.records import tf_example
from scripts.lib.records.make_example import make_example


def test_boxes_are_normalised_by_the_size_before_shrinking_and_the_other_features_describe_what_is_stored():
    labels = LabelledImage("ä.PNG", (0, 0), ("Skirts", "Tops"), ())
    stored = StoredImage(
        b"jpeg's bytes", "jpeg", size=(50, 40), upright_size=(100, 80), raw_size=(80, 100), orientation=6
    )
    image = CheckedImage(labels, [], name="ä.png", stored=stored, boxes_xyxy=[(0, 20, 50, 80), (25, 0, 100, 40)])
    found = tf_example.features(tf_example.serialized(make_example(image, {"Tops": 1, "Skirts": 2})))
    sides = {side: found.pop(f"image/object/bbox/{side}") for side in ("xmin", "xmax", "ymin", "ymax")}
    assert sides == {"xmin": [0, 0.25], "xmax": [0.5, 1], "ymin": [0.25, 0], "ymax": [1, 0.5]}
    assert found == {
        "image/filename": ["ä.png".encode()],
        "image/source_id": ["ä.png".encode()],
        "image/encoded": [b"jpeg's bytes"],
        "image/format": [b"jpeg"],
        "image/height": [40],
        "image/width": [50],
        "image/object/class/label": [2, 1],
        "image/object/class/text": [b"Skirts", b"Tops"],
    }


def test_a_class_that_the_label_map_lacks_never_gets_an_id():
    stored = StoredImage(b"", "jpeg", (9, 9), (9, 9), (9, 9), 1)
    image = CheckedImage(LabelledImage("a", (9, 9), ("Topps",), ()), [], stored=stored, boxes_xyxy=[(0, 0, 9, 9)])
    with pytest.raises(KeyError, match="Topps"):
        make_example(image, {"Tops": 1})
