"""Finding checkpoints without TensorFlow."""

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
