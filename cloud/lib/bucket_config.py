"""A pipeline config whose files lie on a bucket: which file goes where, and whether all of them are there.

Below the bucket everything has the path that it has below the repository's root: data/train.record is
gs://BUCKET/data/train.record.
"""

from __future__ import annotations

import copy
import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cloud.lib import bucket
from cloud.lib.bucket import PREFIX, Object
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, pipeline_config
from scripts.lib.config.pipeline_config import Message
from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, DataError, Finding
from scripts.lib.dataset import label_map
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import tf_record

PLACEHOLDER = f"{PREFIX}YOUR_BUCKET"  # in configs/ssd_mobilenet_v1_gcs.config
TRAIN, EVAL = "train_input_reader", "eval_input_reader"


def on_bucket(config: Message, name: str) -> Message:
    """A copy of the config with all of its files on the bucket; files of other buckets stay there."""

    def address(path: str) -> str:
        if path.startswith(f"{PLACEHOLDER}/"):
            return f"{PREFIX}{name}{path[len(PLACEHOLDER) :]}"
        return path if files.is_url(path) else f"{PREFIX}{name}/{_place(Path(path))}"

    return _with_paths(config, address)


def on_disk(config: Message, name: str) -> Message:
    """A copy of the config with its files below the repository's root instead of on the bucket."""

    def local(path: str) -> str:
        for prefix in (PLACEHOLDER, f"{PREFIX}{name}"):
            if path.startswith(f"{prefix}/"):
                return (files.REPOSITORY_ROOT / path[len(prefix) + 1 :]).as_posix()
        return path

    return _with_paths(config, local)


def _place(path: Path) -> str:
    """Where a local file goes below the bucket; one from elsewhere goes to data/, with the folder that it is in."""
    if path.is_absolute() and not path.is_relative_to(files.REPOSITORY_ROOT):
        return f"data/{path.parent.name}/{path.name}"
    return path.relative_to(files.REPOSITORY_ROOT).as_posix() if path.is_absolute() else path.as_posix()


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
    """The paths in a config -> the field that names them, each once.

    Args:
        config: a pipeline config.
        readers: those that count; the fine-tune checkpoint belongs to the training's.
    """
    named: dict[str, str] = {}
    for reader, field in _readers(config, readers):
        named.update((path, field) for path in reader.tf_record_input_reader.input_path if path not in named)
        named.setdefault(reader.label_map_path, f"{field}.label_map_path")
    if TRAIN in readers:
        named.setdefault(config.train_config.fine_tune_checkpoint, "fine_tune_checkpoint")
    named.pop("", None)
    return named


def _readers(config: Message, wanted: Sequence[str]) -> list[tuple[Message, str]]:
    names = [TRAIN] * config.HasField(TRAIN) + [EVAL] * len(config.eval_input_reader)
    found = zip(pipeline_config.input_readers(config), names, strict=True)
    return [(reader, name) for reader, name in found if name in wanted]


def uploads(config: Message, name: str) -> dict[Path, str]:
    """What has to be on the bucket for a config: local file -> address.

    Raises:
        UsageError, DataError: a record or a checkpoint is not there, or not whole.
    """
    local, remote = inputs(on_disk(config, name)), inputs(on_bucket(config, name))
    found: dict[Path, str] = {}
    for path, address in zip(local, remote, strict=True):
        if files.is_url(path):
            continue  # of another bucket: it is there already
        folder = address.rpartition("/")[0]
        found.update((file, f"{folder}/{file.name}") for file in _files(path, local[path]))
    return found


def _files(path: str, field: str) -> list[Path]:
    if field == "fine_tune_checkpoint":
        checkpoint = Path(path)
        return sorted(checkpoint.parent.glob(f"{checkpoint.name}.*")) or [checkpoint]
    if field.endswith("label_map_path"):
        return [Path(path)]
    manifest = record_manifest.path_of(path)
    return [*tf_record.matching_files(path), *([manifest] if manifest.is_file() else [])]


# ---------------------------------------------------------------------------------------------------------- checking


