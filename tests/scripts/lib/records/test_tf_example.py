"""tf.train.Example without TensorFlow."""

from __future__ import annotations

import subprocess
import sys

import pytest
from google.protobuf.message import DecodeError

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
