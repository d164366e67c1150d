"""The options of a record, shared by generate_tfrecord.py and cloud/generate_tfrecord_beam.py."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from scripts.lib.core.command_line import positive_int, share

AUTOMATIC = -1.0  # value of --oversample without a number


@dataclasses.dataclass(frozen=True)
class RecordOptions:
    """Where a record comes from and what goes into it: the values of the flags; paths may be addresses in a bucket."""

    csv_input: Path | str
    label_map: Path | str
    image_dir: Path | str
    output_path: Path | str
    num_shards: int
    skip_invalid: bool
    trust_images: bool
    max_image_side: int | None  # in pixels
    oversample: float | None  # threshold of repeat factor sampling, or `AUTOMATIC`: 1 / number of classes
    keep_label_ids: bool = False  # accept a label map whose ids have gaps
    num_workers: int = 1  # threads


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of what goes into a record."""
    content = parser.add_argument_group("content")
    content.add_argument("--skip_invalid", action="store_true", help="list images with errors, and leave them out")
    content.add_argument("--trust_images", action="store_true", help="do not decode images that look fine")
    content.add_argument(
        "--max_image_side", type=positive_int, metavar="PIXELS", help="shrink images with a longer side"
    )
    keep = "accept a label map whose ids have gaps, to fine-tune a model that was trained with it"
    content.add_argument("--keep_label_ids", action="store_true", help=keep)
    oversample = "repeat images of rare classes (repeat factor sampling); without SHARE: 1 / number of classes"
    content.add_argument("--oversample", type=share, nargs="?", const=AUTOMATIC, metavar="SHARE", help=oversample)
