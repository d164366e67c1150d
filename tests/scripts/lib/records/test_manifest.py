"""The manifest of a record."""

from __future__ import annotations

import pytest

from scripts.lib.records import manifest as record_manifest

CONTENT = {
    "examples": 2,
    "boxes": 3,
    "classes": {"Tops": {"id": 1, "boxes": 3, "examples": 2}},
    "shards": [{"file": "a.record", "examples": 2, "bytes": 4}],
}


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "a.record"
    path.write_bytes(b"1234")
    record_manifest.path_of(path).write_text(record_manifest.text(CONTENT), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["a.record", "a.record-00000-of-00002", "a.record-?????-of-00002"])
def test_it_lies_beside_the_record(name):
    assert record_manifest.path_of(f"data/{name}").as_posix() == "data/a.record.json"


def test_it_comes_back_with_versions(record):
    manifest = record_manifest.read(record)
    assert {name: manifest[name] for name in CONTENT} == CONTENT
    assert set(manifest["versions"]) >= {"python", "pillow"}


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        "{",
        '{"version": 0}',
        '{"version": 1}',
        '{"version": 1, "shards": [3], "classes": {}}',
        record_manifest.text({**CONTENT, "classes": []}),
        record_manifest.text({**CONTENT, "shards": [{"file": "a"}]}),
    ],
)
def test_a_record_without_a_readable_manifest_is_not_checked(tmp_path, text):
    if text is not None:
        (tmp_path / "a.record.json").write_text(text)
    assert record_manifest.read(tmp_path / "a.record") is None
    assert record_manifest.check(tmp_path / "a.record", {"Tops": 9}) == []


def test_a_record_as_it_was_written_passes(record):
    assert record_manifest.check(record, {"Tops": 1, "Skirts": 2}) == []


def test_a_changed_or_missing_file_is_an_error(record):
    record.write_bytes(b"12345")
    assert "has 5 bytes; its manifest says 4" in record_manifest.check(record)[0].message
    record.unlink()
    assert "is missing" in record_manifest.check(record)[0].message


@pytest.mark.parametrize(("class_ids", "shown"), [({"Tops": 2}, "Tops is 1 in the record, 2 now"), ({}, "missing now")])
def test_another_label_map_is_an_error(record, class_ids, shown):
    (finding,) = record_manifest.check(record, class_ids)
    assert finding.severity == "error" and shown in finding.message
