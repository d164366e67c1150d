"""detect.py as an Apache Beam pipeline, for more photos than one machine is to look at.

In:   an exported model with model.onnx (scripts/export_model.py), and photos: a folder or a pattern on a bucket
      (gs://...), a text file there with an address a line, or what detect.py takes as --input on a disk.
Out:  in --num_shards parts <output_path>-00000-of-00010 and so on, of each
        .csv           filename,class,score,xmin,ymin,xmax,ymax, as detect.py's detections.csv
        .jsonl         a line a photo, with or without detections, as detect.py's detections.jsonl
        .errors.jsonl  photos that could not be read, and why
      and, last, <output_path>.json: what was run, and how many there are of all.

  python cloud/detect_beam.py --model exported_model --input samples --output_path detections/run1

A photo's part follows from its name. The same command again looks only at photos that are new, or changed, or could
not be read; with another model or other least scores, at all. So a run that was stopped goes on, and whatever was
stopped when, the end is that of a single run. A list says nothing of changes; a photo that it still names is done.

Needs requirements-beam.txt. Flags that are not listed below go to Beam; without any, the pipeline runs in this process.
On Google Cloud Dataflow, which needs `pip install "apache-beam[gcp]"`, with the model, too, on the bucket:

  python cloud/detect_beam.py --num_shards=10000 --input=gs://BUCKET/photos.txt --model=gs://BUCKET/exported_model
      --output_path=gs://BUCKET/detections/run1 --runner=DataflowRunner --project=PROJECT --region=REGION
      --temp_location=gs://BUCKET/tmp --sdk_container_image=REGION-docker.pkg.dev/PROJECT/REPOSITORY/apparel-beam:1
      --experiments=no_use_multiple_sdk_containers --number_of_worker_harness_threads=2 --max_num_workers=100

cloud/submit.py batch-detect checks and starts that; machines, hours and cost: cloud/detection_cost.py, cloud/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib.util
import io
import itertools
import json
import re
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import _init_paths  # noqa: F401

if importlib.util.find_spec("apache_beam") is None:
    raise SystemExit("error: Apache Beam is missing; install it with: python -m pip install -r requirements-beam.txt")

import apache_beam as beam
from apache_beam.io.fileio import MatchFiles
from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.shared import Shared

from scripts.lib import (
    beam_support,
    bucket_images,
    command_line,
    detection_options,
    detection_outputs,
    exported_model,
    files,
    image_bytes,
    image_names,
    parallel,
    record_detections,
)
from scripts.lib.command_line import DataError, UsageError
from scripts.lib.detection_inputs import Source, Sources, output_name
from scripts.lib.detection_journal import Seen
from scripts.lib.detection_pipeline import Pipeline, version_of
from scripts.lib.detector import Detector
from scripts.lib.web_files import Limits

PARTS = (".csv", ".errors.jsonl", ".jsonl")  # of a shard, as they are written: the last one tells what is done
SHOWN = 20  # photos that could not be read, by name
WILDCARD = re.compile(r"[*?\[]")
MANIFEST = "detections"  # what a manifest begins with


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


def main(argv: Sequence[str] | None = None) -> None:
    args, options = parse_args(argv)
    job = make_job(args)
    check_output(args.output_path)
    cpu_start = time.process_time()
    with beam_support.scratch_folder(args.output_path) as scratch:
        detect(job, args.input, scratch, options)
        shards = [shard for _, shard in sorted(beam_support.read_lines(f"{scratch}/shards-*"))]
    total = sum((Counter(shard["counts"]) for shard in shards), Counter())
    if not total["photos"]:
        raise UsageError(f"--input {args.input}: no image in it")
    publish(job, total)
    in_this_process = options.get_all_options().get("runner") == beam_support.LOCAL_RUNNER
    report(job, total, shards, time.process_time() - cpu_start if in_this_process else None)


def parse_args(argv: Sequence[str] | None) -> tuple[argparse.Namespace, PipelineOptions]:
    """Our flags, and Beam's."""
    parser = command_line.make_parser(__doc__)
    paths = parser.add_argument_group("paths, of files or gs://...")
    paths.add_argument("--input", required=True, help="photos; see above")
    paths.add_argument("--model", default=str(files.default_path("exported_model")), help="exported model")
    paths.add_argument(
        "--output_path", default=str(files.default_path("detections/detections")), help="what the results begin with"
    )
    detection_options.add_to(parser)
    work = parser.add_argument_group("work")
    number = {"type": command_line.positive_int, "metavar": "N"}
    work.add_argument("--num_shards", default=10, help="parts of the results; each is done by one thread", **number)
    work.add_argument("--batch_size", default=8, help="photos a run of the model", **number)
    work.add_argument("--threads", help="that decode photos, for each part in work (default: a core each)", **number)
    work.add_argument("--retries", type=int, default=4, metavar="N", help="of a photo's reading, where it may help")
    args, beam_flags = parser.parse_known_args(argv)
    args.model = args.model.rstrip("/") or "/"
    beam_support.check_reachable((args.input, args.model, args.output_path))
    return args, beam_support.pipeline_options(beam_flags)


