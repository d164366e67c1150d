"""Check a record that another tool made, before training or evaluation reads it.

What generate_tfrecord.py refuses in images and boxes is refused here, in the same words; and what the API's decoder
(object_detection/data_decoders/tf_example_decoder.py) would misread: it takes an object's class from its name where the
record has names, else from its label, and asks neither whether the label map has them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, NOTE, WARNING, DataError, Finding, UsageError
from scripts.lib.core.progress import progress
from scripts.lib.dataset import box_checks
from scripts.lib.images import decode, prepare
from scripts.lib.records import manifest as record_manifest
from scripts.lib.records import tf_example, tf_record
from scripts.lib.records.tf_example import LABELS, NAMES, SIDES

_AGAIN = "correct the data, and make the record again, best with generate_tfrecord.py"
_MOST_SIDES = 2  # of the image; a corner beyond is in pixels


def check(record: Path | str, ids_of_names: Mapping[str, int] | None) -> list[Finding]:
    """Return what is wrong with the examples of a record, or of all shards of a pattern.

    Args:
        record: on this machine's disk.
        ids_of_names: class name -> id, see `label_map.spellings`; None: labels are not compared with a label map.

    Raises:
        UsageError: there is no such record.
        DataError: it is damaged.
    """
    findings, num_objects, num_examples = [], 0, tf_record.count_records(record)
    examples = (
        (files.shown_path(file), number, data)
        for file in tf_record.matching_files(record)
        for number, data in enumerate(tf_record.read_records(file), start=1)
    )
    for file, number, data in progress(examples, "checking the record", num_examples):
        count, found = _check_example(data, file, number, ids_of_names)
        num_objects += count
        findings += found
    if not num_objects and not findings:
        severity, lacks = (WARNING, "object") if num_examples else (ERROR, "example")
        findings.append(Finding(severity, "record-no-object", files.shown_path(record), f"holds no {lacks}", _AGAIN))
    return findings


def check_apart(train_records: Sequence[str], test_records: Sequence[str]) -> list[Finding]:
    """Return a finding where images of the test records are in the training records, too; records may be missing.

    An image is known by its name and the hash of its file, which the manifests of generate_tfrecord.py state. Records
    of other tools are read; what those share is a warning, since their images may have been stored anew.
    """
    train, test = (set(itertools.chain(*map(_images_of, records))) for records in (train_records, test_records))
    if not (shared := len(train & test)):
        return []
    is_ours = all(map(record_manifest.image_hashes, (*train_records, *test_records)))
    file, others = map(files.shown_paths, (test_records, train_records))
    message = f"{shared} of its {len(test)} images are in {others}, too: it would test what was learnt by heart"
    remedy = "make both records of one split: run split_dataset.py, and generate_tfrecord.py for each of its CSVs"
    return [Finding(ERROR if is_ours else WARNING, "record-not-apart", file, message, remedy)]


def _images_of(record: str) -> Iterator[tuple[str, str]]:
    """Yield name and hash of the images of a record, as far as they have names."""
    if hashes := record_manifest.image_hashes(record):
        yield from hashes.items()
        return
    with contextlib.suppress(DecodeError, UsageError, DataError):  # which `check` reports
        for file in tf_record.matching_files(record):
            for features in map(tf_example.features, tf_record.read_records(file)):
                encoded = features.get("image/encoded")
                if (name := _name(features)) and encoded and isinstance(encoded[0], bytes):
                    yield name, hashlib.sha256(encoded[0]).hexdigest()[: record_manifest.HASH_DIGITS]


def _check_example(
    data: bytes, file: str, number: int, ids_of_names: Mapping[str, int] | None
) -> tuple[int, list[Finding]]:
    """Return the number of boxes of an example, and what is wrong with it."""
    error = functools.partial(Finding, ERROR, file=file, remedy=_AGAIN)
    try:
        features = tf_example.features(data)
    except DecodeError:
        return 0, [error("record-not-example", message="is not a tf.train.Example", object=f"example {number}")]
    name = _name(features)
    place = f"example {number} ({name})" if name else f"example {number}"
    if not features.get("image/encoded"):
        has = ", ".join(features) or "nothing"
        message = f"has no image/encoded, as records for detection have; it has {has[:200]}"
        return 0, [error("record-no-image", message=message, object=place)]
    if wrong := tf_example.why_unfit(features):
        return 0, [error("record-features", message=message, object=place) for message in wrong]
    size, findings = _check_image(features["image/encoded"][0], file)
    labels = features.get(LABELS, [])
    names = [name.decode("utf-8", "replace") for name in features.get(NAMES, ())] or [""] * len(labels)
    boxes = zip(*(features.get(side, ()) for side in SIDES), strict=True)
    for index, (label, name, box) in enumerate(zip(labels, names, boxes, strict=True), start=1):
        which = f"object {index} ({name or label})"
        found = [*_check_class(label, name, ids_of_names, file), *_check_box(box, size, file)]
        findings += [dataclasses.replace(one, object=which) for one in found]
    return len(labels), [
        dataclasses.replace(one, object=f"{place}, {one.object}" if one.object else place, remedy=_AGAIN)
        for one in findings
    ]


def _name(features: Mapping[str, list]) -> str:
    names = features.get("image/filename") or features.get("image/source_id") or [b""]
    return names[0].decode("utf-8", "replace") if isinstance(names[0], bytes) else ""


def _check_image(data: bytes, file: str) -> tuple[tuple[int, int] | None, list[Finding]]:
    """Return width and height, or None, and an error for an image that the trainer cannot decode."""
    if size := decode.plain_jpeg_size(data):
        return size, []
    try:
        with decode.opened(data) as image:
            foreign, size = prepare.why_the_trainer_cannot_read(image, data), image.size
            is_tried = image.format in ("JPEG", "MPO", "PNG", "BMP")  # decoded, if not always as meant
    except Exception as error:  # hostile bytes make Pillow's plugins raise nearly anything
        return None, [decode.unreadable(data, file, error)]
    if not foreign:
        return size, []
    severity, can = (WARNING, "may not decode") if is_tried else (ERROR, "cannot decode")
    return size, [Finding(severity, "image-unreadable", file, f"the trainer {can} {foreign}", "store it as RGB JPEG")]


def _check_class(label: int, name: str, ids_of_names: Mapping[str, int] | None, file: str) -> Iterator[Finding]:
    if label < 1:
        yield Finding(ERROR, "record-label", file, f"has the label {label}; ids begin with 1, 0 is the background's")
    elif ids_of_names is not None and label not in ids_of_names.values():
        yield Finding(ERROR, "record-label", file, f"has the label {label}, which the label map lacks")
    if name and ids_of_names is not None:
        if name not in ids_of_names:
            yield box_checks.unknown_class(name, ids_of_names, file)
        elif label >= 1 and ids_of_names[name] != label:
            message = f"has the label {label} and the name {name!r}, which is {ids_of_names[name]} in the label map"
            yield Finding(ERROR, "record-label", file, message)


def _check_box(box_normalized: Sequence[float], size: tuple[int, int] | None, file: str) -> list[Finding]:
    """Check xmin, ymin, xmax, ymax, fractions of the image's sides."""
    shown = f"box ({', '.join(f'{corner:.4g}' for corner in box_normalized)})"
    if not all(map(math.isfinite, box_normalized)):
        return [Finding(ERROR, "box-not-finite", file, f"{shown} has corners that are not numbers")]
    if max(map(abs, box_normalized)) > _MOST_SIDES:
        message = f"{shown} is in pixels, expected fractions of the image's sides, 0 to 1"
        return [Finding(ERROR, "box-in-pixels", file, message)]
    width, height = size or (1, 1)
    scaled = [round(corner * side, 1) for corner, side in zip(box_normalized, (width, height) * 2, strict=True)]
    pixels = tuple(int(corner) if corner.is_integer() else corner for corner in scaled)
    return [one for one in box_checks.check_box(pixels, (width, height), file)[1] if size and one.severity != NOTE]
