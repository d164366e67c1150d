"""Make a pipeline config for a data set out of a base config, and describe what differs."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from google.protobuf import text_format
from google.protobuf.message import Message

from scripts.lib.checkpoints import checkpoint_files, pretrained
from scripts.lib.config import checks, override, pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import WARNING, Finding, UsageError, errors
from scripts.lib.core.wording import counted
from scripts.lib.dataset import label_map
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import tf_record

HEAD = "# Made by scripts/make_config.py"
FROM_SCRATCH = "none"


class DataRecord(NamedTuple):
    """A record, or the pattern of its shards; on a bucket it is not read: neither manifest nor number of examples."""

    path: str
    manifest: dict | None
    examples: int | None

    @property
    def images(self) -> int | None:
        """Number of images, each counted once; `generate_tfrecord.py --oversample` repeats some."""
        return (self.manifest or {}).get("images", self.examples)

    def __str__(self) -> str:
        if self.examples is None:
            return self.path
        repeated = f" in {self.examples:,} examples" if self.images != self.examples else ""
        boxes = f", {counted(self.manifest['boxes'], 'box')}" if self.manifest else ""
        return f"{_portable(self.path)} ({counted(self.images, 'image')}{repeated}{boxes})"


def find_record(path: Path | str) -> DataRecord:
    """Return a record, with all of its shards where its manifest says that there are several.

    Raises:
        UsageError: there is no such record.
        DataError: it is damaged.
    """
    if files.is_url(path):
        return DataRecord(str(path), None, None)
    manifest = record_manifest.read(path)
    if manifest:
        path = record_manifest.path_of(path).with_name(manifest["input_path"])
    path = _absolute(path)
    return DataRecord(path, manifest, tf_record.count_records(path))


def find_label_map(given: str | None, train: DataRecord) -> str:
    """Return the label map's path; without a given one, that of the training record's manifest."""
    path, lacks = given, f"{_portable(train.path)} names no label map that is there; give --label_map"
    if path is None:
        try:
            path = train.manifest["inputs"]["label_map"]["path"]
        except (TypeError, KeyError):
            raise UsageError(lacks) from None
    if files.is_url(path):
        return path
    resolved = Path(pipeline_config.resolve_path(Path(path).as_posix()))
    if given is None and not resolved.is_file():
        raise UsageError(f"{lacks} (it was made with {path})")
    return _absolute(resolved)


def best_base(paths: Sequence[Path], checkpoint: str | None = None) -> tuple[Path, list[str]]:
    """Choose a base config by the checkpoint that it starts from.

    Args:
        paths: base configs, the best first; the last one is for those who have no network.
        checkpoint: as for `start_from`; None: the base's own.

    Returns:
        The first whose checkpoint is there, or that starts from the given pre-trained model; else the last one. And a
        sentence on each better one, with the command that fetches its checkpoint.
    """
    starts = {path: pipeline_config.read(path).train_config.fine_tune_checkpoint for path in paths}
    if checkpoint:
        wanted = pretrained.of_name(checkpoint)
        made_for = (path for path, prefix in starts.items() if wanted and pretrained.of_checkpoint(prefix) == wanted)
        return next(made_for, paths[-1]), []
    chosen = next((path for path, prefix in starts.items() if checkpoint_files.exists(prefix)), paths[-1])
    better = paths[: paths.index(chosen)]
    return chosen, [
        f"{files.shown_path(path)} would be the better start, but {_portable(starts[path])} is not here: "
        f"python scripts/download_model.py {Path(starts[path]).parent.name} fetches it, then run this command again"
        for path in better
    ]


def fill_in_data(config: Message, train: DataRecord, test: DataRecord, label_map_path: str) -> None:
    """Set classes, paths and counts."""
    pipeline_config.detector(config).num_classes = max(label_map.read(label_map_path).values())
    if not config.eval_input_reader:
        config.eval_input_reader.add(shuffle=False, num_readers=1)
    del config.eval_input_reader[1:]
    for reader, record in ((config.train_input_reader, train), (config.eval_input_reader[0], test)):
        reader.label_map_path = label_map_path
        reader.tf_record_input_reader.input_path[:] = [record.path]
    if test.examples is None:
        config.eval_config.ClearField("num_examples")
    else:
        config.eval_config.num_examples = test.examples


def see_images_often(config: Message, train: DataRecord, passes: int) -> None:
    """Raise the number of steps where the training would see each image less often than `passes` times."""
    steps = math.ceil(passes * (train.images or 0) / config.train_config.batch_size)
    if steps > config.train_config.num_steps > 0:  # 0: without end
        override.set_num_steps(config, steps)


def start_from(train_config: Message, checkpoint: str, kind: str | None) -> None:
    """Let the training start from a checkpoint, or from scratch.

    `checkpoint` is a model of download_model.py by its name, a checkpoint's prefix or folder, or `FROM_SCRATCH`; `kind`
    "detection", "classification", or None: as the checkpoint's variables are called.

    Raises:
        UsageError: there is no such checkpoint; names those that are there.
    """
    for name in ("fine_tune_checkpoint", "fine_tune_checkpoint_type", "fine_tune_checkpoint_version"):
        train_config.ClearField(name)
    train_config.ClearField("from_detection_checkpoint")  # the former spelling of the type
    train_config.ClearField("load_all_detection_checkpoint_vars")
    if checkpoint == FROM_SCRATCH:
        return
    if model := pretrained.of_name(checkpoint):
        prefix = (pretrained.FOLDER / model.name / model.checkpoint).as_posix()
    elif files.is_url(checkpoint):
        prefix = checkpoint
    else:
        path = pipeline_config.resolve_path(checkpoint.replace("\\", "/"))
        prefix = pipeline_config.resolve_path(checkpoint_files.find(path))
    if kind is None and (model := pretrained.of_checkpoint(prefix)):
        kind = model.fine_tune_checkpoint_type
    elif kind is None and files.is_url(prefix):
        raise UsageError(f"give --fine_tune_checkpoint_type: the variables of {prefix} are not read")
    elif kind is None:
        kind = "detection" if checkpoint_files.holds_detector(prefix) else "classification"
    train_config.fine_tune_checkpoint, train_config.fine_tune_checkpoint_type = prefix, kind
    if kind == "detection":  # the box predictor, too; of the classes' heads only what has the same shape
        train_config.load_all_detection_checkpoint_vars = True


def check(config: Message, path: Path, train: DataRecord) -> list[Finding]:
    """Return what train.py and eval.py would refuse, and a warning for each class without objects."""
    findings = checks.check_training(config, path, on_buckets=False)
    findings += checks.check_evaluation(config, path, on_buckets=False)
    reads = config.train_input_reader.label_map_path
    if (
        config.train_config.fine_tune_checkpoint_type != "detection"
        and not errors(findings)
        and not files.is_url(reads)
    ):
        gaps = label_map.gaps(label_map.read(reads), _portable(reads))  # no model with these ids is gone on from
        findings += [dataclasses.replace(one, severity=WARNING) for one in gaps]
    for name, entry in (train.manifest["classes"] if train.manifest else {}).items():
        if not entry.get("boxes", 1):
            message, remedy = f"holds no object of the class {name}, which will not be learnt", "see split_dataset.py"
            findings.append(Finding(WARNING, "class-missing", _portable(train.path), message, f"{remedy} --stratify"))
    return findings


def differences(base: Message, config: Message) -> list[str]:
    """Return e.g. "train_config.batch_size: 24 -> 8", in the order of the fields."""
    former, made = (dict(_values(portable_copy(message))) for message in (base, config))
    return [
        f"{name}: {former.get(name, 'not set')} -> {made.get(name, 'not set')}"
        for name in dict.fromkeys([*made, *former])
        if former.get(name) != made.get(name)
    ]


def _values(message: Message, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and value, as text, of the fields that are set in a message and in those within it."""
    for field, value in message.ListFields():
        name = prefix + field.name
        if field.message_type is None:
            text = text_format.MessageToString(type(message)(**{field.name: value}), as_utf8=True, as_one_line=True)
            yield name, text.replace(f"{field.name}: ", "")
        elif isinstance(value, Message):
            yield from _values(value, f"{name}.")
        else:
            for index, item in enumerate(value):
                yield from _values(item, f"{name}[{index}].")


