"""Detection as an Apache Beam pipeline, and what its workers do: see cloud/detect_beam.py.

It is no part of that script, whose classes workers in other processes could not import.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.io.fileio import MatchFiles
from apache_beam.io.filesystem import FileMetadata
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.shared import Shared

from cloud.lib import beam_support, bucket_images
from scripts.lib.core import files, parallel
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.http import DownloadLimits
from scripts.lib.detection import outputs
from scripts.lib.detection.journal import ImageResult
from scripts.lib.detection.pipeline import Pipeline, version_of
from scripts.lib.detection.sources import Source, Sources, output_name
from scripts.lib.images import decode, image_names
from scripts.lib.models import exported_model
from scripts.lib.models.detector import Detector

PARTS = (".csv", ".errors.jsonl", ".jsonl")  # of a shard, as they are written: the last one tells what is done
SHOWN = 20  # photos that could not be read, by name
WILDCARD = re.compile(r"[*?\[]")


class Photo(NamedTuple):
    """A photo's name in the results, its path or address, and what changes when it does (empty: not known)."""

    name: str
    place: str
    version: str


class Job(NamedTuple):
    """What a worker has to know; `settings` is what the results depend on."""

    model: str
    output_path: str
    num_shards: int
    settings: dict[str, Any]
    batch_size: int
    threads: int | None
    retries: int

    def shard(self, index: int) -> str:
        return f"{self.output_path}-{index:05d}-of-{self.num_shards:05d}"


def run(job: Job, input_path: str, scratch: str, options: PipelineOptions) -> None:
    """Leaves the results in their places, and a line a shard in the scratch folder."""
    if not files.is_url(input_path):
        beam_support.write_text(f"{scratch}/photos", map(json.dumps, local_photos(input_path)))
    with beam_support.new_pipeline(options) as pipeline:
        by_shard = photos(pipeline, input_path, scratch) | "by shard" >> beam.Map(
            lambda photo, num_shards: (zlib.crc32(photo.name.encode()) % num_shards, photo), job.num_shards
        )
        all_shards = pipeline | "all shards" >> beam.Create([(index, None) for index in range(job.num_shards)])
        (
            (by_shard, all_shards)
            | "every shard, even if empty" >> beam.Flatten()
            | "photos of a shard" >> beam.GroupByKey()
            | "detect" >> beam.ParDo(DetectShard(job))
            | "list shards" >> beam.io.WriteToText(f"{scratch}/shards")
        )


def local_photos(input_path: str) -> Iterator[Photo]:
    """What detect.py would look at; on a disk the workers see themselves whether a photo has changed.

    Raises:
        DataError: a list has lines that make no sense.
    """
    sources = Sources([input_path], files.default_path("samples"))
    for source in sources:
        yield Photo(source.name, str(source.place), "")
    if sources.findings:
        raise DataError(sources.findings, "nothing was looked at")


def photos(pipeline: beam.Pipeline, input_path: str, scratch: str) -> beam.PCollection[Photo]:
    if not files.is_url(input_path):
        lines = pipeline | "photos" >> beam.io.ReadFromText(f"{scratch}/photos")
        return lines | "parse" >> beam.Map(lambda line: Photo(*json.loads(line)))
    if input_path.lower().endswith(".txt"):
        folder = input_path.rpartition("/")[0]
        return pipeline | "list" >> beam.io.ReadFromText(input_path) | "parse" >> beam.FlatMap(listed_photo, folder)
    if not (wildcard := WILDCARD.search(input_path)) and not image_names.has_image_suffix(input_path):
        input_path = f"{input_path.rstrip('/')}/**"
    fixed = input_path[: wildcard.start()] if wildcard else input_path.removesuffix("**")
    matched = pipeline | "match" >> MatchFiles(input_path)
    return matched | "name" >> beam.FlatMap(matched_photo, fixed.rpartition("/")[0] + "/")


def listed_photo(line: str, folder: str) -> Iterator[Photo]:
    if line := line.strip():
        yield Photo(line, line if files.is_url(line) else f"{folder}/{line}", "")


def matched_photo(metadata: FileMetadata, base: str) -> Iterator[Photo]:
    name = metadata.path.removeprefix(base)
    if image_names.has_image_suffix(name) and "/." not in f"/{name}":
        yield Photo(name, metadata.path, f"{metadata.size_in_bytes}-{metadata.last_updated_in_seconds}")


