"""Addresses and files on a bucket, by `gcloud storage`; the files of a pipeline config there.

A file has the same path below the bucket as below the repository: data/train.record is gs://BUCKET/data/train.record.
"""

from __future__ import annotations

import argparse
import base64
import copy
import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cloud.lib import gcloud
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, pipeline_config
from scripts.lib.config.pipeline_config import Message
from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, Finding
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import tf_record

PREFIX = "gs://"
PLACEHOLDER = f"{PREFIX}YOUR_BUCKET"  # in configs/ssd_mobilenet_v1_gcs.config
TRAIN, EVAL = "train_input_reader", "eval_input_reader"
UPLOAD = "upload it with: python cloud/submit.py upload, with the same --bucket and --pipeline_config_path"
CHECKPOINT = "fine_tune_checkpoint"


def bucket_name(text: str) -> str:
    """An argparse type: the name of a bucket, also as gs://NAME/."""
    name = text.removeprefix(PREFIX).rstrip("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", name):
        expected = "expected 3 to 222 lower-case letters, digits, -, _ and dots"
        raise argparse.ArgumentTypeError(f"{text!r} is not a bucket name: {expected}")
    return name


def address(text: str) -> str:
    """An argparse type: an address on a bucket, without a slash at its end."""
    if not re.fullmatch(r"gs://[^/]+/.*[^/]/*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address on a bucket: expected gs://BUCKET/NAME")
    return text.rstrip("/")


def check_location(name: str, region: str) -> list[str]:
    """Return a sentence if jobs of a region cannot use the bucket."""
    described = gcloud.run_json({"location": str}, "storage", "buckets", "describe", f"{PREFIX}{name}")
    location = described["location"].lower()
    if location == region:
        return []
    found = f"the bucket {PREFIX}{name} is in {location}, but the job would run in {region}"
    return [f"{found} and read from far away in every step; give the bucket's --region, or a bucket in {region}"]


def listing(patterns: Iterable[str], limit: int | None = None) -> dict[str, str | None]:
    """Return the files that addresses with * and ? match, at most `limit`: address -> CRC-32C in base64, if known."""
    flags = [f"--limit={limit}"] if limit else []
    patterns = sorted(set(patterns))
    shape = [{"bucket": str, "name": str, "crc32c_hash?": (str, type(None))}]
    entries = gcloud.run_json(shape, "storage", "objects", "list", *patterns, *flags) if patterns else []
    return {f"{PREFIX}{entry['bucket']}/{entry['name']}": entry.get("crc32c_hash") for entry in entries}


def crc32c(path: Path) -> str:
    """Return a local file's CRC-32C as a bucket spells it: base64 of the big-endian number."""
    import google_crc32c

    checksum = google_crc32c.Checksum()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            checksum.update(chunk)
    return base64.b64encode(checksum.digest()).decode()


def checkpoint_steps(train_dir: str) -> list[int]:
    """Return the steps of the checkpoints in a folder on a bucket, ascending."""
    found = listing([f"{train_dir}/model.ckpt-*.index"])
    return sorted(checkpoint_files.step_of(address.removesuffix(".index")) or 0 for address in found)


def on_bucket(config: Message, name: str) -> Message:
    """Return a copy of the config with its files on the bucket; files of other buckets stay there.

    A local file from outside the repository goes to data/FOLDER/NAME.
    """

    def address(path: str) -> str:
        if path.startswith(f"{PLACEHOLDER}/"):
            return f"{PREFIX}{name}{path[len(PLACEHOLDER) :]}"
        if files.is_url(path):
            return path
        local = files.REPOSITORY_ROOT / path
        if not local.is_relative_to(files.REPOSITORY_ROOT):
            return f"{PREFIX}{name}/data/{local.parent.name}/{local.name}"
        return f"{PREFIX}{name}/{local.relative_to(files.REPOSITORY_ROOT).as_posix()}"

    return _with_paths(config, address)


