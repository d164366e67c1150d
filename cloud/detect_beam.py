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

cloud/submit.py batch-detect checks and starts that; machines, hours and cost: cloud/README.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import _init_paths  # noqa: F401

if importlib.util.find_spec("apache_beam") is None:
    raise SystemExit("error: Apache Beam is missing; install it with: python -m pip install -r requirements-beam.txt")

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from cloud.lib import beam_detection, beam_support
from cloud.lib.beam_detection import PARTS, SHOWN, Job
from scripts.lib.core import command_line, files
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.detection import options as detection_options
from scripts.lib.models import exported_model

FEW = 100  # photos, below which starting takes a good part of the time
MANIFEST = "detections"  # what a manifest begins with


def main(argv: Sequence[str] | None = None) -> None:
    args, options = parse_arguments(argv)
    job = make_job(args)
    check_output(args.output_path)
    cpu_start = time.process_time()
    with beam_support.scratch_folder(args.output_path) as scratch:
        beam_detection.run(job, args.input, scratch, options)
        shards = [shard for _, shard in sorted(beam_support.read_lines(f"{scratch}/shards-*"))]
    total = sum((Counter(shard["counts"]) for shard in shards), Counter())
    if not total["photos"]:
        raise UsageError(f"--input {args.input}: no image in it")
    publish(job, total)
    report(job, total, shards, time.process_time() - cpu_start if beam_support.in_this_process(options) else None)


def parse_arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, PipelineOptions]:
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
    if args.retries < 0:
        parser.error("--retries cannot be negative")
    args.model = args.model.rstrip("/") or "/"
    options = beam_support.pipeline_options(beam_flags)
    beam_support.check_reachable((args.input, args.model, args.output_path))
    return args, options


def make_job(args: argparse.Namespace) -> Job:
    """Loads the model, for what it knows, where that costs least: before the job.

    Raises:
        UsageError: there is no such model, or it knows no such class.
    """
    with beam_detection.local_model(args.model) as folder:
        names = list(beam_detection.Detector(folder, "onnx").class_names.values())
        name = args.model.rpartition("/")[2] if files.is_url(args.model) else folder.resolve().name
        settings = {
            "models": [{"name": name, "sha256": files.sha256(folder / exported_model.ONNX)}],
            "min_scores": detection_options.score_thresholds(args, [folder], names),
            "nms_iou": args.nms_iou,
        }
    return Job(args.model, args.output_path, args.num_shards, settings, args.batch_size, args.threads, args.retries)


def check_output(output_path: str) -> None:
    """Raises UsageError where a file that is no manifest of this pipeline would be overwritten."""
    path = f"{output_path}.json"
    if beam_support.exists(path) and read_manifest(path) is None:
        raise UsageError(
            f"--output_path {files.shown_path(output_path)}: {files.shown_path(path)} is of something else; "
            "choose another name"
        )


# ----------------------------------------------------------------------------------------------------- what there is


def publish(job: Job, total: Counter) -> None:
    """Writes the manifest; the shards of an earlier run with another number of them go."""
    path = f"{job.output_path}.json"
    shards = [Path(job.shard(index)).name for index in range(job.num_shards)]
    former = read_manifest(path) if beam_support.exists(path) else None
    stale = (
        [
            f"{beam_support.sibling(path, shard)}{suffix}"
            for shard in former["shards"]
            if shard not in shards
            for suffix in PARTS
        ]
        if former
        else []
    )
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
    pattern = f"{files.shown_path(job.output_path)}-?????-of-{job.num_shards:05d}"
    print(
        f"{total['photos']} photos, {total['kept']} of them done before, {total['detections']} detections "
        f"(least scores: {least}): {pattern}.csv, {pattern}.jsonl"
    )
    if cpu_seconds and looked_at >= FEW:
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
