"""Pipeline configs of the Object Detection API: reading, resolving their paths, and checking them without TensorFlow.

Format: object_detection/protos/pipeline.proto (TrainEvalPipelineConfig), in text form.
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import Message

from scripts.lib.checkpoints import checkpoint_files, pretrained
from scripts.lib.config import memory
from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, WARNING, DataError, Finding, UsageError, errors
from scripts.lib.dataset import label_map
from scripts.lib.object_detection_api import protos
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import tf_record

_PATH_FIELD = re.compile(r'\b((?:input_path|label_map_path|fine_tune_checkpoint)\s*:\s*)("[^"\n]*"|\'[^\'\n]*\')')


# ---------------------------------------------------------------------------------------------------------- reading


def read(path: Path | str) -> Message:
    """Reads a pipeline config and resolves its paths.

    Raises:
        UsageError: there is no such file.
        DataError: it does not parse; the line is named.
    """
    config = _parse(path, protos.load("pipeline").TrainEvalPipelineConfig())
    _resolve_paths(config)
    return config


def read_parts(
    model: Path | str = "",
    train_config: Path | str = "",
    train_input: Path | str = "",
    eval_config: Path | str = "",
    eval_input: Path | str = "",
) -> Message:
    """Reads the separate files that the API's flags `--model_config_path` etc. name into one pipeline config."""
    config = protos.load("pipeline").TrainEvalPipelineConfig()
    if model:
        _parse(model, config.model)
    if train_config:
        _parse(train_config, config.train_config)
    if train_input:
        _parse(train_input, config.train_input_reader)
    if eval_config:
        _parse(eval_config, config.eval_config)
    if eval_input:
        _parse(eval_input, config.eval_input_reader.add())
    _resolve_paths(config)
    return config


def _parse(path: Path | str, message: Message) -> Message:
    path = files.path_of(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"there is no config {files.shown_path(path)}") from None
    except UnicodeDecodeError as error:
        raise DataError([_finding(path, f"is not UTF-8 (byte {error.start})", "save it as UTF-8")]) from error
    # A Windows path in a text proto is a string with escapes: C:\train would hold a tab. Paths are read with `/`.
    text = _PATH_FIELD.sub(lambda match: match[1] + match[2].replace("\\\\", "/").replace("\\", "/"), text)
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        reason = str(error).split(" : ", 1)[-1].strip()
        raise DataError([_finding(path, reason, "see the configs in configs/", line=error.GetLine())]) from error


def _resolve_paths(config: Message) -> None:
    """Makes every path of the config one that the API finds: as given from the current folder, else from the root."""
    if config.train_config.fine_tune_checkpoint:
        config.train_config.fine_tune_checkpoint = resolve_path(
            config.train_config.fine_tune_checkpoint, checkpoint_files.exists
        )
    for reader in input_readers(config):
        if reader.label_map_path:
            reader.label_map_path = resolve_path(reader.label_map_path)
        paths = reader.tf_record_input_reader.input_path
        paths[:] = [resolve_path(path, record_exists) for path in paths]


def resolve_path(path: str, exists=lambda candidate: Path(candidate).exists()) -> str:
    """A config's path as the API can open it from any folder, with `/`; `gs://` and the like stay as they are."""
    if is_remote(path) or Path(path).is_absolute():
        return path
    for folder in (Path.cwd(), files.REPOSITORY_ROOT):
        if exists((folder / path).as_posix()):
            return (folder / path).as_posix()
    return path


def record_exists(pattern: str) -> bool:
    """Whether a record, or any shard of one, is there."""
    try:
        return bool(tf_record.matching_files(pattern))
    except UsageError:
        return False
    except DataError:  # some shards are missing, which the checks report
        return True


def is_remote(path: str) -> bool:
    return "://" in path


def input_readers(config: Message) -> list[Message]:
    """The readers that the config has, for training first."""
    train = [config.train_input_reader] if config.HasField("train_input_reader") else []
    return train + list(config.eval_input_reader)