def check(config: Message, path: Path, readers: tuple[str, ...]) -> list[Finding]:
    """What is missing on the bucket, or does not fit together there.

    Args:
        config: with its files on the bucket.
        path: the config's file, for the findings.
        readers: the readers that are needed, TRAIN or EVAL; a fine-tune checkpoint is needed for the former.
    """
    named = inputs(config, readers)
    checkpoint = config.train_config.fine_tune_checkpoint if TRAIN in readers else ""
    named.pop(checkpoint, None)
    records = [address for address, field in named.items() if field in readers]
    manifests = {record: _manifest(record) for record in records}
    there = bucket.listing([*named, *manifests.values(), *([f"{checkpoint}*"] if checkpoint else [])])
    shards = {record: bucket.matching(there, record) for record in records}
    contents = _read_all([name for name in (*named, *manifests.values()) if name in there and name not in shards])

    needed = _readers(config, readers)
    fields = {field for _, field in needed}
    findings = [
        _error(path, f"has no {reader}", "see the configs in configs/") for reader in readers if reader not in fields
    ]
    for address, field in named.items():
        if not shards.get(address, address in there):
            findings.append(_missing(path, field, address))
    if checkpoint and not {checkpoint, f"{checkpoint}.index"} & set(there):
        findings.append(_missing(path, "fine_tune_checkpoint", checkpoint))
    for reader, field in needed:
        findings += checks.check_input(config, reader, field, path, on_buckets=False)  # what names nothing
        if reader.label_map_path in there:
            text = contents[reader.label_map_path]
            class_ids, more = _check_label_map(config, reader.label_map_path, text, path, field)
            findings += more
            for record in reader.tf_record_input_reader.input_path:
                if shards[record] and manifests[record] in there:
                    findings += _check_record(record, contents[manifests[record]], there, class_ids)
    for record, found in shards.items():
        if found and not sum(there[shard].size for shard in found):
            message = f"{named[record]}: the record {record!r} is empty"
            findings.append(_error(path, message, "make it again with generate_tfrecord.py"))
    if EVAL in fields:
        evaluated = config.eval_input_reader[0].tf_record_input_reader.input_path
        parsed = [record_manifest.parsed(contents.get(manifests[record], b"")) for record in evaluated]
        if parsed and all(parsed):
            findings += checks.check_num_examples(config, sum(each["examples"] for each in parsed), path)
    return list(dict.fromkeys(findings))


def _manifest(record: str) -> str:
    folder, _, name = record.rpartition("/")
    return f"{folder}/{record_manifest.path_of(name).name}"


def _read_all(addresses: Sequence[str]) -> dict[str, bytes]:
    """The content of small files, read side by side: gcloud takes a second a file."""
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(addresses, pool.map(bucket.read, addresses), strict=True))


def _check_record(
    record: str, manifest: bytes, there: Mapping[str, Object], class_ids: dict[str, int] | None
) -> list[Finding]:
    content = record_manifest.parsed(manifest)
    if content is None:
        return []
    folder = record.rpartition("/")[0]
    sizes = {address.removeprefix(f"{folder}/"): each.size for address, each in there.items()}
    findings = record_manifest.compare(content, record, folder, sizes, class_ids)
    if not content["examples"]:
        findings.append(_error(record, "is empty", "make it again with generate_tfrecord.py"))
    return findings


def _check_label_map(
    config: Message, address: str, text: bytes, path: Path, field: str
) -> tuple[dict[str, int] | None, list[Finding]]:
    """The classes of a label map on the bucket, or None, and what is wrong with it; findings name the original."""
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "label_map.pbtxt"
        local.write_bytes(text)
        findings = checks.check_label_map(config, local.as_posix(), path, field)
        try:
            class_ids = label_map.read(local)
        except DataError:
            class_ids = None
        shown = files.shown_path(local)
        return class_ids, [
            dataclasses.replace(
                finding,
                file=finding.file.replace(shown, address),
                message=finding.message.replace(local.as_posix(), address),
            )
            for finding in findings
        ]


def _missing(path: Path, field: str, address: str) -> Finding:
    remedy = "upload it with: python cloud/submit.py upload, with the same --bucket and --config"
    return _error(path, f"{field}: there is no {address}", remedy)


def _error(path: Path | str, message: str, remedy: str) -> Finding:
    return Finding(ERROR, "bucket", files.shown_path(path), message, remedy)


def latest_checkpoint(train_dir: str) -> str | None:
    """The checkpoint with the highest step in a folder on a bucket, without suffix, or None."""
    found = [address.removesuffix(".index") for address in bucket.listing([f"{train_dir}/model.ckpt-*.index"])]
    return max(found, key=lambda prefix: checkpoint_files.step_of(prefix) or 0, default=None)
