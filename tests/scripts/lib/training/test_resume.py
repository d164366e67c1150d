"""From which checkpoint a training goes on when the last run left the folder in disorder."""

from __future__ import annotations

import pytest

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core.errors import DataError
from scripts.lib.training import resume


@pytest.fixture(scope="module")
def written(tf, tmp_path_factory):
    """A folder with the checkpoints of steps 2, 4 and 6, as TensorFlow wrote them."""
    folder = tmp_path_factory.mktemp("written")
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("weights", [300])
        session.run(tf.global_variables_initializer())
        saver = tf.train.Saver(save_relative_paths=True)  # since the folder is copied
        for step in (2, 4, 6):
            saver.save(session, str(folder / "model.ckpt"), global_step=step, write_meta_graph=False)
    return folder


@pytest.fixture
def train_dir(written, tmp_path):
    for path in written.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def truncate(path, length=10):
    path.write_bytes(path.read_bytes()[:length])


def test_a_folder_in_order_is_left_as_it_is(train_dir):
    before = (train_dir / "checkpoint").read_bytes()
    checkpoint, note = resume.find_readable(train_dir)
    assert (checkpoint.name, note) == ("model.ckpt-6", "")
    assert (train_dir / "checkpoint").read_bytes() == before


@pytest.mark.parametrize(
    "spoil, said",
    [
        (
            lambda folder: truncate(folder / "model.ckpt-6.data-00000-of-00001"),
            "bytes than requested)",
        ),
        (
            lambda folder: truncate(folder / "model.ckpt-6.index"),
            "model.ckpt-6 cannot be read (file is too short to be an sstable)",
        ),
        (lambda folder: (folder / "model.ckpt-6.index").unlink(), "it names none that is there"),
        (lambda folder: (folder / "model.ckpt-6.data-00000-of-00001").unlink(), "model.ckpt-6.data-00000-of-00001"),
    ],
    ids=["short data", "short index", "no index", "no data"],
)
def test_goes_on_from_the_newest_that_can_be_read_and_says_so(tf, train_dir, spoil, said):
    spoil(train_dir)
    there = {path.name for path in train_dir.iterdir()}
    checkpoint, note = resume.find_readable(train_dir)
    assert checkpoint.name == "model.ckpt-4"
    assert said in note
    assert "going on from the newest that can, model.ckpt-4" in note
    assert {path.name for path in train_dir.iterdir()} == there  # nothing is removed
    state = tf.train.get_checkpoint_state(str(train_dir))
    assert state.model_checkpoint_path == str(train_dir / "model.ckpt-4")
    assert [path.rpartition("-")[2] for path in state.all_model_checkpoint_paths] == ["2", "4"]


@pytest.mark.parametrize("content", [None, b"", b'model_checkpoint_path: "model.c'])
def test_a_checkpoint_file_that_is_missing_or_cut_off_is_written_anew(train_dir, content):
    path = train_dir / "checkpoint"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert resume.find_readable(train_dir)[0].name == "model.ckpt-6"
    assert checkpoint_files.latest_step(train_dir) == 6


def test_a_folder_that_was_copied_names_its_own_checkpoint(tf, train_dir, written):
    """Otherwise TensorFlow goes on from the former place and removes checkpoints there, or finds none."""
    (train_dir / "checkpoint").write_text(f'model_checkpoint_path: "{(written / "model.ckpt-4").as_posix()}"\n')
    checkpoint, note = resume.find_readable(train_dir)
    assert (checkpoint, note) == (train_dir / "model.ckpt-4", "")
    assert tf.train.latest_checkpoint(train_dir) == str(train_dir / "model.ckpt-4")


def test_a_user_may_name_an_earlier_one(train_dir):
    (train_dir / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-2"\n', encoding="utf-8")
    assert resume.find_readable(train_dir)[0].name == "model.ckpt-2"


def test_where_none_can_be_read_nothing_is_started_anew_in_silence(train_dir):
    for path in train_dir.glob("*.index"):
        truncate(path)
    with pytest.raises(DataError, match="nor can any other checkpoint"):
        resume.find_readable(train_dir)


def test_a_first_checkpoint_that_was_not_finished_does_not_count(train_dir):
    for path in train_dir.iterdir():
        if path.name != "model.ckpt-2.index":
            path.unlink()
    truncate(train_dir / "model.ckpt-2.index")
    checkpoint, note = resume.find_readable(train_dir)
    assert checkpoint is None
    assert "starting from the beginning" in note


def test_what_a_killed_run_was_writing_is_removed_and_nothing_else(train_dir):
    half = train_dir / "model.ckpt-8_temp_0123456789abcdef0123456789abcdef"
    half.mkdir()
    (half / "part-00000-of-00001.index").write_bytes(b"")
    (train_dir / "model.ckpt-8_template").mkdir()
    resume.find_readable(train_dir)
    assert not half.exists()
    assert (train_dir / "model.ckpt-8_template").exists()


def test_a_replica_that_does_not_save_leaves_the_folder_alone(train_dir):
    truncate(train_dir / "model.ckpt-6.index")
    before = (train_dir / "checkpoint").read_bytes()
    assert resume.find_readable(train_dir, repair=False)[0].name == "model.ckpt-6"
    assert (train_dir / "checkpoint").read_bytes() == before


def test_no_folder_has_none(tmp_path):
    assert resume.find_readable(tmp_path / "none") == (None, "")