# ---------------------------------------------------------------------------------------------------------- changing


def override_num_steps(config: Message, num_steps: int) -> None:
    """Sets the number of training steps; a learning rate schedule that ended with the training still does."""
    former = config.train_config.num_steps
    config.train_config.num_steps = num_steps
    optimizer = config.train_config.optimizer
    learning_rate = getattr(optimizer, optimizer.WhichOneof("optimizer")).learning_rate
    kind = learning_rate.WhichOneof("learning_rate")
    if kind == "cosine_decay_learning_rate":
        schedule = learning_rate.cosine_decay_learning_rate
        if schedule.total_steps == former:
            schedule.total_steps = num_steps
            schedule.warmup_steps = min(schedule.warmup_steps, num_steps // 2)
    elif kind == "manual_step_learning_rate":
        schedule = learning_rate.manual_step_learning_rate.schedule
        if schedule and former and schedule[-1].step < former:
            earlier = 0
            for item in schedule:  # the API takes them in strictly rising order alone
                item.step = earlier = max(round(item.step * num_steps / former), earlier + 1)


def image_resizer(config: Message) -> Message:
    """The message of the resizer's kind, e.g. a FixedShapeResizer."""
    resizer = getattr(config.model, config.model.WhichOneof("model")).image_resizer
    return getattr(resizer, resizer.WhichOneof("image_resizer_oneof") or "fixed_shape_resizer")


def override_input_size(config: Message, first: int, second: int | None = None) -> None:
    """Sets the size that images are resized to.

    Args:
        config: the pipeline config.
        first, second: width and height, or, where the aspect ratio is kept, the shorter side and the most of the longer
            one. Without the second it is a square, or the longer side grows with the shorter.

    Raises:
        UsageError: the config's resizer has no such size.
    """
    resizer = image_resizer(config)
    kind = resizer.DESCRIPTOR.name
    if kind == "FixedShapeResizer":
        resizer.width, resizer.height = first, second or first
    elif kind == "KeepAspectRatioResizer":
        longest = second or round(resizer.max_dimension * first / resizer.min_dimension)
        if longest < first:
            raise UsageError(f"the input size {first}x{second} has a longer side below the shorter one")
        resizer.min_dimension, resizer.max_dimension = first, longest
    else:
        raise UsageError(f"the input size cannot be set: the config resizes images by its {kind}")


def count_eval_examples(config: Message, reader: Message) -> None:
    """Fills in `eval_config.num_examples` where the config leaves it out: every image once.

    The API would take its default of 5,000 and go round the record as often as that needs.
    """
    if not config.eval_config.HasField("num_examples"):
        config.eval_config.num_examples = sum(map(count_examples, reader.tf_record_input_reader.input_path))


def count_examples(record: str) -> int:
    """How many examples a record holds; on a bucket its manifest says it, so that it need not be read for that.

    Raises:
        UsageError: there is no such record.
        DataError: it is damaged.
    """
    manifest = record_manifest.read(record) if is_remote(record) else None
    if manifest and tf_record.matching_files(record) and not record_manifest.check(record):
        return manifest["examples"]
    return tf_record.count_records(record)


@contextlib.contextmanager
def written(config: Message) -> Iterator[Path]:
    """The config as a file for the API's entry points, which copy it into the folder of their results."""
    with tempfile.TemporaryDirectory(prefix="pipeline_config_") as folder:
        path = Path(folder) / "pipeline.config"
        path.write_text(text_format.MessageToString(config, as_utf8=True), encoding="utf-8")
        yield path


# ---------------------------------------------------------------------------------------------------------- checking


def num_classes(config: Message) -> int:
    return getattr(config.model, config.model.WhichOneof("model")).num_classes


def check_model(config: Message, path: Path | str) -> list[Finding]:
    if config.model.WhichOneof("model") is None:
        return [_finding(path, "has no model", "see the configs in configs/")]
    return []


def check_trainable(config: Message, path: Path | str) -> list[Finding]:
    """Whether the config says what to train and how, whatever the data."""
    findings = check_model(config, path)
    if not config.train_config.optimizer.WhichOneof("optimizer"):
        findings.append(_finding(path, "train_config has no optimizer", "see the configs in configs/"))
    return findings


def check_training(config: Message, path: Path | str, on_buckets: bool = True) -> list[Finding]:
    """What would stop the training, or let it learn the wrong thing, hours later.

    Args:
        config: the pipeline config.
        path: its file, for the findings.
        on_buckets: look at files on a bucket, too, for which TensorFlow is imported; False: nothing is said of them.
    """
    findings = check_trainable(config, path)
    checkpoint = config.train_config.fine_tune_checkpoint
    if checkpoint and (on_buckets or not is_remote(checkpoint)):
        findings += check_checkpoint(checkpoint, path)
    if not config.HasField("train_input_reader"):
        return [*findings, _finding(path, "has no train_input_reader", "see the configs in configs/")]
    findings += check_input(config, config.train_input_reader, "train_input_reader", path, on_buckets)
    if not errors(findings):
        findings += check_batch(config, path)
        if not any(map(is_remote, config.train_input_reader.tf_record_input_reader.input_path)):
            findings += memory.check(config, path)
    return findings


def check_batch(config: Message, path: Path | str) -> list[Finding]:
    """Warns of images of different shapes that the trainer would have to put into one batch, where it stops."""
    resizer = getattr(config.model, config.model.WhichOneof("model")).image_resizer
    keep = resizer.keep_aspect_ratio_resizer
    batch_size = config.train_config.batch_size
    if batch_size == 1 or not resizer.HasField("keep_aspect_ratio_resizer") or keep.pad_to_max_dimension:
        return []
    message = f"batch_size is {batch_size}, yet keep_aspect_ratio_resizer gives images shapes that no batch can hold"
    return [_finding(path, message, "write batch_size: 1, or pad_to_max_dimension: true in the resizer", WARNING)]


def check_checkpoint(prefix: str, path: Path | str) -> list[Finding]:
    """Checks that a fine-tune checkpoint is there and, if it was downloaded, still the same."""
    if checkpoint_files.exists(prefix):
        return [] if is_remote(prefix) else pretrained.check(Path(prefix).parent, Path(prefix).name)
    model = pretrained.of_checkpoint(prefix)
    get = f"run python scripts/download_model.py {model.name}" if model else "name it without .index and .data"
    message = f"fine_tune_checkpoint: there is no checkpoint {prefix!r}"
    scratch = "make_config.py --fine_tune_checkpoint none leaves it out, to train from scratch"
    return [_finding(path, message, f"{get}; {scratch}")]


def check_evaluation(
    config: Message, path: Path | str, reader: Message | None = None, on_buckets: bool = True
) -> list[Finding]:
    """What would make the evaluation fail, hang, or measure something else.

    Args:
        config: the pipeline config.
        path: its file, for the findings.
        reader: the input that is evaluated; None: the config's own.
        on_buckets: as in `check_training`.
    """
    findings = check_model(config, path)
    if reader is None:
        if not config.eval_input_reader:
            return [*findings, _finding(path, "has no eval_input_reader", "see the configs in configs/")]
        reader = config.eval_input_reader[0]
    input_findings = check_input(config, reader, "eval_input_reader", path, on_buckets)
    findings += input_findings
    paths = reader.tf_record_input_reader.input_path
    is_counted = on_buckets or not any(map(is_remote, paths))
    if config.eval_config.HasField("num_examples") and is_counted and not errors(input_findings):
        findings += check_num_examples(config, sum(map(count_examples, paths)), path)
    if not errors(findings) and not any(map(is_remote, paths)):
        findings += memory.check_evaluation(reader, path)
    return findings


def check_num_examples(config: Message, found: int, path: Path | str) -> list[Finding]:
    """Compares eval_config.num_examples, where it is given, with the number of images in the records."""
    stated = config.eval_config.num_examples
    if not config.eval_config.HasField("num_examples") or stated == found:
        return []
    what_happens = "some images would count twice" if stated > found else "some images would never be seen"
    message = f"eval_config.num_examples is {stated}, yet the record holds {found} images: {what_happens}"
    remedy = f"write num_examples: {found}, or remove the line and all images are evaluated once"
    return [_finding(path, message, remedy)]


def check_input(
    config: Message, reader: Message, field: str, path: Path | str, on_buckets: bool = True
) -> list[Finding]:
    """Checks the label map and the records of one input reader."""
    looks_at_map = on_buckets or not is_remote(reader.label_map_path)
    findings = check_label_map(config, reader.label_map_path, path, field) if looks_at_map else []
    class_ids = _class_ids(reader.label_map_path) if looks_at_map and reader.label_map_path else None
    paths = list(reader.tf_record_input_reader.input_path)
    if not paths:
        message = f"{field} has no tf_record_input_reader.input_path"
        findings.append(_finding(path, message, "see the configs in configs/"))
    for name in paths:
        if on_buckets or not is_remote(name):
            findings += _check_record(name, field, path, class_ids)
    return findings


def _class_ids(label_map_path: str) -> dict[str, int] | None:
    """The label map's classes, or None where it cannot be read here, which `check_label_map` reports."""
    try:
        return label_map.read(label_map_path)
    except (UsageError, DataError):
        return None


def label_map_path(config: Message) -> str:
    """The label map of the first input reader that names one, or an empty string."""
    return next((reader.label_map_path for reader in input_readers(config) if reader.label_map_path), "")


def check_label_map(config: Message, label_map_path: str, path: Path | str, field: str = "") -> list[Finding]:
    """Checks that a label map can be read and has as many classes as the model."""
    place = f"{field}.label_map_path" if field else "label_map_path"
    if not label_map_path:
        return [_finding(path, f"{place} is missing", "see the configs in configs/")]
    try:
        classes = label_map.read(label_map_path)
    except UsageError:
        remedy = "give a path from the repository root, the current folder, or an absolute one"
        return [_finding(path, f"{place}: there is no file {label_map_path!r}", remedy)]
    except DataError as error:
        return error.findings
    if config.model.WhichOneof("model") and num_classes(config) != len(classes):
        message = f"num_classes is {num_classes(config)}, yet {label_map_path} holds {len(classes)} classes"
        return [_finding(path, message, f"write num_classes: {len(classes)}, or name the right label map")]
    return []


def _check_record(name: str, field: str, path: Path | str, class_ids: dict[str, int] | None) -> list[Finding]:
    """Checks a record, and that it is still what its manifest, if it has one, says of it.

    Of one on a bucket the sizes of the files are enough: reading it to its end would take longer than its training does
    to start.
    """
    try:
        if is_remote(name):
            count = sum(file.stat().st_size for file in tf_record.matching_files(name))
        else:
            count = tf_record.count_records(name)
    except UsageError:
        return [_finding(path, f"{field}: there is no record {name!r}", "make it with generate_tfrecord.py")]
    except DataError as error:
        return error.findings
    if count == 0:
        return [_finding(path, f"{field}: the record {name!r} is empty", "make it again with generate_tfrecord.py")]
    return record_manifest.check(name, class_ids)


def raise_errors(findings: Iterable[Finding], consequence: str) -> None:
    """Raises DataError where a finding is an error; warnings alone are printed."""
    findings = list(dict.fromkeys(findings))  # train and eval reader often share a label map: say it once
    if errors(findings):
        raise DataError(findings, consequence)
    for finding in findings:
        print(finding, file=sys.stderr)


def _finding(path: Path | str, message: str, remedy: str, severity: str = ERROR, line: int | None = None) -> Finding:
    return Finding(severity, "pipeline-config", files.shown_path(path), message, remedy, line=line)
