"""The options of a record, shared by generate_tfrecord.py and cloud/generate_tfrecord_beam.py."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from scripts.lib.core.command_line import positive_int

AUTOMATIC = -1.0  # value of --oversample without a number


@dataclasses.dataclass(frozen=True)
class RecordOptions:
    """Where a record comes from and what goes into it; each field is the value of the flag of its name.

    Attributes:
        csv_input, label_map, image_dir, output_path: paths, or addresses in a bucket.
        num_shards: the number of files that the record is spread over.
        skip_invalid: leave images with errors out.
        trust_images: store images that look fine without decoding their pixels.
        max_image_side: shrink images whose longer side has more pixels; None: none.
        oversample: threshold of repeat factor sampling, `AUTOMATIC`: 1 / number of classes; None: no oversampling.
        num_workers: threads.
    """

    csv_input: Path | str
    label_map: Path | str
    image_dir: Path | str
    output_path: Path | str
    num_shards: int
    skip_invalid: bool
    trust_images: bool
    max_image_side: int | None
    oversample: float | None
    num_workers: int = 1


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of what goes into a record."""
    content = parser.add_argument_group("content")
    content.add_argument("--skip_invalid", action="store_true", help="leave images with errors out and list them")
    content.add_argument("--trust_images", action="store_true", help="do not decode images that look fine")
    content.add_argument("--max_image_side", type=positive_int, metavar="PIXELS", help="shrink larger images")
    content.add_argument(
        "--oversample",
        type=share,
        nargs="?",
        const=AUTOMATIC,
        metavar="SHARE",
        help="record images of classes that fewer than this share of the images show more than once (repeat factor "
        "sampling); without a number: 1 / number of classes",
    )


def share(text: str) -> float:
    """An argparse type: a share of the images."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


def shard_count(text: str) -> int:
    """An argparse type: a number of files, at most as many as the five digits in their names can count."""
    value = positive_int(text)
    if value > 99999:
        raise argparse.ArgumentTypeError(f"{text} is more than 99999")
    return value
