"""A model's detections on all images of a record, the file that keeps them, and their mAP.

The record is read without TensorFlow and the model runs on batches. The API's legacy evaluator takes one image at a
time through a queue and a graph with the losses; only the losses are missing here.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.lib.core import files, json_text
from scripts.lib.core.errors import DataError, errors
from scripts.lib.core.progress import progress
from scripts.lib.evaluation import average_precision, metrics_file
from scripts.lib.evaluation.average_precision import EvaluatedImage
from scripts.lib.evaluation.metrics_file import Evaluation
from scripts.lib.models import exported_model
from scripts.lib.models.detector import Detector
from scripts.lib.records import manifest, tf_record
from scripts.lib.records import read as record_images

VERSION = 1
_TRUTH = {"true_boxes_yxyx": np.float32, "true_class_ids": np.int64, "is_difficult": bool}
_FOUND = {"boxes_yxyx": np.float32, "scores": np.float32, "class_ids": np.int64}
_ROW = {"name": str, "width": int, "height": int, **dict.fromkeys([*_TRUTH, *_FOUND], list)}
_KEY = {"model_sha256": str, "record_sha256": str}
_SHAPE = {"version": int, **_KEY, "global_step": (int, type(None)), "runtime?": str, "images": [_ROW]}


class RecordDetections(NamedTuple):
    """A model's detections on a record."""

    global_step: int | None  # of the model's checkpoint, None if the export does not hold it
    images: list[EvaluatedImage]  # with their ground truth, in the order of the record
    runtime: str = ""  # that ran the model, empty if unknown


def evaluate(detector: Detector, records: Sequence[Path | str], class_ids: Mapping[str, int]) -> Evaluation:
    """Return AP@0.5 of each class (name -> id) and their mean, under the legacy evaluator's names."""
    found = run(detector, records)
    matches = {name: average_precision.match(found.images, class_id) for name, class_id in class_ids.items()}
    aps, mean = average_precision.average_precisions(matches)
    metrics = {f"{metrics_file.CLASS_AP_PREFIX}{name}": float(ap[0]) for name, ap in aps.items()}
    return Evaluation(found.global_step or 0, len(found.images), {**metrics, metrics_file.MEAN_AP: float(mean[0])})


def detect(model: Path, records: Sequence[Path | str], cache: Path | None = None) -> RecordDetections:
    """Return an exported model's detections on all images of a record, with classes numbered 1..N as in its label map.

    `cache`, a detections.json, is read if it was made with the same model and record, and otherwise written.

    Raises:
        UsageError: the model or the record does not exist.
        DataError: the record is damaged, or was made with another label map.
    """
    paths = [path for record in records for path in tf_record.matching_files(record)]
    exported_model.check(model)
    key = {"model_sha256": exported_model.sha256(model), "record_sha256": files.sha256(*paths)}
    if cache:
        with contextlib.suppress(OSError, ValueError):  # missing or broken
            found_key, found = read(cache)
            if found_key == key:
                return found
    detector = Detector(model)
    found = run(detector, records)
    labels = set().union(*(image.true_class_ids.tolist() for image in found.images))
    if unknown := sorted(labels - detector.class_names.keys()):
        message = (
            f"{', '.join(map(str, records))} has objects of the labels {unknown}, which the model's label map lacks"
        )
        raise DataError([f"{message}; give a record that was made with it."])
    found = found._replace(images=[_renumbered(image, list(detector.class_names)) for image in found.images])
    if cache:
        write(cache, key, found)
    return found


def _renumbered(image: EvaluatedImage, class_ids: Sequence[int]) -> EvaluatedImage:
    """Return an image whose classes are numbered 1..N in this order, without those of other ids."""
    values = image._asdict()
    for kind, names in (
        ("true_class_ids", ("true_boxes_yxyx", "is_difficult")),
        ("class_ids", ("boxes_yxyx", "scores")),
    ):
        known = np.isin(values[kind], class_ids)
        values[kind] = 1 + np.searchsorted(class_ids, values[kind][known])
        values |= {name: values[name][known] for name in names}
    return EvaluatedImage(**values)


def run(detector: Detector, records: Sequence[Path | str]) -> RecordDetections:
    """Run a detector, or an ensemble, on all images of a record; raise as `detect` does."""
    class_ids = {detector.label_names.get(shown, shown): number for number, shown in detector.class_names.items()}
    checks = [finding for record in records for finding in manifest.check(record, class_ids)]
    if errors(checks):
        raise DataError(errors(checks), "nothing was detected")
    images: list[EvaluatedImage] = []
    waiting: list[tuple[record_images.RecordImage, tuple[int, ...]]] = []

    def pixels() -> Iterator[np.ndarray]:
        for image in itertools.chain.from_iterable(map(record_images.read, records)):
            decoded = image.pixels()
            waiting.append((image._replace(encoded=b""), decoded.shape))  # one batch of pixels is held, not all images
            yield decoded

    total = sum(map(tf_record.count_records, records))
    for done, found in enumerate(progress(detector.detect_each(pixels()), "detecting", total)):
        image, (height, width, _) = waiting[done]
        true_boxes = image.boxes_yxyx_normalized * np.array([height, width, height, width], np.float32)
        truth = (true_boxes, image.class_ids, image.is_difficult)
        images.append(EvaluatedImage(image.name, width, height, *truth, *found))
    if not images:
        raise DataError([f"{', '.join(map(str, records))} holds no image; make it again with generate_tfrecord.py."])
    return RecordDetections(detector.global_step(), images, getattr(detector, "runtime", ""))


def write(path: Path, key: dict[str, str], found: RecordDetections) -> None:
    """Write detections.json."""
    rows = [
        {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in image._asdict().items()}
        for image in found.images
    ]
    with files.atomic_write(path, "w") as file:
        about = {"version": VERSION, **key, "global_step": found.global_step, "runtime": found.runtime}
        head = json.dumps(about, ensure_ascii=False)
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        file.write(f'{head[:-1]}, "images": [\n{lines}\n]}}\n')


def read(path: Path) -> tuple[dict[str, str], RecordDetections]:
    """Return the key under which a detections.json was written, and the detections.

    Raises:
        OSError, ValueError: it cannot be read, or is not such a file.
    """
    content = json_text.read(path, _SHAPE)
    if content["version"] != VERSION:
        raise ValueError(f"has version {content['version']}, expected {VERSION}")
    key = {name: content[name] for name in _KEY}
    images = [_read_image(row) for row in content["images"]]
    return key, RecordDetections(content["global_step"], images, content.get("runtime", ""))


def _read_image(row: dict) -> EvaluatedImage:
    for kinds in (_TRUTH, _FOUND):
        try:
            row |= {name: np.array(row[name], kind) for name, kind in kinds.items()}
        except (TypeError, OverflowError) as error:
            raise ValueError(f"has an image without numbers: {error}") from None
        boxes, *others = kinds
        row[boxes] = row[boxes].reshape(-1, 4)
        if any(row[name].shape != row[boxes].shape[:1] for name in others):
            raise ValueError(f"has an image with {len(row[boxes])} {boxes} and another number of {' or '.join(others)}")
    return EvaluatedImage(**{name: row[name] for name in EvaluatedImage._fields})
