"""The manifest of a record: `<record>.json` beside it says what the record holds and from what it was made.

It is the last file that appears. Training and evaluation check it (`check`), so that a half-replaced set of shards, or
a record of another label map, is noticed before the first step.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import IO

from scripts.lib.core import files, json_text
from scripts.lib.core.errors import ERROR, WARNING, Finding
from scripts.lib.records import tf_record

VERSION = 1
_SHAPE = {
    "version": int,
    "examples": int,
    "images?": int,
    "boxes": int,
    "shards": [{"file": str, "bytes": int}],
    "classes": {str: {"id": int, "boxes": int}},
}
HEAD = b'{\n  "version": '  # what the file begins with
HASH_DIGITS = 16  # of an image's SHA-256 that are kept: enough to tell images of one name apart
_LIBRARIES = ("pillow", "simplejpeg", "protobuf", "google-crc32c")


def path_of(record: Path | str) -> Path:
    """Return data/train.record.json for data/train.record, for one of its shards, and for their pattern."""
    base = tf_record.base_path(record)
    return base.with_name(f"{base.name}.json")


def text(content: dict) -> str:
    """Return the manifest's JSON; the same content gives the same text."""
    versions = {"python": platform.python_version(), **{name: metadata.version(name) for name in _LIBRARIES}}
    return json.dumps({"version": VERSION, **content, "versions": versions}, indent=2, ensure_ascii=False) + "\n"


def read(record: Path | str) -> dict | None:
    """Return the manifest of a record, or None where it has none (records of other tools) or it cannot be read."""
    try:
        return parsed(files.read_bytes(path_of(record)))
    except OSError:
        return None


def image_hashes(record: Path | str) -> dict[str, str] | None:
    """Return image name -> `HASH_DIGITS` of the SHA-256 of its file, or None where no manifest states them."""
    try:
        return dict(read(record)["inputs"]["images"]["files"])
    except (KeyError, TypeError, ValueError):
        return None


def parsed(text: bytes) -> dict | None:
    """Return the content of a manifest file, or None if it is another file or of another version."""
    try:
        content = json_text.parse(text, _SHAPE)
    except ValueError:
        return None
    return content if content["version"] == VERSION else None


def check(record: Path | str, class_ids: dict[str, int] | None = None) -> list[Finding]:
    """Compare a record (a path, or the pattern of its shards) with its manifest and the label map about to be used."""
    manifest = read(record)
    if manifest is None:
        return []
    again, findings, shown = "make the record again with generate_tfrecord.py", [], files.shown_path(record)
    for shard in manifest["shards"]:
        path = path_of(record).with_name(shard["file"])
        size = path.stat().st_size if path.is_file() else None
        if size != shard["bytes"]:
            what = "is missing" if size is None else f"has {size} bytes"
            message = f"the file {what}; its manifest says {shard['bytes']} bytes"
            findings.append(Finding(ERROR, "record-manifest", files.shown_path(path), message, again))
    if class_ids is not None:
        recorded = {name: entry["id"] for name, entry in manifest["classes"].items()}
        differing = [name for name in recorded if recorded[name] != class_ids.get(name)]
        if differing:
            message = "was made with another label map: " + ", ".join(
                f"{name} is {recorded[name]} in the record, {class_ids.get(name, 'missing')} now" for name in differing
            )
            findings.append(Finding(ERROR, "record-label-map", shown, message, again))
    if manifest["examples"] and not manifest["boxes"]:
        findings.append(Finding(WARNING, "record-no-object", shown, "holds no object", "check the labels CSV"))
    return findings


@contextlib.contextmanager
def whole_record(path: Path, num_shards: int) -> Iterator[tuple[tf_record.ShardWriter, IO[str]]]:
    """Open a record's files and its manifest, which appear together when the block ends without an error.

    A process that is killed leaves the old record, the new one, or a set that a reader sees to be incomplete: manifest
    and shards of an earlier run go first, the manifest comes last.
    """
    shards = tf_record.shard_paths(path, num_shards)
    with contextlib.ExitStack() as stack:  # leaves in the opposite order: the manifest, entered first, appears last
        manifest = stack.enter_context(files.atomic_write(path_of(path), "w"))
        opened = [stack.enter_context(files.atomic_write(shard)) for shard in shards]
        yield tf_record.ShardWriter(opened), manifest
        for file in (*opened, manifest):  # a full disk shows now, before anything is removed
            file.flush()
            os.fsync(file.fileno())
        _remove_earlier(path, shards)


def _remove_earlier(path: Path, shards: Sequence[Path]) -> None:
    """Remove the manifest and the shards of an earlier run with this output path, which would mix with the new ones.

    A record in one file stays until the new one takes its place at one stroke.
    """
    former = read(path)
    files.remove(files.followed(path_of(path)))
    earlier = {path.with_name(Path(shard["file"]).name) for shard in former["shards"]} if former else set()
    for shard in earlier.union(shards):
        if tf_record.base_path(shard) == path and shards != [shard]:
            files.remove(files.followed(shard))