class DetectShard(beam.DoFn):
    """(number of a shard, its photos) -> its files; and a line for the manifest."""

    def __init__(self, job: Job):
        self.job = job
        self._shared = Shared()
        self._counters = {name: Metrics.counter("detect", name) for name in ("photos", "kept", "errors", "detections")}

    def setup(self) -> None:
        self._detector = self._shared.acquire(self._load)  # one for all threads of the process

    def _load(self) -> Detector:
        with local_model(self.job.model) as folder:
            return Detector(folder, "onnx")

    def process(self, grouped: tuple[int, Iterable[Photo | None]]) -> Iterator[str]:
        index, found = grouped
        photos = {photo.name: photo for photo in found if photo is not None}
        shard = self.job.shard(index)
        seen = self._done_before(shard, photos)
        counts = {"photos": len(photos), "kept": len(seen)}
        seen.update(self._look_at([photo for name, photo in photos.items() if name not in seen]))
        in_order = [seen[name] for name in sorted(seen)]
        errors = [photo for photo in in_order if photo.error]
        counts |= {"errors": len(errors), "detections": sum(len(photo.detections) for photo in in_order)}
        for suffix, content in zip(PARTS, contents(self.job.settings, in_order, errors), strict=True):
            beam_support.write_whole(f"{shard}{suffix}", content)
        for name, count in counts.items():
            self._counters[name].inc(count)
        yield json.dumps([index, {"counts": counts, "errors": [str(photo.error) for photo in errors[:SHOWN]]}])

    def _done_before(self, shard: str, photos: dict[str, Photo]) -> dict[str, ImageResult]:
        """What an earlier run with the same settings has found on these very photos."""
        path = f"{shard}{PARTS[-1]}"
        if not beam_support.exists(path):
            return {}
        try:
            settings, *lines = beam_support.read_bytes(path).splitlines()
            if json.loads(settings) != self.job.settings:
                return {}
            seen = {photo.name: photo for photo in map(ImageResult.of_line, lines)}
        except (ValueError, TypeError, KeyError):  # none of ours
            return {}
        return {
            name: seen[name]
            for name, photo in photos.items()
            if name in seen and not seen[name].error and seen[name].version == version(photo)
        }

    def _look_at(self, photos: Sequence[Photo]) -> Iterator[tuple[str, ImageResult]]:
        class_ids = {name: class_id for class_id, name in self._detector.class_names.items()}
        pipeline = Pipeline(
            self._detector,
            {class_ids[name]: score for name, score in self.job.settings["min_scores"].items()},
            self.job.settings["nms_iou"],
            limits=DownloadLimits(max_bytes=decode.MAX_BYTES, retries=self.job.retries, pause=1.0),
            batch_size=self.job.batch_size,
            num_workers=self.job.threads or parallel.available_cores(),
            fetch=bucket_images.fetch,
        )
        for photo, seen in zip(photos, pipeline.look_at(map(source, photos)), strict=True):
            yield photo.name, seen._replace(version=photo.version or seen.version)


def source(photo: Photo) -> Source:
    place = photo.place if files.is_url(photo.place) else Path(photo.place)
    return Source(photo.name, place, output_name(photo.name))


def version(photo: Photo) -> str:
    return photo.version or version_of(source(photo))


def contents(settings: dict[str, Any], seen: Sequence[ImageResult], errors: Sequence[ImageResult]) -> Iterator[bytes]:
    """The files of a shard, in the order of PARTS."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(outputs.COLUMNS)
    writer.writerows(outputs.cells(photo.name, found) for photo in seen for found in photo.detections)
    yield table.getvalue().encode()
    yield b"".join(to_line({"filename": photo.name, **photo.error.as_json()}) for photo in errors)
    yield to_line(settings) + b"".join(photo.line() for photo in seen)


def to_line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


@contextlib.contextmanager
def local_model(model: str) -> Iterator[Path]:
    """The folder of an exported model, or a temporary one with what this pipeline needs of one on a bucket."""
    if not beam_support.exists(f"{model}/{exported_model.ONNX}"):
        raise UsageError(
            f"there is no {exported_model.ONNX} in {files.shown_path(model)}; scripts/export_model.py makes it, and so "
            "does scripts/detect.py when it first runs a model"
        )
    if not files.is_url(model):
        yield Path(model)
        return
    with tempfile.TemporaryDirectory(prefix="model_") as folder:
        for part in (exported_model.ONNX, exported_model.SCORE_THRESHOLDS):
            if beam_support.exists(f"{model}/{part}"):
                Path(folder, part).write_bytes(beam_support.read_bytes(f"{model}/{part}"))
        yield Path(folder)
