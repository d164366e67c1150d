"""Check a pipeline config, and the files that it names, before hours of training or evaluation depend on them.

Each check returns its findings. It takes a TrainEvalPipelineConfig and its path, which the findings name.
`on_buckets=False` skips files on a bucket (gs://...), for which TensorFlow would be imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.message import Message

from scripts.lib.checkpoints import checkpoint_files, pretrained
from scripts.lib.config import api_limits, memory, pipeline_config
from scripts.lib.config.pipeline_config import SEE_CONFIGS, finding
from scripts.lib.core import command_line
from scripts.lib.core.errors import ERROR, WARNING, DataError, Finding, UsageError, errors
from scripts.lib.core.files import is_url
from scripts.lib.core.wording import counted
from scripts.lib.dataset import label_map
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import record_checks, tf_record


def raise_errors(findings: Iterable[Finding | str], consequence: str) -> None:
    """Raise DataError where a finding is an error, as a plain sentence is; otherwise print the warnings."""
    findings = list(dict.fromkeys(findings))  # train and eval reader often share a label map: say it once
    if any(isinstance(each, str) or each.severity == ERROR for each in findings):
        raise DataError(findings, consequence)
    command_line.print_findings(findings, sys.stderr)


def check_trainable(config: Message, path: Path | str) -> list[Finding]:
    """Check that the config says what to train and how, whatever the data and what may still be set."""
    training = api_limits.check_training(config, path)
    optimizer = [one for one in training if one.message.startswith("train_config.optimizer")]
    return api_limits.check_model(config, path) + optimizer


def check_training(config: Message, path: Path | str, on_buckets: bool = True) -> list[Finding]:
    """Check for what would stop the training, or let it learn the wrong thing."""
    findings = api_limits.check_model(config, path) + api_limits.check_training(config, path)
    checkpoint = config.train_config.fine_tune_checkpoint
    if checkpoint and (on_buckets or not is_url(checkpoint)):
        findings += check_checkpoint(checkpoint, path)
    if not config.HasField("train_input_reader"):
        return [*findings, finding(path, "has no train_input_reader", SEE_CONFIGS)]
    findings += check_input(config, config.train_input_reader, "train_input_reader", path, on_buckets)
    if not errors(findings):
        findings += check_batch(config, path)
        findings += check_frozen(config, path)
        findings += check_apart(config)
        if not any(map(is_url, config.train_input_reader.tf_record_input_reader.input_path)):
            findings += memory.check(config, path)
    return findings


def check_batch(config: Message, path: Path | str) -> list[Finding]:
    """Warn of images of different shapes that the trainer would have to put into one batch, where it stops."""
    resizer = pipeline_config.detector(config).image_resizer
    batch_size = config.train_config.batch_size
    keeps_ratio = resizer.HasField("keep_aspect_ratio_resizer")
    if batch_size == 1 or not keeps_ratio or resizer.keep_aspect_ratio_resizer.pad_to_max_dimension:
        return []
    message = f"batch_size is {batch_size}, but keep_aspect_ratio_resizer gives images shapes that no batch can hold"
    return [finding(path, message, "write batch_size: 1, or pad_to_max_dimension: true in the resizer", WARNING)]


def check_frozen(config: Message, path: Path | str) -> list[Finding]:
    """Warn of layers that are trained in spite of `freeze_batchnorm`, and of layers frozen as they start, at random."""
    train, model = config.train_config, config.model.ssd
    batch_norms = {place: one.batch_norm for place, one in _ssd_hyperparams(model) if one.HasField("batch_norm")}
    trained = [place for place, one in batch_norms.items() if one.train]
    frozen = [f"{place}.batch_norm" for place in batch_norms if place not in trained]
    frozen += ["train_config.freeze_variables"] * bool(train.freeze_variables)
    findings = []
    if model.freeze_batchnorm and trained:  # object_detection/builders/hyperparams_builder.py overrules it
        message = f"model.ssd.freeze_batchnorm does not reach the batch norm of {' and '.join(trained)}"
        findings.append(finding(path, message, "write train: false into batch_norm there", WARNING))
    if frozen and not train.fine_tune_checkpoint:
        message = f"without a fine_tune_checkpoint, what starts at random is frozen by {' and '.join(frozen)}"
        findings.append(finding(path, message, "name a fine_tune_checkpoint, or freeze nothing", WARNING))
    return findings


def _ssd_hyperparams(model: Message) -> Iterator[tuple[str, Message]]:
    """Yield place and message of the hyperparameters of an SSD's layers."""
    yield "feature_extractor.conv_hyperparams", model.feature_extractor.conv_hyperparams
    if predictor := model.box_predictor.WhichOneof("box_predictor_oneof"):
        yield f"box_predictor.{predictor}.conv_hyperparams", getattr(model.box_predictor, predictor).conv_hyperparams


def check_checkpoint(prefix: str, path: Path | str) -> list[Finding]:
    """Check that a fine-tune checkpoint is there, of graph mode, and, if it was downloaded, unchanged since."""
    if "[" in prefix:
        return [finding(path, f"fine_tune_checkpoint: {prefix!r} {checkpoint_files.IS_PATTERN}", "rename the folder")]
    if not is_url(prefix) and checkpoint_files.is_of_tensorflow_2(prefix):
        message = f"train_config.fine_tune_checkpoint: {prefix} {checkpoint_files.OF_TENSORFLOW_2}"
        return [finding(path, *message.split("; "))]
    if checkpoint_files.exists(prefix):
        return [] if is_url(prefix) else pretrained.check(Path(prefix).parent, Path(prefix).name)
    model = pretrained.of_checkpoint(prefix)
    get = f"run python scripts/download_model.py {model.name}" if model else "correct the path"
    message = f"fine_tune_checkpoint: there is no checkpoint {prefix!r}"
    scratch = "make_config.py --fine_tune_checkpoint none leaves it out, to train from scratch"
    return [finding(path, message, f"{get}; {scratch}")]


