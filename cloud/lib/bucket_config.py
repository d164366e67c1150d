"""A pipeline config whose files are on a bucket: where each file goes, and what is missing there.

A file has the same path below the bucket as below the repository: data/train.record is gs://BUCKET/data/train.record.
"""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable, Sequence
from pathlib import Path

from cloud.lib import bucket
from cloud.lib.bucket import PREFIX
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, pipeline_config
from scripts.lib.config.pipeline_config import Message
from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, Finding
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import tf_record

PLACEHOLDER = f"{PREFIX}YOUR_BUCKET"  # in configs/ssd_mobilenet_v1_gcs.config
TRAIN, EVAL = "train_input_reader", "eval_input_reader"
UPLOAD = "upload it with: python cloud/submit.py upload, with the same --bucket and --config"
CHECKPOINT = "fine_tune_checkpoint"


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
    stored = bucket.listing(patterns.values())
    for address, field in named.items():
        found = fnmatch.filter(stored, patterns[address])
        if field == CHECKPOINT:
            found = {address, f"{address}.index"} & set(found)
        if not found:
            findings.append(_error(path, f"{field}: there is no {address}", UPLOAD))
    return list(dict.fromkeys(findings))


def _error(path: Path | str, message: str, remedy: str) -> Finding:
    return Finding(ERROR, "bucket", files.shown_path(path), message, remedy)


def checkpoint_steps(train_dir: str) -> list[int]:
    """Return the steps of the checkpoints in a folder on a bucket, ascending."""
    found = bucket.listing([f"{train_dir}/model.ckpt-*.index"])
    return sorted(checkpoint_files.step_of(address.removesuffix(".index")) or 0 for address in found)
