"""What generate_tfrecord.py and cloud/generate_tfrecord_beam.py have in common: options, and what a record holds."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import NOTE, DataError, Finding, UsageError, count_by_severity, errors
from scripts.lib.records import make_example, oversampling, tf_record
from scripts.lib.records.make_example import ImageExample, LabelledImage

OPTIONS = ("skip_invalid", "trust_images", "max_image_side", "oversample")
NOTES_SHOWN = 5  # of a kind; a phone's photos are turned by EXIF one and all


def add_options(parser: argparse.ArgumentParser) -> None:
    """The flags of what goes into a record: `OPTIONS`."""
    content = parser.add_argument_group("content")
    content.add_argument("--skip_invalid", action="store_true", help="leave images with errors out and list them")
    content.add_argument(
        "--trust_images", action="store_true", help="store images that look fine without decoding their pixels"
    )
    content.add_argument(
        "--max_image_side", type=int, metavar="PIXELS", help="shrink images whose longer side has more pixels"
    )
    content.add_argument(
        "--oversample",
        type=float,
        nargs="?",
        const=-1.0,
        metavar="SHARE",
        help="record images of classes that fewer than this share of the images show more than once (repeat factor "
        "sampling); without a number: 1 / number of classes",
    )


def check_options(args: argparse.Namespace) -> None:
    """Raises UsageError for a number that makes no sense; num_shards and, where there is one, num_workers included."""
    for name, largest in (("num_shards", 99999), ("num_workers", 1024), ("max_image_side", 2**16)):
        value = getattr(args, name, None)
        if value is not None and not 1 <= value <= largest:
            raise UsageError(f"--{name} is {value}, expected 1 to {largest}")
    if args.oversample is not None and not (0 < args.oversample <= 1 or args.oversample == -1):
        raise UsageError(f"--oversample is {args.oversample:g}, expected a share of the images above 0, up to 1")


def repeat_rare_classes(
    images: Sequence[LabelledImage], class_ids: Mapping[str, int], share: float
) -> list[LabelledImage]:
    """The images, those of rare classes more than once: all of them, then the second copies, and so on.

    Args:
        class_ids: of the label map; images of other classes, which no record holds, have no say in what is rare.
        share: threshold of the repeat factor; -1: 1 / number of classes.
    """
    classes_of_images = [image.class_names for image in images if class_ids.keys() >= set(image.class_names)]
    factors = oversampling.class_factors(classes_of_images, share if share > 0 else 1 / len(class_ids))
    counts = [oversampling.copies(image.filename, image.class_names, factors) for image in images]
    for name, factor in factors.items():
        print(f"oversampling: {name} x{factor:.2f}")
    print(f"oversampling: {len(images)} images, {sum(counts)} with those that are repeated")
    return [
        image
        for copy in range(max(counts, default=1))
        for image, count in zip(images, counts, strict=True)
        if copy < count
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an image: `image_examples.ImageExample` without the image.

    Attributes:
        filename, class_names: of the labels.
        recorded: whether there is an Example.
        findings, sha256: as there.
    """

    filename: str
    class_names: Sequence[str]
    recorded: bool
    findings: list[Finding]
    sha256: bytes

    @classmethod
    def of(cls, made: ImageExample) -> Outcome:
        return cls(made.image.filename, made.image.class_names, made.example is not None, made.findings, made.sha256)


class Content:
    """What a record holds, and what was found on the way."""

    def __init__(self, class_ids: dict[str, int]):
        self.class_ids = class_ids
        self.findings: list[Finding] = []
        self.left_out: list[str] = []
        self.examples = self.negatives = 0
        self.boxes: Counter[str] = Counter()
        self.examples_with: Counter[str] = Counter()
        self.images_sha256 = hashlib.sha256()
        self._seen: set[str] = set()

    def add(self, outcome: Outcome) -> None:
        if outcome.filename not in self._seen:  # a further copy would say the same again
            self._seen.add(outcome.filename)
            self.findings += outcome.findings
            self.images_sha256.update(outcome.sha256)
            if not outcome.recorded:
                self.left_out.append(outcome.filename)
        if outcome.recorded:
            self.examples += 1
            self.negatives += not outcome.class_names
            self.boxes.update(outcome.class_names)
            self.examples_with.update(set(outcome.class_names))

    def check(self, args: argparse.Namespace) -> None:
        """Raises DataError where no record may be written."""
        consequence = f"{files.shown_path(args.output_path)} was not written"
        if errors(self.findings) and not args.skip_invalid:
            raise DataError(self.findings, f"{consequence} (--skip_invalid leaves images with errors out)")
        if not self.examples:
            raise DataError([*self.findings, make_example.nothing_to_record(args.csv_input)], consequence)
        if self.examples < args.num_shards:
            message = f"--num_shards is {args.num_shards}, more than the {self.examples} examples there are"
            raise UsageError(f"{message}; {consequence}")

    def summary(self, args: argparse.Namespace, shards: Iterable[tuple[int, int]], inputs: Mapping[str, bytes]) -> dict:
        """The manifest's content; the same whatever the number of workers.

        Args:
            args: paths and `OPTIONS`.
            shards: number of records and bytes of each file.
            inputs: content of csv_input and label_map.
        """
        name = Path(args.output_path).name
        return {
            "input_path": tf_record.shard_pattern(name, args.num_shards),
            "examples": self.examples,
            "images": len(self._seen) - len(self.left_out),
            "negatives": self.negatives,
            "boxes": self.boxes.total(),
            "classes": {
                name: {"id": class_id, "boxes": self.boxes[name], "examples": self.examples_with[name]}
                for name, class_id in self.class_ids.items()
            },
            "left_out": self.left_out,
            "shards": [
                {"file": path.name, "examples": count, "bytes": size}
                for path, (count, size) in zip(tf_record.shard_paths(name, args.num_shards), shards, strict=True)
            ],
            "options": {option: getattr(args, option) for option in OPTIONS},
            "inputs": {
                **{
                    name: {"path": files.shown_path(getattr(args, name)), "sha256": hashlib.sha256(content).hexdigest()}
                    for name, content in inputs.items()
                },
                "images": {"sha256": self.images_sha256.hexdigest()},
            },
        }

    def report(self, args: argparse.Namespace) -> None:
        for line in _lines(self.findings):
            print(line, file=sys.stderr)
        if self.findings:
            print(f"{count_by_severity(self.findings)}.", file=sys.stderr)
        if self.left_out:
            print(f"left out {len(self.left_out)} images with errors: {', '.join(self.left_out)}")
        width = max(map(len, self.class_ids))
        for name, class_id in self.class_ids.items():
            print(f"{class_id:3} {name:{width}} {self.boxes[name]:6} boxes in {self.examples_with[name]} examples")
        without_objects = f" ({self.negatives} without objects)" if self.negatives else ""
        record = tf_record.shard_pattern(files.shown_path(args.output_path), args.num_shards)
        print(f"{record}: {self.examples} examples{without_objects}, {self.boxes.total()} boxes")


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Errors and warnings each; of the notes of a kind, such as that a photo was turned upright, the first few."""
    notes = Counter()
    for finding in findings:
        if finding.severity == NOTE:
            notes[finding.code] += 1
        if finding.severity != NOTE or notes[finding.code] <= NOTES_SHOWN:
            yield str(finding)
    for code, count in notes.items():
        if count > NOTES_SHOWN:
            yield f"note: {count - NOTES_SHOWN} more images: {code} (scripts/check_dataset.py --num_shown 0 lists all)."
