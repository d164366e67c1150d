"""download_model.py: its flags, and what it says."""

from __future__ import annotations

import pytest

from scripts import download_model
from scripts.lib.checkpoints import pretrained
from scripts.lib.core.errors import UsageError
from tests.model_server import ARCHIVE, NAME, SHA256


def test_the_list_names_each_model(capsys):
    assert download_model.main(["--list"]) == 0
    output = capsys.readouterr().out
    assert all(f"{model.name} " in output and model.archive in output for model in pretrained.MODELS)


def test_a_name_is_needed():
    with pytest.raises(UsageError, match="name a model"):
        download_model.main([])


def test_an_archive_at_hand_becomes_a_model_and_its_use_is_said(tmp_path, capsys):
    (tmp_path / "a.tgz").write_bytes(ARCHIVE)
    folder = tmp_path / "pretrained"
    command = [NAME, f"--output_dir={folder}", f"--from={tmp_path / 'a.tgz'}"]
    assert download_model.main(command) == 0
    output = capsys.readouterr().out
    assert SHA256 in output
    assert f'{NAME}/model.ckpt" fine_tune_checkpoint_type: "detection"' in output
    assert download_model.main(command) == 0
    assert "is there already; its files are those of the first use" in capsys.readouterr().out


def test_a_file_that_is_not_a_pin_is_not_overwritten(tmp_path):
    (tmp_path / f"{NAME}.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UsageError, match="exists but is not a pin of a model"):
        download_model.main([NAME, f"--output_dir={tmp_path}"])
