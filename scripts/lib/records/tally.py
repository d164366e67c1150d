"""What a record holds, counted while it is written: for its manifest and for the printed report."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.lib.core import command_line, files
from scripts.lib.core.errors import DataError, Finding, UsageError, count_by_severity, errors
from scripts.lib.core.wording import counted, listed
from scripts.lib.dataset import labelled_images
from scripts.lib.dataset.labelled_images import CheckedImage
from scripts.lib.records import manifest, tf_record
from scripts.lib.records.options import RecordOptions


class RecordTally:
    """Counts of images, boxes and findings."""

    def __init__(self, class_ids: dict[str, int]):
        self.findings: list[Finding] = []  # of all images, each image's once
        self.left_out: list[str] = []  # names of images with errors
        self._class_ids = class_ids
        self._examples = self._negatives = 0
        self._boxes: Counter[str] = Counter()
        self._examples_with: Counter[str] = Counter()
        self._images_sha256 = hashlib.sha256()
        self._names: set[str] = set()
        self._recorded: dict[str, str] = {}  # image name -> the beginning of its file's SHA-256

    def add(self, image: CheckedImage) -> None:
        """Count an image, or a further copy of it; one without errors has been recorded."""
        labels = image.labels
        if labels.filename not in self._names:  # a further copy would say the same again
            self._names.add(labels.filename)
            self.findings += image.findings
            self._images_sha256.update(image.sha256)
            if image.is_sound:
                self._recorded[labels.filename] = image.sha256.hex()[: manifest.HASH_DIGITS]
            else:
                self.left_out.append(labels.filename)
        if image.is_sound:
            self._examples += 1
            self._negatives += not labels.class_names
            self._boxes.update(labels.class_names)
            self._examples_with.update(set(labels.class_names))

    def refuse_bad_record(self, options: RecordOptions) -> None:
        """Raise DataError or UsageError where the record must not be written."""
        consequence = f"{files.shown_path(options.output_path)} was not written"
        if errors(self.findings) and not options.skip_invalid:
            raise DataError(self.findings, f"{consequence} (--skip_invalid leaves images with errors out)")
        if not self._examples:
            raise DataError([*self.findings, labelled_images.nothing_to_record(options.csv_input)], consequence)
        if self._examples < options.num_shards:
            message = f"--num_shards is {options.num_shards}, but the record has {counted(self._examples, 'example')}"
            raise UsageError(f"{message}; {consequence}")

    def manifest(
        self, options: RecordOptions, shards: Iterable[tuple[int, int]], csv_sha256: str, label_map_sha256: str
    ) -> dict:
        """Return the manifest's content; `shards` are the number of records and bytes of each file."""
        name = Path(options.output_path).name
        return {
            "input_path": tf_record.shard_pattern(name, options.num_shards),
            "examples": self._examples,
            "images": len(self._names) - len(self.left_out),
            "negatives": self._negatives,
            "boxes": self._boxes.total(),
            "classes": {
                name: {"id": class_id, "boxes": self._boxes[name], "examples": self._examples_with[name]}
                for name, class_id in self._class_ids.items()
            },
            "left_out": self.left_out,
            "shards": [
                {"file": path.name, "examples": count, "bytes": size}
                for path, (count, size) in zip(tf_record.shard_paths(name, options.num_shards), shards, strict=True)
            ],
            "options": {
                name: getattr(options, name)
                for name in ("skip_invalid", "trust_images", "max_image_side", "oversample")
            },
            "inputs": {
                "csv_input": {"path": files.shown_path(options.csv_input), "sha256": csv_sha256},
                "label_map": {"path": files.shown_path(options.label_map), "sha256": label_map_sha256},
                "images": {"sha256": self._images_sha256.hexdigest(), "files": self._recorded},
            },
        }

    def print_findings(self) -> None:
        """Print the findings of all images and their number, on stderr."""
        if self.findings:
            command_line.print_findings(self.findings, sys.stderr)
            print(f"{count_by_severity(self.findings)}.", file=sys.stderr)

    def report(self, options: RecordOptions) -> Iterator[str]:
        """Yield what the record holds, as lines of text."""
        if self.left_out:
            manifest = f"{files.shown_path(options.output_path)}.json"
            yield f"left out {counted(len(self.left_out), 'image')} with errors: {listed(self.left_out, manifest)}"
        width = max(map(len, self._class_ids))
        for name, class_id in self._class_ids.items():
            examples = counted(self._examples_with[name], "example")
            yield f"{class_id:3} {name:{width}} {self._boxes[name]:6} boxes in {examples}"
        without_objects = f" ({self._negatives} without objects)" if self._negatives else ""
        record = tf_record.shard_pattern(files.shown_path(options.output_path), options.num_shards)
        yield f"{record}: {counted(self._examples, 'example')}{without_objects}, {counted(self._boxes.total(), 'box')}"
