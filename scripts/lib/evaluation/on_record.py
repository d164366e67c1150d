"""A model's detections on all images of a record, kept in a file so that they are computed once."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.lib.core import files
from scripts.lib.core.progress import progress
from scripts.lib.evaluation.average_precision import EvaluatedImage
from scripts.lib.models import exported_model
from scripts.lib.models.detector import DetectionArrays, Detector
from scripts.lib.records import read as record_images
from scripts.lib.records import tf_record

VERSION = 1


class RecordDetections(NamedTuple):
    """What a model detects on a record.

    Attributes:
        global_step: the training step of the model's checkpoint, or None where the export does not hold it.
        images: with their ground truth, in the record's order.
    """

    global_step: int | None
    images: list[EvaluatedImage]


def detect(model: Path | str, records: Sequence[Path | str], cache: Path | str | None = None) -> RecordDetections:
    """A model's detections on all images of a record.

    Args:
        model: an exported model's folder.
        records: record files, or patterns of their shards.
        cache: detections.json; read where it was made with this very model and record, else written. None: no cache.

    Raises:
        UsageError: there is no such model or record.
        DataError: the record is damaged.
    """
    paths = [path for record in records for path in tf_record.matching_files(record)]
    exported_model.check(Path(model))
    key = {"model_sha256": exported_model.sha256(Path(model)), "record_sha256": files.sha256(*paths)}
    found = cached(cache, key) if cache else None
    if found is None:
        found = run(Detector(model), paths)
        if cache:
            write(cache, key, found)
    return found


def run(detector: Detector, records: Sequence[Path | str]) -> RecordDetections:
    """Lets a detector, or an ensemble, look at all images of a record; raises as `detect` does."""
    paths = [path for record in records for path in tf_record.matching_files(record)]
    return RecordDetections(detector.global_step(), list(_detect(detector, paths)))


def _detect(detector: Detector, paths: Sequence[Path]) -> Iterator[EvaluatedImage]:
    waiting: list[record_images.RecordImage] = []
    shapes: list[tuple[int, ...]] = []

    def pixels() -> Iterator[np.ndarray]:
        for image in itertools.chain.from_iterable(map(record_images.read, paths)):
            decoded = image.pixels()
            waiting.append(image._replace(encoded=b""))  # a batch of photos is held, not all of them
            shapes.append(decoded.shape)
            yield decoded

    total = sum(map(tf_record.count_records, paths))
    for done, found in enumerate(progress(detector.detect_each(pixels()), "detecting", total)):
        yield _evaluated(waiting[done], shapes[done], found)


def _evaluated(image: record_images.RecordImage, shape: tuple[int, ...], found: DetectionArrays) -> EvaluatedImage:
    height, width = shape[:2]
    true_boxes = image.boxes_yxyx_normalized * np.array([height, width, height, width], np.float32)
    return EvaluatedImage(image.name, width, height, true_boxes, image.class_ids, image.is_difficult, *found)


# ------------------------------------------------------------------------------------------------------ detections.json


def write(path: Path | str, key: dict[str, str], found: RecordDetections) -> None:
    """Writes detections.json: every float32 with the digits that give it back exactly."""
    rows = [
        {name: _plain(value) if isinstance(value, np.ndarray) else value for name, value in image._asdict().items()}
        for image in found.images
    ]
    with files.atomic_write(path, "w") as file:
        head = json.dumps({"version": VERSION, **key, "global_step": found.global_step}, ensure_ascii=False)
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        file.write(f'{head[:-1]}, "images": [\n{lines}\n]}}\n')


def _plain(values: np.ndarray) -> list:
    if values.dtype != np.float32:
        return values.tolist()
    digits = [float(f"{number:.9g}") for number in values.ravel().tolist()]  # nine digits tell all float32 apart
    return [digits[start : start + 4] for start in range(0, len(digits), 4)] if values.ndim == 2 else digits


def cached(path: Path | str, key: dict[str, str]) -> RecordDetections | None:
    """What `write` wrote under the same key, or None: no such file, of another model or record, or broken."""
    try:
        found_key, found = read(path)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found_key == key else None


def read(path: Path | str) -> tuple[dict[str, str], RecordDetections]:
    """Reads what `write` wrote.

    Returns:
        The key it was written under, and the detections.

    Raises:
        OSError: it cannot be read.
        ValueError, KeyError, TypeError: it is none of ours.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if content["version"] != VERSION:
        raise ValueError(f"version {content['version']}")
    key = {name: content[name] for name in ("model_sha256", "record_sha256")}
    return key, RecordDetections(content["global_step"], [_read_image(row) for row in content["images"]])


def _read_image(row: dict) -> EvaluatedImage:
    return EvaluatedImage(
        row["name"],
        row["width"],
        row["height"],
        np.array(row["true_boxes_yxyx"], np.float32).reshape(-1, 4),
        np.array(row["true_class_ids"], np.int64),
        np.array(row["is_difficult"], bool),
        np.array(row["boxes_yxyx"], np.float32).reshape(-1, 4),
        np.array(row["scores"], np.float32),
        np.array(row["class_ids"], np.int64),
    )
