"""Make a pipeline config for a data set out of one of configs/, so that none has to be edited by hand.

In:   a base config, the records for training and testing with the manifests that generate_tfrecord.py wrote beside
      them, and a label map (by default the one that the manifest names).
Out:  a complete config: classes, paths and counts from the data, what you give as an option, all else from the base.
      It begins with what it was made from and each value that differs. Paths have / everywhere and are relative to the
      repository root where they lie in it.

What train.py and eval.py would refuse is refused here, in the same words, and then no config is written. Records and
checkpoints on a bucket (gs://...) are named in the config and not looked at, since they may not be there yet.

  python scripts/make_config.py --base_config configs/ssd_mobilenet_v1_multi.config --output_config runs/mine.config
  python scripts/make_config.py --num_steps 3000 --batch_size 8 --input_size 512
  python scripts/make_config.py --fine_tune_checkpoint mobilenet_v1_1.0_224
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib.config import api_limits, checks, make, override, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import existing_file, positive_int
from scripts.lib.core.errors import UsageError

FEW_IMAGES = 10_000  # for training: with MIN_PASSES 4.5 hours on one CPU core; the base configs for more need a GPU
MIN_PASSES = 15  # over the images, by default: 800 took more than 7 (model_six_classes/README.md)
# The base configs, the best first: the first whose checkpoint is there is taken.
SMALL, LARGE = ("ssdlite_mobilenet_v2_small_data", "ssd_mobilenet_v1_small_data"), ("ssd_mobilenet_v1_multi",)


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    train, test = make.find_record(args.train_record), make.find_record(args.test_record)
    base_path = args.base_config or default_base(train, args.fine_tune_checkpoint)
    not_written = f"{files.shown_path(args.output_config)} was not written"
    base = pipeline_config.read(base_path)
    checks.raise_errors(checks.check_trainable(base, base_path), not_written)

    config = type(base).FromString(base.SerializeToString())
    make.fill_in_data(config, train, test, make.find_label_map(args.label_map, train))
    if args.batch_size:
        config.train_config.batch_size = args.batch_size
    if args.num_steps:
        override.set_num_steps(config, args.num_steps)
    elif args.base_config is None:
        make.see_images_often(config, train, MIN_PASSES)
    if args.input_size:
        override.set_input_size(config, *args.input_size)
    if args.fine_tune_checkpoint:
        make.start_from(config.train_config, args.fine_tune_checkpoint, args.fine_tune_checkpoint_type)
    checks.raise_errors(make.check(config, args.output_config, train), not_written)

    changes = make.differences(base, config)
    print(f"{files.shown_path(base_path)}, with", *(f"  {change}" for change in changes), sep="\n")
    print(make.passes(config, train))
    command = command_line.shell_text("python", "scripts/make_config.py", *(sys.argv[1:] if argv is None else argv))
    with files.atomic_write(args.output_config, "w") as file:
        file.write(make.text(config, base_path, f"{train} and {test}", command, changes))
    print(f"Wrote {files.shown_path(args.output_config)}")
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    paths = parser.add_argument_group("paths")
    base = f"config to start from (default: {SMALL[0]}.config, from {FEW_IMAGES:,} images on {LARGE[0]}.config)"
    paths.add_argument("--base_config", type=existing_file, help=base)
    train, test = files.default_path("data/train.record"), files.default_path("data/test.record")
    paths.add_argument("--train_record", default=train, help="training record, or the pattern of its shards")
    paths.add_argument("--test_record", default=test, help="test record, or the pattern of its shards")
    label_map = "--label_map", "--label_map_path"
    paths.add_argument(*label_map, metavar="PBTXT", help="label map (default: the training record's)")
    output = files.default_path("runs/pipeline.config")
    paths.add_argument("--output_config", type=files.path_of, default=output, help="config to write")

    training = parser.add_argument_group("training (default: as in the base config)")
    training.add_argument("--batch_size", type=positive_int, help="images per step")
    num_steps = "--num_steps", "--num_train_steps", "--steps"
    steps = f"training steps (without --base_config, by default at least {MIN_PASSES} passes over the images)"
    training.add_argument(*num_steps, type=positive_int, help=steps)
    checkpoint = f"pre-trained model of download_model.py, checkpoint, its folder, or '{make.FROM_SCRATCH}'"
    training.add_argument("--fine_tune_checkpoint", metavar="CHECKPOINT", help=checkpoint)
    kind = {"choices": api_limits.FINE_TUNE_TYPES, "help": "its kind (default: found out from it)"}
    training.add_argument("--fine_tune_checkpoint_type", **kind)

    model = parser.add_argument_group("model (default: as in the base config)")
    size = "pixels: side, or WIDTHxHEIGHT; where the aspect ratio is kept: shorter side, or SHORTERxLONGEST"
    model.add_argument("--input_size", type=input_size, metavar="N|NxM", help=size)
    args = parser.parse_args(argv)
    if args.fine_tune_checkpoint_type and args.fine_tune_checkpoint in (None, make.FROM_SCRATCH):
        raise UsageError("--fine_tune_checkpoint_type goes with a --fine_tune_checkpoint")
    command_line.check_output("output_config", args.output_config, make.HEAD.encode(), "config of this script")
    return args


def input_size(text: str) -> tuple[int, int | None]:
    """An argparse type: "320" or "512x384"."""
    match = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    sizes = [int(number) for number in match.groups() if number] if match else []
    if not sizes or not all(32 <= size <= 4096 for size in sizes):
        raise argparse.ArgumentTypeError(f"{text} is not a size such as 320 or 512x384, from 32 to 4096 pixels")
    return sizes[0], sizes[1] if len(sizes) > 1 else None


def default_base(train: make.DataRecord, checkpoint: str | None = None) -> Path:
    """Return the base config for a data set of this size; print what a better one needs."""
    few = train.images is not None and train.images < FEW_IMAGES
    paths = [files.default_path(f"configs/{name}.config") for name in (SMALL if few else LARGE)]
    base, better = make.best_base(paths, checkpoint)
    print(*better, sep="\n", end="\n" * bool(better))
    return base


if __name__ == "__main__":
    command_line.run(main)