def on_disk(config: Message, name: str) -> Message:
    """Return a copy of the config with the files of the bucket below the repository instead."""

    def local(path: str) -> str:
        for prefix in (PLACEHOLDER, f"{PREFIX}{name}"):
            if path.startswith(f"{prefix}/"):
                return (files.REPOSITORY_ROOT / path[len(prefix) + 1 :]).as_posix()
        return path

    return _with_paths(config, local)


def _with_paths(config: Message, change: Callable[[str], str]) -> Message:
    config = copy.deepcopy(config)
    if config.train_config.fine_tune_checkpoint:
        config.train_config.fine_tune_checkpoint = change(config.train_config.fine_tune_checkpoint)
    for reader in pipeline_config.input_readers(config):
        if reader.label_map_path:
            reader.label_map_path = change(reader.label_map_path)
        paths = reader.tf_record_input_reader.input_path
        paths[:] = [change(path) for path in paths]
    return config


def inputs(config: Message, readers: Sequence[str] = (TRAIN, EVAL)) -> dict[str, str]:
    """Return the paths that the readers need, and for TRAIN the fine-tune checkpoint: path -> its field."""
    named: dict[str, str] = {}
    for reader, field in _readers(config, readers):
        named.update((path, field) for path in reader.tf_record_input_reader.input_path if path not in named)
        named.setdefault(reader.label_map_path, f"{field}.label_map_path")
    if TRAIN in readers:
        named.setdefault(config.train_config.fine_tune_checkpoint, CHECKPOINT)
    named.pop("", None)
    return named


def _readers(config: Message, wanted: Sequence[str]) -> list[tuple[Message, str]]:
    names = [TRAIN] * config.HasField(TRAIN) + [EVAL] * len(config.eval_input_reader)
    found = zip(pipeline_config.input_readers(config), names, strict=True)
    return [(reader, name) for reader, name in found if name in wanted]


def uploads(config: Message, name: str) -> dict[Path, str]:
    """Return the files that a config needs on the bucket: local file -> address.

    Raises:
        UsageError, DataError: a record is missing or incomplete.
    """
    local, remote = inputs(on_disk(config, name)), inputs(on_bucket(config, name))
    found: dict[Path, str] = {}
    for path, address in zip(local, remote, strict=True):
        if not files.is_url(path):  # else it is on another bucket already
            folder = address.rpartition("/")[0]
            found.update((file, f"{folder}/{file.name}") for file in _files(Path(path), local[path]))
    return found


def _files(path: Path, field: str) -> list[Path]:
    if field == CHECKPOINT:
        return sorted(path.parent.glob(f"{path.name}.*")) or [path]
    if field.endswith("label_map_path"):
        return [path]
    manifest = record_manifest.path_of(path)
    return [*tf_record.matching_files(path), *([manifest] if manifest.is_file() else [])]


def check(config: Message, path: Path, readers: Sequence[str]) -> list[Finding]:
    """Return what is missing on the bucket; `submit.py upload` checks what is in the files.

    Args:
        config: with its files on the bucket.
        path: the config's file, for the findings.
        readers: the readers that the job needs, TRAIN or EVAL; TRAIN also needs the fine-tune checkpoint.
    """
    needed = _readers(config, readers)
    absent = [name for name in readers if name not in {field for _, field in needed}]
    findings = [_error(path, f"has no {name}", "see the configs in configs/") for name in absent]
    for reader, field in needed:
        findings += checks.check_input(config, reader, field, path, on_buckets=False)  # fields that are empty
    named = inputs(config, readers)
    patterns = {each: f"{each}*" if field == CHECKPOINT else each for each, field in named.items()}
    stored = listing(patterns.values())
    for address, field in named.items():
        found = fnmatch.filter(stored, patterns[address])
        if field == CHECKPOINT:
            found = {address, f"{address}.index"} & set(found)
        if not found:
            findings.append(_error(path, f"{field}: there is no {address}", UPLOAD))
    return list(dict.fromkeys(findings))


def _error(path: Path | str, message: str, remedy: str) -> Finding:
    return Finding(ERROR, "bucket", files.shown_path(path), message, remedy)
