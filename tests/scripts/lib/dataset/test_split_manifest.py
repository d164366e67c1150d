"""CSVs of a split, held against its manifest."""

from __future__ import annotations

import json

import pytest

from scripts.lib.core import files
from scripts.lib.dataset import labels_csv, split_manifest
from scripts.lib.dataset.labels_csv import LabelRow


def write(path, *images):
    labels_csv.write_rows([LabelRow(f"{image}.jpg", 9, 9, "Tops", 0, 0, 9, 9) for image in images], path)


@pytest.fixture
def folder(tmp_path):
    """Two CSVs in folders of their own, and the manifest, whose paths start elsewhere."""
    write(tmp_path / "train" / "labels.csv", 1, 2, 3)
    write(tmp_path / "test" / "held_out.csv", 4)
    entry = {"train_csv": "data/train/labels.csv", "test_csv": "data/test/held_out.csv"}
    entry |= {"train_sha256": files.sha256(tmp_path / "train/labels.csv")}
    entry |= {"test_sha256": files.sha256(tmp_path / "test/held_out.csv")}
    content = {"input_csv": "data/labels.csv", "command": "python split_dataset.py --seed 5", "splits": [entry]}
    (tmp_path / "train" / "split.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def check(folder):
    path = folder / "train" / "labels.csv"
    return [(one.severity, one.message, one.remedy) for one in split_manifest.check(path, files.sha256(path))]


def test_a_split_as_it_was_written_passes(folder):
    assert check(folder) == []


def test_case_21_shared_images_are_an_error_with_the_command(folder):
    write(folder / "test" / "held_out.csv", 3, 4)
    ((severity, message, remedy),) = check(folder)
    assert severity == "error" and message.startswith("1 of its 3 images are in ")
    assert remedy == "split again: python split_dataset.py --seed 5"


def test_a_csv_that_was_edited_is_a_warning(folder):
    write(folder / "train" / "labels.csv", 1, 2)
    ((severity, message, _),) = check(folder)
    assert severity == "warning" and "no image in common" in message


def test_a_manifest_of_an_earlier_version_without_hashes_is_no_reason_to_warn(folder):
    manifest = folder / "train" / "split.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["splits"] = [{side: path for side, path in content["splits"][0].items() if side.endswith("csv")}]
    manifest.write_text(json.dumps(content), encoding="utf-8")
    assert check(folder) == []
    write(folder / "test" / "held_out.csv", 3, 4)
    assert [severity for severity, _, _ in check(folder)] == ["error"]


def test_csvs_on_two_drives_are_found_by_their_own_paths(folder, monkeypatch):
    def relpath(path, start):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")  # as on Windows

    monkeypatch.setattr(split_manifest.os.path, "relpath", relpath)
    assert check(folder) == []


@pytest.mark.parametrize(
    "content", [None, "", "{}", '{"splits": [{"train_csv": "a", "test_csv": 3}]}', '{"splits": []}']
)
def test_a_split_of_ones_own_has_no_manifest(folder, content):
    write(folder / "test" / "held_out.csv", 3)
    manifest = folder / "train" / "split.json"
    manifest.unlink()
    if content is not None:
        manifest.write_text(content, encoding="utf-8")
    assert check(folder) == []


def test_the_other_csv_may_be_elsewhere(folder):
    (folder / "test" / "held_out.csv").unlink()
    assert check(folder) == []
