"""Makes a pipeline config for a data set out of one of configs/, so that none need be edited by hand.

In:   a base config, the records for training and testing with the manifests that generate_tfrecord.py wrote beside
      them, and a label map (by default the one that the manifest names).
Out:  a complete config: classes, paths and counts from the data, whatever is given here from here, all else from the
      base. It begins with what it was made of and each value that differs. Paths have / everywhere and are relative to
      the repository root where they lie in it.

What train.py and eval.py would refuse is refused here, in the same words, and then no config is written. Records and
checkpoints on a bucket (gs://...) are named in the config and not looked at, since they may not be there yet.

  python scripts/make_config.py --base_config configs/ssd_mobilenet_v1_multi.config --output_config runs/mine.config
  python scripts/make_config.py --num_steps 3000 --batch_size 8 --input_size 512 --fit_anchors
  python scripts/make_config.py --fine_tune_checkpoint mobilenet_v1_1.0_224
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import _init_paths  # noqa: F401
from google.protobuf import text_format
from google.protobuf.message import Message

from scripts.lib.checkpoints import checkpoint_files, pretrained
from scripts.lib.config import checks, override, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import WARNING, Finding, UsageError
from scripts.lib.dataset import label_map
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import tf_record

HEAD = "# Made by scripts/make_config.py"
FROM_SCRATCH = "none"
FEW_IMAGES = 1000  # for training; the base for fewer is another one


class Record(NamedTuple):
    """A record as a config needs it.

    Attributes:
        path: its file or the pattern of its shards.
        manifest: None where it has none, or lies elsewhere (gs://).
        examples: how many it holds, or None where that cannot be seen from here.
    """

    path: str
    manifest: dict | None
    examples: int | None

    def __str__(self) -> str:
        boxes = f", {self.manifest['boxes']:,} boxes" if self.manifest else ""
        return f"{portable(self.path)} ({self.examples:,} images{boxes})" if self.examples is not None else self.path


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    train, test = find_record(args.train_record), find_record(args.test_record)
    base_config = args.base_config or base_for(train)
    base = pipeline_config.read(base_config)
    base_findings = checks.check_trainable(base, base_config)
    checks.raise_errors(base_findings, f"{files.shown_path(args.output_config)} was not written")
    label_map_path = find_label_map(args.label_map, train)

    config = type(base).FromString(base.SerializeToString())
    fill_in_data(config, train, test, label_map_path)
    apply_flags(config, args)
    check(config, args.output_config, train)
    fit = fit_anchors(config, train) if args.fit_anchors else ""

    changes = differences(base, config)
    print("\n".join([f"{files.shown_path(base_config)}, with", *(f"  {change}" for change in changes)]))
    if fit:
        print(fit)
    print(passes(config, train))
    command = f"python scripts/make_config.py {shlex.join(argv if argv is not None else sys.argv[1:])}"
    with files.atomic_write(args.output_config, "w") as file:
        file.write(header(base_config, f"{train} and {test}", command, changes))
        file.write(text_format.MessageToString(with_portable_paths(config), as_utf8=True))
    print(f"Wrote {files.shown_path(args.output_config)}")
    return 0


# -------------------------------------------------------------------------------------------------------- what is given


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    paths = parser.add_argument_group("paths")
    paths.add_argument(
        "--base_config",
        type=local_path,
        help="what is not given here comes from there; default: configs/ssd_mobilenet_v1_small_data.config for fewer "
        f"than {FEW_IMAGES:,} images, else configs/ssd_mobilenet_v1_multi.config",
    )
    paths.add_argument("--train_record", default=files.default_path("data/train.record"), help="or pattern of shards")
    paths.add_argument("--test_record", default=files.default_path("data/test.record"), help="or pattern of shards")
    paths.add_argument("--label_map", metavar="PBTXT", help="default: the one that the training record was made with")
    paths.add_argument(
        "--output_config",
        type=files.path_of,
        default=files.default_path("runs/pipeline.config"),
        help="config to write",
    )

    training = parser.add_argument_group("training; default: as the base config")
    training.add_argument("--batch_size", type=command_line.positive_int, metavar="N", help="images a step")
    training.add_argument(
        "--num_steps",
        type=command_line.positive_int,
        metavar="N",
        help="steps to train; a learning rate schedule that ends with the training is stretched along",
    )
    training.add_argument(
        "--fine_tune_checkpoint",
        metavar="CHECKPOINT",
        help="what to start from: a model of download_model.py by its name, a checkpoint's prefix or folder, or "
        f"'{FROM_SCRATCH}'",
    )
    training.add_argument(
        "--fine_tune_checkpoint_type",
        choices=("detection", "classification"),
        help="a whole detector or a backbone; default: as the checkpoint's variables are called",
    )

    model = parser.add_argument_group("model; default: as the base config")
    model.add_argument(
        "--input_size",
        type=input_size,
        metavar="N or NxM",
        help="pixels: side, or WIDTHxHEIGHT; where the aspect ratio is kept: the shorter side, or SHORTERxLONGEST",
    )
    model.add_argument(
        "--fit_anchors",
        action="store_true",
        help="choose scales and aspect ratios of the anchors by k-means on the training record's boxes",
    )
    args = parser.parse_args(argv)
    if args.fine_tune_checkpoint_type and args.fine_tune_checkpoint in (None, FROM_SCRATCH):
        raise UsageError("--fine_tune_checkpoint_type goes with a --fine_tune_checkpoint")
    command_line.check_output("output_config", args.output_config, HEAD.encode(), "config of this script")
    return args


def input_size(text: str) -> tuple[int, int | None]:
    """An argparse type: "320" or "512x384"."""
    match = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    sizes = [int(number) for number in match.groups() if number] if match else []
    if not sizes or not all(32 <= size <= 4096 for size in sizes):
        raise argparse.ArgumentTypeError(f"{text} is not a size such as 320 or 512x384, from 32 to 4096 pixels")
    return sizes[0], sizes[1] if len(sizes) > 1 else None


def find_record(path: Path | str) -> Record:
    """A record of the command line, all shards of it where its manifest says that there are several.

    Raises:
        UsageError: there is no such record.
        DataError: it is damaged.
    """
    if files.is_url(path):
        return Record(str(path), None, None)
    manifest = record_manifest.read(path)
    if manifest:
        path = record_manifest.path_of(path).with_name(manifest["input_path"])
    path = absolute(path)
    return Record(path, manifest, tf_record.count_records(path))


def base_for(train: Record) -> Path:
    """The base config for a data set of this size."""
    few = train.examples is not None and train.examples < FEW_IMAGES
    return files.default_path(f"configs/ssd_mobilenet_v1_{'small_data' if few else 'multi'}.config")


def find_label_map(given: str | None, train: Record) -> str:
    """The label map's path; without one given, that of the training record's manifest."""
    path = given
    if path is None:
        try:
            path = train.manifest["inputs"]["label_map"]["path"]
        except (TypeError, KeyError):
            message = f"{portable(train.path)} has no manifest that names its label map"
            raise UsageError(f"{message}; give --label_map") from None
    if files.is_url(path):
        return path
    resolved = Path(pipeline_config.resolve_path(Path(path).as_posix()))
    if given is None and not resolved.is_file():
        message = f"{portable(train.path)} was made with the label map {path}, which is not there"
        raise UsageError(f"{message}; give --label_map")
    return absolute(resolved)


def find_checkpoint(given: str) -> str:
    """The prefix that --fine_tune_checkpoint means.

    Raises:
        UsageError: there is no such checkpoint; names those that are there.
    """
    if model := pretrained.of_name(given):
        return (pretrained.FOLDER / model.name / model.checkpoint).as_posix()
    if files.is_url(given):
        return given
    return pipeline_config.resolve_path(checkpoint_files.find(pipeline_config.resolve_path(given.replace("\\", "/"))))


# ------------------------------------------------------------------------------------------------- the config's content


def fill_in_data(config: Message, train: Record, test: Record, label_map_path: str) -> None:
    """Classes, paths and counts."""
    getattr(config.model, config.model.WhichOneof("model")).num_classes = len(label_map.read(label_map_path))
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


def apply_flags(config: Message, args: argparse.Namespace) -> None:
    """What the command line says."""
    if args.batch_size:
        config.train_config.batch_size = args.batch_size
    if args.num_steps:
        override.set_num_steps(config, args.num_steps)
    if args.input_size:
        override.set_input_size(config, *args.input_size)
    if args.fine_tune_checkpoint:
        start_from(config.train_config, args.fine_tune_checkpoint, args.fine_tune_checkpoint_type)


def start_from(train_config: Message, checkpoint: str, kind: str | None) -> None:
    """Has the training start from a checkpoint, or from scratch."""
    for name in ("", "_type", "_version"):
        train_config.ClearField(f"fine_tune_checkpoint{name}")
    train_config.ClearField("from_detection_checkpoint")  # the former spelling of the type
    train_config.ClearField("load_all_detection_checkpoint_vars")
    if checkpoint == FROM_SCRATCH:
        return
    prefix = find_checkpoint(checkpoint)
    if kind is None and (model := pretrained.of_checkpoint(prefix)):
        kind = model.fine_tune_checkpoint_type
    elif kind is None and files.is_url(prefix):
        raise UsageError(f"give --fine_tune_checkpoint_type: {prefix} is not looked into")
    elif kind is None:
        kind = "detection" if checkpoint_files.holds_detector(prefix) else "classification"
    train_config.fine_tune_checkpoint, train_config.fine_tune_checkpoint_type = prefix, kind
    if kind == "detection":  # the box predictor, too; of the classes' heads only what has the same shape
        train_config.load_all_detection_checkpoint_vars = True


def fit_anchors(config: Message, train: Record) -> str:
    """Fits the anchors to the training record's boxes; returns what that brought, as a sentence."""
    from scripts.lib.config import anchor_fitting

    if files.is_url(train.path):
        raise UsageError(f"--fit_anchors reads the boxes of local records, not of {train.path}")
    fit = anchor_fitting.fit(config, *anchor_fitting.read_boxes(train.path, train.examples))
    if fit.fitted == fit.former:
        return f"Anchors: those of the base config fit as well, with a mean best IoU of {fit.former:.3f}; they stay."
    return (
        f"Anchors: mean best IoU {fit.former:.3f} before, {fit.fitted:.3f} after; boxes with an anchor of IoU "
        f"{anchor_fitting.MATCHED} or more: {fit.former_matched:.1%} before, {fit.fitted_matched:.1%} after."
    )


def check(config: Message, output: Path, train: Record) -> None:
    """Raises DataError for what train.py and eval.py would refuse; prints what is odd."""
    findings = checks.check_training(config, output, on_buckets=False)
    findings += checks.check_evaluation(config, output, on_buckets=False)
    classes = train.manifest["classes"] if train.manifest else {}
    for name, entry in classes.items():
        if not entry.get("boxes", 1):
            message, remedy = f"holds no object of the class {name}, which will not be learnt", "see split_dataset.py"
            findings.append(Finding(WARNING, "class-missing", portable(train.path), message, f"{remedy} --stratify"))
    checks.raise_errors(findings, f"{files.shown_path(output)} was not written")


# ------------------------------------------------------------------------------------------------------ how it is shown


def absolute(path: Path | str) -> str:
    return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100  resolve() would follow links


def portable(path: str) -> str:
    """A path as configs spell it: relative to the repository root where it lies in it, which is looked up there."""
    if files.is_url(path) or not Path(path).is_absolute():
        return path
    path, root = Path(path), files.REPOSITORY_ROOT
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def with_portable_paths(config: Message) -> Message:
    config = type(config).FromString(config.SerializeToString())
    if config.train_config.fine_tune_checkpoint:
        config.train_config.fine_tune_checkpoint = portable(config.train_config.fine_tune_checkpoint)
    for reader in pipeline_config.input_readers(config):
        reader.label_map_path = portable(reader.label_map_path)
        paths = reader.tf_record_input_reader.input_path
        paths[:] = map(portable, paths)
    return config


def differences(base: Message, config: Message) -> list[str]:
    """E.g. "train_config.batch_size: 24 -> 8", in the order of the fields."""
    former, made = (dict(values(with_portable_paths(message))) for message in (base, config))
    names = [*made, *(name for name in former if name not in made)]
    return [
        f"{name}: {former.get(name, 'not set')} -> {made.get(name, 'not set')}"
        for name in names
        if former.get(name) != made.get(name)
    ]


def values(message: Message, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The fields that are set in a message and in those within it, with their path, and their values as text."""
    for field, value in message.ListFields():
        name = prefix + field.name
        if field.message_type is None:
            text = text_format.MessageToString(type(message)(**{field.name: value}), as_utf8=True, as_one_line=True)
            yield name, text.replace(f"{field.name}: ", "")
        elif isinstance(value, Message):
            yield from values(value, f"{name}.")
        else:
            for index, item in enumerate(value):
                yield from values(item, f"{name}[{index}].")


def passes(config: Message, train: Record) -> str:
    """How often the training sees its images."""
    num_steps, batch_size = config.train_config.num_steps, config.train_config.batch_size
    seen = num_steps * batch_size
    each = f": each of the {train.examples:,} images {seen / train.examples:,.1f} times" if train.examples else ""
    return f"{num_steps:,} steps of {batch_size} image{'s' * (batch_size > 1)}{each}."


def header(base: Path, data: str, command: str, changes: Sequence[str]) -> str:
    """The comment that the config begins with: what it was made of, and what its base says of itself."""
    base_name = portable(absolute(base))
    lines = [f"{HEAD} from {base_name},", f"# for {data}:", "#", f"#   {command}"]
    lines += ["#", "# What differs from there:", *(f"# - {change}" for change in changes)]
    base_lines = base.read_text(encoding="utf-8-sig").splitlines()
    if former := list(itertools.takewhile(lambda line: line.startswith("#"), base_lines)):
        lines += ["#", f"# What {base_name} says of itself:"]
        lines += [f"#   {line.removeprefix('#').strip()}".rstrip() for line in former]
    # A file name may hold a line break, which would end the comment.
    return "".join(f"{' '.join(line.splitlines())}\n" for line in lines)


if __name__ == "__main__":
    command_line.run(main)