def make_job(args: argparse.Namespace) -> Job:
    """Loads the model, for what it knows, where that costs least: before the job.

    Raises:
        UsageError: there is no such model, or it knows no such class.
    """
    with local_model(args.model) as folder:
        names = list(Detector(folder, "onnx").class_names.values())
        name = args.model.rpartition("/")[2] if files.is_url(args.model) else folder.resolve().name
        settings = {
            "models": [{"name": name, "sha256": record_detections.sha256([folder / exported_model.ONNX])}],
            "min_scores": detection_options.score_thresholds(args, [folder], names),
            "nms_iou": args.nms_iou,
        }
    return Job(
        args.model, args.output_path, args.num_shards, settings, args.batch_size, args.threads, args.retries
    )


@contextlib.contextmanager
def local_model(model: str) -> Iterator[Path]:
    """The folder of an exported model, or a temporary one with what this pipeline needs of one on a bucket."""
    if not beam_support.exists(f"{model}/{exported_model.ONNX}"):
        raise UsageError(
            f"there is no {exported_model.ONNX} in {files.display(model)}; scripts/export_model.py makes it, and so "
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


def check_output(output_path: str) -> None:
    """Raises UsageError where a file that is no manifest of this pipeline would be overwritten."""
    path = f"{output_path}.json"
    if beam_support.exists(path) and read_manifest(path) is None:
        raise UsageError(f"--output_path {files.display(output_path)}: {files.display(path)} is of something else; "
                         "choose another name")  # fmt: skip


# ------------------------------------------------------------------------------------------------------ the pipeline


def detect(job: Job, input_path: str, scratch: str, options: PipelineOptions) -> None:
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

    def _done_before(self, shard: str, photos: dict[str, Photo]) -> dict[str, Seen]:
        """What an earlier run with the same settings has found on these very photos."""
        path = f"{shard}{PARTS[-1]}"
        if not beam_support.exists(path):
            return {}
        try:
            settings, *lines = beam_support.read_bytes(path).splitlines()
            if json.loads(settings) != self.job.settings:
                return {}
            seen = {photo.name: photo for photo in map(Seen.of_line, lines)}
        except (ValueError, TypeError, KeyError):  # none of ours
            return {}
        return {
            name: seen[name] for name, photo in photos.items()
            if name in seen and not seen[name].error and seen[name].version == version(photo)
        }  # fmt: skip

    def _look_at(self, photos: Sequence[Photo]) -> Iterator[tuple[str, Seen]]:
        class_ids = {name: class_id for class_id, name in self._detector.class_names.items()}
        pipeline = Pipeline(
            self._detector,
            {class_ids[name]: score for name, score in self.job.settings["min_scores"].items()},
            self.job.settings["nms_iou"],
            limits=Limits(max_bytes=image_bytes.MAX_BYTES, retries=self.job.retries, pause=1.0),
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


def contents(settings: dict[str, Any], seen: Sequence[Seen], errors: Sequence[Seen]) -> Iterator[bytes]:
    """The files of a shard, in the order of PARTS."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(detection_outputs.COLUMNS)
    writer.writerows(detection_outputs.cells(photo.name, found) for photo in seen for found in photo.detections)
    yield table.getvalue().encode()
    yield b"".join(to_line({"filename": photo.name, **photo.error.as_json()}) for photo in errors)
    yield to_line(settings) + b"".join(photo.line() for photo in seen)


def to_line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


# ------------------------------------------------------------------------------------------------------- the manifest


def publish(job: Job, total: Counter) -> None:
    """Writes the manifest; the shards of an earlier run with another number of them go."""
    path = f"{job.output_path}.json"
    shards = [Path(job.shard(index)).name for index in range(job.num_shards)]
    former = read_manifest(path) if beam_support.exists(path) else None
    stale = [f"{beam_support.sibling(path, shard)}{suffix}" for shard in former["shards"] if shard not in shards
             for suffix in PARTS] if former else []  # fmt: skip
    FileSystems.delete([file for file in stale if beam_support.exists(file)])
    counts = {name: total[name] for name in ("photos", "detections", "errors")}
    content = {"kind": MANIFEST, **counts, "settings": job.settings, "shards": shards}
    beam_support.write_whole(path, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def read_manifest(path: str) -> dict[str, Any] | None:
    """The manifest of an earlier run, or None where the file is none."""
    try:
        content = json.loads(beam_support.read_bytes(path))
        return content if content["kind"] == MANIFEST else None
    except (ValueError, TypeError, KeyError):
        return None


def report(job: Job, total: Counter, shards: Iterable[dict[str, Any]], cpu_seconds: float | None) -> None:
    """Says what there is.

    Raises:
        DataError: photos could not be read.
    """
    looked_at = total["photos"] - total["kept"]
    least = ", ".join(f"{name} {score:g}" for name, score in job.settings["min_scores"].items())
    pattern = f"{files.display(job.output_path)}-?????-of-{job.num_shards:05d}"
    print(
        f"{total['photos']} photos, {total['kept']} of them done before, {total['detections']} detections "
        f"(least scores: {least}): {pattern}.csv, {pattern}.jsonl"
    )
    if cpu_seconds and looked_at:
        milliseconds = 1000 * cpu_seconds / looked_at
        print(f"{milliseconds:.1f} ms of CPU time a photo: {1000 / milliseconds:.1f} photos a second and core")
    if total["errors"]:
        shown = list(itertools.islice((text for shard in shards for text in shard["errors"]), SHOWN))
        more = total["errors"] - len(shown)
        shown += [f"error: {more} more photos could not be read."] * bool(more)
        consequence = f"the others were done; these are in {pattern}.errors.jsonl; the same command tries them again"
        raise DataError(shown, consequence)


if __name__ == "__main__":
    command_line.run(main)
