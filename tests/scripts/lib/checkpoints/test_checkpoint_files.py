"""Finding checkpoints without TensorFlow, and noticing damaged ones with it."""

from __future__ import annotations

import pytest

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core.errors import UsageError


@pytest.fixture
def train_dir(tmp_path):
    folder = tmp_path / "train"
    folder.mkdir()
    for step in (9, 800, 1000):
        (folder / f"model.ckpt-{step}.index").write_bytes(b"")
        (folder / f"model.ckpt-{step}.data-00000-of-00001").write_bytes(b"")
    (folder / "checkpoint").write_text(
        'model_checkpoint_path: "model.ckpt-800"\nall_model_checkpoint_paths: "model.ckpt-1000"\n', encoding="utf-8"
    )
    return folder


def test_the_folders_own_file_says_which_is_the_latest(train_dir):
    assert checkpoint_files.latest(train_dir) == train_dir / "model.ckpt-800"
    assert checkpoint_files.latest_step(train_dir) == 800


@pytest.mark.parametrize("former", ["/home/me/train/model.ckpt-1000", "C:\\\\Users\\\\me\\\\model.ckpt-1000"])
def test_a_folder_that_was_moved(train_dir, former):
    (train_dir / "checkpoint").write_text(f'model_checkpoint_path: "{former}"\n', encoding="utf-8")
    assert checkpoint_files.latest(train_dir) == train_dir / "model.ckpt-1000"


def test_a_checkpoint_that_was_deleted_is_not_the_latest(train_dir):
    (train_dir / "model.ckpt-800.index").unlink()
    assert checkpoint_files.latest(train_dir) is None


def test_prefixes_are_in_order_of_their_steps(train_dir):
    assert [checkpoint_files.step_of(prefix) for prefix in checkpoint_files.prefixes(train_dir)] == [9, 800, 1000]


@pytest.mark.parametrize("suffix", ["", ".index", ".data-00000-of-00001"])
def test_find_takes_a_prefix_or_one_of_its_files(train_dir, suffix):
    prefix = train_dir / "model.ckpt-9"
    assert checkpoint_files.find(f"{prefix}{suffix}") == prefix.as_posix()


def test_find_takes_a_folder(train_dir):
    assert checkpoint_files.find(train_dir) == (train_dir / "model.ckpt-800").as_posix()
    (train_dir / "checkpoint").unlink()
    assert checkpoint_files.find(train_dir) == (train_dir / "model.ckpt-1000").as_posix()


def test_a_wrong_prefix_is_told_what_is_there(train_dir, tmp_path):
    with pytest.raises(UsageError, match="model.ckpt-9, model.ckpt-800, model.ckpt-1000"):
        checkpoint_files.find(train_dir / "model.ckpt-80")
    with pytest.raises(UsageError, match="holds no checkpoint"):
        checkpoint_files.find(tmp_path / "none" / "model.ckpt")


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
    assert checkpoint_files.fault(prefix) is None


@pytest.mark.parametrize(
    ("suffix", "length", "expected"),
    [
        (".index", 0, "file is too short"),
        (".index", 40, "file is too short"),
        (".index", -1, "not an sstable"),
        (".data-00000-of-00001", 0, "bytes than requested"),
        (".data-00000-of-00001", -1, "bytes than requested"),
    ],
)
def test_a_file_that_ends_too_early(prefix, suffix, length, expected):
    path = prefix.with_name(prefix.name + suffix)
    path.write_bytes(path.read_bytes()[:length])
    assert expected in checkpoint_files.fault(prefix)


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [(".index", "Failed to find any matching files"), (".data-00000-of-00001", "model.ckpt-7.data-00000-of-00001")],
)
def test_a_file_that_is_missing(prefix, suffix, expected):
    prefix.with_name(prefix.name + suffix).unlink()
    reason = checkpoint_files.fault(prefix)
    assert expected in reason and reason == reason.strip()


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_any_byte_that_is_wrong_is_noticed(prefix, suffix):
    path = prefix.with_name(prefix.name + suffix)
    content = path.read_bytes()
    # An index ends with an empty block (13 bytes) that no reader uses, and a footer whose padding has no checksum.
    end = len(content) - (48 + 13 if suffix == ".index" else 0)
    for place in [*range(0, end, max(1, end // 25)), end - 1]:
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x40]) + content[place + 1 :])
        assert checkpoint_files.fault(prefix), place


def test_a_checkpoint_of_tensorflow_2_is_told_apart(tf, tmp_path):
    """Case 15."""
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.get_variable("a", [2])
        session.run(variable.initializer)
        tf.train.Saver([variable]).save(session, str(tmp_path / "graph"))
        tf.train.Checkpoint(a=variable).write(str(tmp_path / "objects"), session=session)
    assert checkpoint_files.find(tmp_path / "graph") == (tmp_path / "graph").as_posix()
    with pytest.raises(
        UsageError, match="objects is a checkpoint of TensorFlow 2, not of graph mode; see download_model"
    ):
        checkpoint_files.find(tmp_path / "objects.index")


def test_a_folder_that_tensorflow_takes_for_a_pattern_is_named(prefix):
    moved = prefix.parent.rename(prefix.parent.with_name("run [1]"))
    with pytest.raises(UsageError, match=r"has a \[, which TensorFlow takes for a pattern; rename the folder"):
        checkpoint_files.find(moved)


def test_a_folder_for_one_checkpoint(tf, train_dir):
    """Case 6: the API's evaluator takes folders only."""
    with checkpoint_files.as_folder(train_dir) as folder:
        assert tf.train.latest_checkpoint(folder) == checkpoint_files.latest(train_dir).as_posix()
    with checkpoint_files.as_folder(train_dir / "model.ckpt-9.index") as folder:
        (train_dir / "model.ckpt-9.data-00000-of-00001").touch()
        assert tf.train.latest_checkpoint(folder) == (train_dir / "model.ckpt-9").as_posix()
