"""Detection as an Apache Beam pipeline: see cloud/detect_beam.py.

A module of its own, since workers in other processes could not import the classes of a script.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import io
import json
import re
import tempfile
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.io.fileio import MatchFiles
from apache_beam.io.filesystem import FileMetadata
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.shared import Shared

from cloud.lib import beam_support
from scripts.lib.core import files, http, json_text, parallel
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.http import DownloadError, DownloadLimits
from scripts.lib.detection import outputs
from scripts.lib.detection.detections import suppression
from scripts.lib.detection.journal import ImageResult
from scripts.lib.detection.pipeline import Pipeline, version_of
from scripts.lib.detection.sources import ImageSource, Sources, output_name
from scripts.lib.images import decode, image_names
from scripts.lib.models import exported_model
from scripts.lib.models.detector import Detector

PARTS = (".csv", ".errors.jsonl", ".jsonl")  # of a shard, in the order of writing: the last one says what is done
SHOWN = 20  # images that could not be read, by name
WILDCARD = re.compile(r"[*?\[]")
_RETRIED = {408, 429}  # HTTP statuses below 500 that are worth a retry
_local = threading.local()


class ListedImage(NamedTuple):
    """An image: its name in the results, its path or address, and its version (empty: not known)."""

    name: str
    place: str
    version: str


@dataclasses.dataclass(frozen=True)
class DetectionJob:
    """The input of a worker; `settings` is everything the results depend on."""

    model: str
    output_path: str
    num_shards: int
    settings: dict[str, Any]
    batch_size: int
    threads: int | None
    retries: int

    def shard(self, index: int) -> str:
        return f"{self.output_path}-{index:05d}-of-{self.num_shards:05d}"


def run(job: DetectionJob, input_path: str, scratch: str, options: PipelineOptions) -> None:
    """Write the results to their places, and one line per shard to the scratch folder."""
    if not files.is_url(input_path):
        beam_support.write_lines(f"{scratch}/images", map(json.dumps, local_images(input_path)))
    with beam_support.new_pipeline(options) as pipeline:
        by_shard = list_images(pipeline, input_path, scratch) | "by shard" >> beam.Map(
            lambda image, num_shards: (zlib.crc32(image.name.encode()) % num_shards, image), job.num_shards
        )
        all_shards = pipeline | "all shards" >> beam.Create([(index, None) for index in range(job.num_shards)])
        (
            (by_shard, all_shards)
            | "every shard, even if empty" >> beam.Flatten()
            | "images of a shard" >> beam.GroupByKey()
            | "detect" >> beam.ParDo(DetectShard(job))
            | "list shards" >> beam.io.WriteToText(f"{scratch}/shards")
        )


def local_images(input_path: str) -> Iterator[ListedImage]:
    """Yield what detect.py would detect on; the workers themselves see which files have changed.

    Raises:
        DataError: a list has lines that name no image.
    """
    sources = Sources([input_path], files.default_path("samples"))
    for source in sources:
        yield ListedImage(source.name, str(source.place), "")
    if sources.findings:
        raise DataError(sources.findings, "no detection was started")


def list_images(pipeline: beam.Pipeline, input_path: str, scratch: str) -> beam.PCollection[ListedImage]:
    if not files.is_url(input_path):
        lines = pipeline | "images" >> beam.io.ReadFromText(f"{scratch}/images")
        return lines | "parse" >> beam.Map(lambda line: ListedImage(*json.loads(line)))
    if input_path.lower().endswith(".txt"):
        folder = input_path.rpartition("/")[0]
        return pipeline | "list" >> beam.io.ReadFromText(input_path) | "parse" >> beam.FlatMap(from_line, folder)
    if not (wildcard := WILDCARD.search(input_path)) and not image_names.has_image_suffix(input_path):
        input_path = f"{input_path.rstrip('/')}/**"
    fixed = input_path[: wildcard.start()] if wildcard else input_path.removesuffix("**")
    matched = pipeline | "match" >> MatchFiles(input_path)
    return matched | "name" >> beam.FlatMap(from_match, fixed.rpartition("/")[0] + "/")


def from_line(line: str, folder: str) -> Iterator[ListedImage]:
    if line := line.strip():
        yield ListedImage(line, line if files.is_url(line) else f"{folder}/{line}", "")


def from_match(metadata: FileMetadata, base: str) -> Iterator[ListedImage]:
    name = metadata.path.removeprefix(base)
    if beam_support.is_visible_image(name):
        yield ListedImage(name, metadata.path, f"{metadata.size_in_bytes}-{metadata.last_updated_in_seconds}")


class DetectShard(beam.DoFn):
    """(index of a shard, its images) -> its files; and a line for the manifest."""

    def __init__(self, job: DetectionJob):
        self.job = job
        self._shared = Shared()

    def setup(self) -> None:
        self._detector = self._shared.acquire(self._load)  # one for all threads of the process

    def _load(self) -> Detector:
        with local_model(self.job.model) as folder:
            return Detector(folder, "onnx")

    def process(self, grouped: tuple[int, Iterable[ListedImage | None]]) -> Iterator[str]:
        index, found = grouped
        images = {image.name: image for image in found if image is not None}
        results = self._earlier_results(index, images)
        counts = {"photos": len(images), "kept": len(results)}
        results.update(self._detect([image for name, image in images.items() if name not in results]))
        in_order = [results[name] for name in sorted(results)]
        errors = [result for result in in_order if result.error]
        counts |= {"errors": len(errors), "detections": sum(len(result.detections) for result in in_order)}
        for suffix, content in zip(PARTS, contents(self.job.settings, in_order, errors), strict=True):
            beam_support.write_whole(f"{self.job.shard(index)}{suffix}", content)
        yield json.dumps([index, {"counts": counts, "errors": [str(result.error) for result in errors[:SHOWN]]}])

    def _earlier_results(self, index: int, images: dict[str, ListedImage]) -> dict[str, ImageResult]:
        """Return what an earlier run with the same settings found on the same images."""
        path = f"{self.job.shard(index)}{PARTS[-1]}"
        if not beam_support.exists(path):
            return {}
        try:
            settings, *lines = beam_support.read_bytes(path).splitlines()
            if json_text.parse(settings) != self.job.settings:
                return {}
            earlier = {result.name: result for result in map(ImageResult.from_line, lines)}
        except (ValueError, TypeError, KeyError):  # not a file of this pipeline
            return {}
        return {
            name: earlier[name]
            for name, image in images.items()
            if name in earlier
            and not earlier[name].error
            and earlier[name].version == (image.version or version_of(to_source(image)))
        }

    def _detect(self, images: Sequence[ListedImage]) -> Iterator[tuple[str, ImageResult]]:
        class_ids = {name: class_id for class_id, name in self._detector.class_names.items()}
        pipeline = Pipeline(
            self._detector,
            {class_ids[name]: score for name, score in self.job.settings["min_scores"].items()},
            suppression(*(self.job.settings[name] for name in ("nms_iou", "class_agnostic_nms"))),
            limits=DownloadLimits(max_bytes=decode.MAX_BYTES, retries=self.job.retries, pause=1.0),
            batch_size=self.job.batch_size,
            num_workers=self.job.threads or parallel.available_cores(),
            fetch=fetch,
        )
        for image, result in zip(images, pipeline.run(map(to_source, images)), strict=True):
            yield image.name, result._replace(version=image.version or result.version)


def to_source(image: ListedImage) -> ImageSource:
    place = image.place if files.is_url(image.place) else Path(image.place)
    return ImageSource(image.name, place, output_name(image.name))


def fetch(address: str, limits: DownloadLimits) -> bytes:
    """Return the content of an image on the web, or wherever Beam reaches; try again after failures that may pass.

    Raises:
        DownloadError: it cannot be read.
    """
    if http.is_web_address(address):
        return http.fetch(address, limits)
    return http.retried(functools.partial(_read_once, address, limits.max_bytes), limits.retries, limits.pause)


def _read_once(address: str, max_bytes: int) -> bytes:
    read = _read_from_bucket if address.startswith("gs://") else beam_support.read_bytes
    try:
        content = read(address, max_bytes + 1)
    except Exception as error:  # each file system has its own
        status = getattr(error, "code", None)
        if isinstance(error, FileNotFoundError) or status == 404:
            raise DownloadError("there is no such image") from error
        final = isinstance(status, int) and status < 500 and status not in _RETRIED
        raise DownloadError(str(error) or type(error).__name__, may_pass=not final) from error
    if len(content) > max_bytes:
        raise http.too_large(max_bytes)
    return content


def _read_from_bucket(address: str, limit: int) -> bytes:
    """Send one request per image, with one client per thread; Beam makes a client per file, and two requests."""
    from google.api_core.exceptions import RequestRangeNotSatisfiable
    from google.cloud import storage

    if not hasattr(_local, "client"):
        _local.client = storage.Client()
    bucket, _, name = address.removeprefix("gs://").partition("/")
    try:
        return _local.client.bucket(bucket).blob(name).download_as_bytes(end=limit - 1)
    except RequestRangeNotSatisfiable:  # an empty file
        return b""


def contents(
    settings: dict[str, Any], results: Sequence[ImageResult], errors: Sequence[ImageResult]
) -> Iterator[bytes]:
    """Yield the files of a shard, in the order of PARTS."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(outputs.COLUMNS)
    for result in results:
        writer.writerows(outputs.csv_rows(result))
    yield table.getvalue().encode()
    yield b"".join(to_line({"filename": result.name, **result.error.as_json()}) for result in errors)
    yield to_line(settings) + b"".join(result.to_line() for result in results)


def to_line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


@contextlib.contextmanager
def local_model(model: str) -> Iterator[Path]:
    """Yield the folder of an exported model, or a temporary copy of what is needed of one on a bucket.

    Raises:
        UsageError: model.onnx is missing.
    """
    if not beam_support.exists(f"{model}/{exported_model.ONNX}"):
        raise UsageError(
            f"--model {files.shown_path(model)} has no {exported_model.ONNX}; make it with scripts/export_model.py, "
            "or run scripts/detect.py with the model once"
        )
    if not files.is_url(model):
        yield Path(model)
        return
    with tempfile.TemporaryDirectory(prefix="model_") as folder:
        for part in (exported_model.ONNX, exported_model.SCORE_THRESHOLDS, exported_model.LABEL_MAP):
            if beam_support.exists(f"{model}/{part}"):
                Path(folder, part).write_bytes(beam_support.read_bytes(f"{model}/{part}"))
        yield Path(folder)
