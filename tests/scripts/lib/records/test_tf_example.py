"""tf.train.Example without TensorFlow."""

from __future__ import annotations

import subprocess
import sys

import pytest
from google.protobuf.message import DecodeError

from scripts.lib.dataset.labelled_images import CheckedImage, LabelledImage
from scripts.lib.images.prepare import StoredImage
from scripts.lib.records import tf_example

ARGUMENTS = ({"text": [b"a", "é".encode()], "none": []}, {"x": [0.25, 1.0], "no_floats": []}, {"id": [-1, 2**40]})


def test_features_come_back():
    data = tf_example.serialized(tf_example.example(*ARGUMENTS))
    assert tf_example.features(data) == {
        "id": [-1, 2**40],
        "no_floats": [],
        "none": [],
        "text": [b"a", "é".encode()],
        "x": [0.25, 1.0],
    }


def test_the_order_of_the_features_does_not_change_the_bytes():
    reversed_arguments = [dict(reversed(features.items())) for features in ARGUMENTS]
    assert tf_example.serialized(tf_example.example(*ARGUMENTS)) == tf_example.serialized(
        tf_example.example(*reversed_arguments)
    )


def test_tensorflow_reads_and_writes_the_same_message():
    tf = pytest.importorskip("tensorflow")  # registers tensorflow.Example in the default pool, beside ours
    ours = tf_example.example(*ARGUMENTS)
    theirs = tf.train.Example.FromString(ours.SerializeToString())
    assert theirs.features.feature["x"].float_list.value[:] == [0.25, 1.0]
    assert theirs.features.feature["none"].WhichOneof("kind") == "bytes_list"
    assert tf_example.Example.FromString(theirs.SerializeToString()) == ours
    assert tf_example.serialized(ours) == theirs.SerializeToString(deterministic=True)


def test_tensorflow_is_not_imported(repository_root):
    program = "import sys, scripts.lib.records.tf_example; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=repository_root, check=False).returncode == 0


def test_other_bytes_are_refused():
    with pytest.raises(DecodeError):
        tf_example.features(b"\xff\xd8\xff")


def test_boxes_are_normalised_by_the_size_before_shrinking_and_the_other_features_describe_what_is_stored():
    labels = LabelledImage("ä.PNG", (0, 0), ("Skirts", "Tops"), ())
    stored = StoredImage(
        b"jpeg's bytes", "jpeg", size=(50, 40), upright_size=(100, 80), raw_size=(80, 100), orientation=6
    )
    image = CheckedImage(labels, [], name="ä.png", stored=stored, boxes_xyxy=[(0, 20, 50, 80), (25, 0, 100, 40)])
    found = tf_example.features(tf_example.serialized(tf_example.make_example(image, {"Tops": 1, "Skirts": 2})))
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
        tf_example.make_example(image, {"Tops": 1})