def check_evaluation(
    config: Message, path: Path | str, reader: Message | None = None, on_buckets: bool = True, builds: bool = True
) -> list[Finding]:
    """Check for what would make the evaluation fail, hang, or measure something else.

    `reader` None: the config's; `builds=False`: the model is exported, and the API does not build it.
    """
    findings = api_limits.check_model(config, path) if builds else []
    if reader is None:
        if not config.eval_input_reader:
            return [*findings, finding(path, "has no eval_input_reader", SEE_CONFIGS)]
        reader = config.eval_input_reader[0]
        findings += check_apart(config)
    if builds:
        findings += api_limits.check_evaluation(config, path, reader)
    input_findings = check_input(config, reader, "eval_input_reader", path, on_buckets)
    findings += input_findings
    paths = reader.tf_record_input_reader.input_path
    is_counted = on_buckets or not any(map(is_url, paths))
    if config.eval_config.HasField("num_examples") and is_counted and not errors(input_findings):
        findings += check_num_examples(config, sum(map(pipeline_config.count_examples, paths)), path)
    if not errors(findings) and not any(map(is_url, paths)):
        findings += memory.check_evaluation(reader, path)
    return findings


def check_apart(config: Message) -> list[Finding]:
    """Check that no image for the evaluation is trained on, unless the config names the same records for both."""
    if not config.eval_input_reader:
        return []
    readers = config.train_input_reader, config.eval_input_reader[0]
    train, test = (list(reader.tf_record_input_reader.input_path) for reader in readers)
    return [] if train == test or any(map(is_url, train + test)) else record_checks.check_apart(train, test)


def check_num_examples(config: Message, found: int, path: Path | str) -> list[Finding]:
    """Compare eval_config.num_examples, where it is given, with the number of images in the records."""
    stated = config.eval_config.num_examples
    if not config.eval_config.HasField("num_examples") or stated == found:
        return []
    effect = "some images would count twice" if stated > found else "some images would never be seen"
    message = f"eval_config.num_examples is {stated}, but the record holds {counted(found, 'image')}: {effect}"
    return [finding(path, message, f"write num_examples: {found}, or remove the line")]


def check_input(
    config: Message, reader: Message, field: str, path: Path | str, on_buckets: bool = True
) -> list[Finding]:
    """Check the label map and the records of one input reader."""
    findings, class_ids = [], None
    if on_buckets or not is_url(reader.label_map_path):
        findings, class_ids = check_label_map(config, reader.label_map_path, path, f"{field}.label_map_path")
    paths = list(reader.tf_record_input_reader.input_path)
    if not paths:
        findings.append(finding(path, f"{field} has no tf_record_input_reader.input_path", SEE_CONFIGS))
    for name in paths:
        if on_buckets or not is_url(name):
            findings += _check_record(name, field, path, reader.label_map_path, class_ids)
    return findings


def check_label_map(
    config: Message, label_map_path: str, path: Path | str, place: str = "label_map_path"
) -> tuple[list[Finding], dict[str, int] | None]:
    """Check that a label map can be read and that the model has its classes; return its classes, too, or None."""
    if not label_map_path:
        return [finding(path, f"{place} is missing", SEE_CONFIGS)], None
    try:
        classes, findings = label_map.inspect(label_map_path)
    except UsageError:
        remedy = "give a path from the repository root, the current folder, or an absolute one"
        return [finding(path, f"{place}: there is no file {label_map_path!r}", remedy)], None
    if errors(findings):
        return findings, None
    highest = max(classes.values())
    model = pipeline_config.detector(config) if config.model.WhichOneof("model") else None
    num_classes = getattr(model, "num_classes", highest)
    if num_classes != highest:  # more than that is right for a model that was trained with more classes
        held = f"holds {counted(highest, 'class')}" if highest == len(classes) else f"has ids up to {highest}"
        message = f"num_classes is {num_classes}, but {label_map_path} {held}"
        severity = ERROR if num_classes < highest else WARNING
        remedy = f"write num_classes: {highest}, or name the right label map"
        findings.append(finding(path, message, remedy, severity))
    return findings, classes


def _check_record(
    name: str, field: str, path: Path | str, label_map_path: str, class_ids: dict[str, int] | None
) -> list[Finding]:
    """Check that a record can be read and fits its manifest; without one, what is in it.

    On a bucket only the sizes of its files are compared.
    """
    if "[" in Path(name).parent.as_posix():
        return [finding(path, f"{field}: the folder of {name!r} {checkpoint_files.IS_PATTERN}", "rename it")]
    try:
        if is_url(name):
            count = sum(file.stat().st_size for file in tf_record.matching_files(name))
        else:
            count = tf_record.count_records(name)
    except UsageError:
        return [finding(path, f"{field}: there is no record {name!r}", "make it with generate_tfrecord.py")]
    except DataError as error:
        return error.findings
    if count == 0:
        return [finding(path, f"{field}: the record {name!r} is empty", "make it again with generate_tfrecord.py")]
    if record_manifest.read(name) is None and not is_url(name):
        return record_checks.check(name, label_map.spellings(label_map_path) if class_ids else None)
    return record_manifest.check(name, class_ids)
