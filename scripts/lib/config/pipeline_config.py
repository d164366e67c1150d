"""Read pipeline configs of the Object Detection API and resolve the paths in them, without TensorFlow.

Format: object_detection/protos/pipeline.proto (TrainEvalPipelineConfig), in text form.
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import Message

from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, DataError, Finding, UsageError
from scripts.lib.object_detection_api import protos, text_protos
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import tf_record

SEE_CONFIGS = "see the configs in configs/"
_PATH_FIELD = re.compile(r'\b((?:input_path|label_map_path|fine_tune_checkpoint)\s*:\s*)("[^"\n]*"|\'[^\'\n]*\')')


def read(path: Path | str) -> Message:
    """Read a pipeline config and resolve its paths.

    Raises:
        UsageError: there is no such file.
        DataError: it does not parse; line and field are named.
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
    """Read the separate files that the API's flags `--model_config_path` etc. name into one pipeline config."""
    config = protos.load("pipeline").TrainEvalPipelineConfig()
    for path, part in (
        (model, config.model),
        (train_config, config.train_config),
        (train_input, config.train_input_reader),
        (eval_config, config.eval_config),
    ):
        if path:
            _parse(path, part)
    if eval_input:
        _parse(eval_input, config.eval_input_reader.add())
    _resolve_paths(config)
    return config


def _parse(path: Path | str, message: Message) -> Message:
    text = text_protos.read_text(path, text_protos.CONFIG)
    # A Windows path in a text proto is a string with escapes: C:\train would hold a tab. Paths are read with `/`.
    text = _PATH_FIELD.sub(lambda match: match[1] + match[2].replace("\\\\", "/").replace("\\", "/"), text)
    for warning in text_protos.parse(text, message, path, text_protos.CONFIG):
        print(warning, file=sys.stderr)
    return message


def _resolve_paths(config: Message) -> None:
    train = config.train_config
    if named := train.fine_tune_checkpoint:
        resolved = resolve_path(named, lambda path: checkpoint_files.exists(checkpoint_files.prefix_of(path)))
        prefix = checkpoint_files.prefix_of(resolved, look=not files.is_url(resolved))
        train.fine_tune_checkpoint = prefix
        if prefix != resolved:
            print(f"fine_tune_checkpoint: {named} is taken for the checkpoint {files.shown_path(prefix)}", flush=True)
    for reader in input_readers(config):
        if reader.label_map_path:
            reader.label_map_path = resolve_path(reader.label_map_path)
        paths = reader.tf_record_input_reader.input_path
        paths[:] = [resolve_path(path, record_exists) for path in paths]


def resolve_path(path: str, exists=lambda candidate: Path(candidate).exists()) -> str:
    """Return a config's path as the API can open it from any folder, with `/`.

    It is looked for in the current folder, then in the repository root; `gs://` and the like stay as they are.
    """
    if files.is_url(path) or Path(path).is_absolute():
        return path
    for folder in (Path.cwd(), files.REPOSITORY_ROOT):
        if exists((folder / path).as_posix()):
            return (folder / path).as_posix()
    return path


def record_exists(pattern: str) -> bool:
    """Return True where a record, or any shard of one, is there."""
    try:
        return bool(tf_record.matching_files(pattern))
    except UsageError:
        return False
    except DataError:  # some shards are missing, which the checks report
        return True


def input_readers(config: Message) -> list[Message]:
    """Return the input readers that the config has, for training first."""
    train = [config.train_input_reader] if config.HasField("train_input_reader") else []
    return train + list(config.eval_input_reader)


def label_map_path(config: Message) -> str:
    """Return the label map of the first input reader that names one, or an empty string."""
    return next((reader.label_map_path for reader in input_readers(config) if reader.label_map_path), "")


def detector(config: Message) -> Message:
    """Return the message of the model's kind: an Ssd or a FasterRcnn."""
    return getattr(config.model, config.model.WhichOneof("model"))


def count_examples(record: str) -> int:
    """Count the examples of a record; on a bucket its manifest is trusted, so that the record need not be read.

    Raises:
        UsageError: there is no such record.
        DataError: it is damaged.
    """
    manifest = record_manifest.read(record) if files.is_url(record) else None
    if manifest and tf_record.matching_files(record) and not record_manifest.check(record):
        return manifest["examples"]
    return tf_record.count_records(record)


@contextlib.contextmanager
def written(config: Message) -> Iterator[Path]:
    """Write the config to a temporary file, which the API's entry points copy into the folder of their results."""
    with tempfile.TemporaryDirectory(prefix="pipeline_config_") as folder:
        path = Path(folder) / "pipeline.config"
        path.write_text(text_format.MessageToString(config, as_utf8=True), encoding="utf-8")
        yield path


def finding(path: Path | str, message: str, remedy: str, severity: str = ERROR, line: int | None = None) -> Finding:
    """Make a finding about a pipeline config."""
    return Finding(severity, "pipeline-config", files.shown_path(path), message, remedy, line=line)