def passes(config: Message, train: DataRecord) -> str:
    """Say how often the training sees its images."""
    num_steps, batch_size = config.train_config.num_steps, config.train_config.batch_size
    one = "image" if train.images == train.examples else "example"
    times = f": each {one} {num_steps * batch_size / train.examples:,.1f} times" if train.examples else ""
    return f"{counted(num_steps, 'step')} with batch size {batch_size}{times}."


def text(config: Message, base_path: Path, data: str, command: str, changes: Sequence[str]) -> str:
    """Return the config file: a comment on what it was made of, and all fields."""
    lines = [f"{HEAD} from {_portable(_absolute(base_path))},", f"# for {data}:", "#", f"#   {command}"]
    lines += ["#", "# What differs from there:", *(f"# - {change}" for change in changes)]
    # A file name may hold a line break, which would end the comment.
    head = "".join(f"{' '.join(line.splitlines())}\n" for line in lines)
    return head + text_format.MessageToString(portable_copy(config), as_utf8=True)


def portable_copy(config: Message) -> Message:
    """Return a copy whose paths are relative to the repository root where they lie in it."""
    config = type(config).FromString(config.SerializeToString())
    if config.train_config.fine_tune_checkpoint:
        config.train_config.fine_tune_checkpoint = _portable(config.train_config.fine_tune_checkpoint)
    for reader in pipeline_config.input_readers(config):
        reader.label_map_path = _portable(reader.label_map_path)
        paths = reader.tf_record_input_reader.input_path
        paths[:] = map(_portable, paths)
    return config


def _portable(path: str) -> str:
    if files.is_url(path) or not Path(path).is_absolute():
        return path
    path, root = Path(path), files.REPOSITORY_ROOT
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _absolute(path: Path | str) -> str:
    return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100  resolve() would follow links
