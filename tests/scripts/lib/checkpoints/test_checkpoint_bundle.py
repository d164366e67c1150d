"""Whether a checkpoint is whole: each byte that is missing or wrong is noticed, without TensorFlow."""

from __future__ import annotations

import pytest

from scripts.lib.checkpoints import checkpoint_bundle


@pytest.fixture(scope="module")
def written(tf, tmp_path_factory) -> dict[str, bytes]:
    """The files of a checkpoint with many variables, so that the index has more than one block, by suffix."""
    folder = tmp_path_factory.mktemp("written")
    with tf.Graph().as_default(), tf.Session() as session:
        for number in range(300):
            tf.get_variable(f"Layer_{number}/weights", [3, number % 7 + 1])
        tf.get_variable("global_step", initializer=tf.constant(7, tf.int64), trainable=False)
        tf.get_variable("none", [0, 4])
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(folder / "model.ckpt"), global_step=7, write_meta_graph=False)
    return {path.suffix: path.read_bytes() for path in folder.glob("model.ckpt-7.*")}


@pytest.fixture
def prefix(written, tmp_path):
    for suffix, content in written.items():
        (tmp_path / f"model.ckpt-7{suffix}").write_bytes(content)
    return tmp_path / "model.ckpt-7"


def test_what_tensorflow_wrote_is_whole(prefix):
    assert checkpoint_bundle.fault(prefix) is None


def test_names_and_sizes_are_tensorflows(prefix):
    num_shards, tensors = checkpoint_bundle.read_index(prefix)
    assert num_shards == 1
    assert len(tensors) == 302
    assert tensors["Layer_6/weights"].size == 4 * 3 * 7
    assert tensors["none"].size == 0


@pytest.mark.parametrize(
    "suffix, length, expected",
    [
        (".index", 0, "index ends too early"),
        (".index", 40, "index ends too early"),
        (".index", -1, "index ends too early"),
        (".data-00000-of-00001", 0, "has 0 bytes instead of"),
        (".data-00000-of-00001", -1, "bytes instead of"),
    ],
)
def test_a_file_that_ends_too_early(prefix, suffix, length, expected):
    path = prefix.with_name(prefix.name + suffix)
    path.write_bytes(path.read_bytes()[:length])
    assert expected in checkpoint_bundle.fault(prefix)


@pytest.mark.parametrize("suffix, expected", [(".index", "No such file"), (".data-00000-of-00001", "is missing")])
def test_a_file_that_is_missing(prefix, suffix, expected):
    prefix.with_name(prefix.name + suffix).unlink()
    assert expected in checkpoint_bundle.fault(prefix)


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_any_byte_that_is_wrong_is_noticed(prefix, suffix):
    path = prefix.with_name(prefix.name + suffix)
    content = path.read_bytes()
    end = len(content) - (48 if suffix == ".index" else 0)  # the footer's padding has no checksum
    for place in range(0, end, max(1, end // 25)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x40]) + content[place + 1 :])
        assert checkpoint_bundle.fault(prefix), place
