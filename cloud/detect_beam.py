"""Runs detect.py as an Apache Beam pipeline, for more images than one machine can do.

In:   an exported model with model.onnx (scripts/export_model.py), and images: a folder or a pattern on a bucket
      (gs://...), a text file there with one address per line, or a local --input of detect.py.
Out:  in --num_shards parts <output_path>-00000-of-00010 and so on, of each
        .csv           filename,class,score,xmin,ymin,xmax,ymax, as detect.py's detections.csv
        .jsonl         one line per image, as detect.py's detections.jsonl
        .errors.jsonl  images that could not be read, and why
      and, last, <output_path>.json: the settings and the counts.

  python cloud/detect_beam.py --model exported_model --input samples --output_path detections/run1

An image's part follows from its name. The same command again detects only on images that are new, have changed, or
could not be read; with another model or other score thresholds, on all. So a run that was stopped goes on, and ends
with the results of a single run. A text file on a bucket says nothing of changes; its images are done once.

Needs requirements-beam.txt. Flags that are not listed below go to Beam; without any, the pipeline runs in this process.
cloud/submit.py batch-detect starts it on Google Cloud Dataflow; machines, hours and cost: cloud/beam.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401
from apache_beam.options.pipeline_options import PipelineOptions

from cloud.lib import beam_detection, beam_support
from cloud.lib.beam_detection import PARTS, SHOWN, DetectionJob
from scripts.lib.core import command_line, files, json_text
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.wording import counted
from scripts.lib.detection import detections
from scripts.lib.models import exported_model

MANIFEST = "detections"  # "kind" of a manifest


def main(argv: Sequence[str] | None = None) -> None:
    args, beam_options = parse_arguments(argv)
    with beam_detection.local_model(args.model) as folder:  # loaded here, for its class names: cheaper than in the job
        class_names = list(beam_detection.Detector(folder, "onnx").class_names.values())
        name = args.model.rpartition("/")[2] if files.is_url(args.model) else folder.resolve().name
        model = {"name": name, "sha256": files.sha256(folder / exported_model.ONNX)}
        thresholds = detections.score_thresholds(
            [folder], class_names, args.min_score, args.class_min_score, args.classes
        )
    suppression = {"nms_iou": args.nms_iou, "class_agnostic_nms": args.class_agnostic_nms}
    settings = {"models": [model], "min_scores": thresholds, **suppression}
    job = DetectionJob(
        args.model, args.output_path, args.num_shards, settings, args.batch_size, args.threads, args.retries
    )
    former_shards = read_manifest(job.output_path)
    with beam_support.scratch_folder(job.output_path) as scratch:
        beam_detection.run(job, args.input, scratch, beam_options)
        shards = [shard for _, shard in sorted(beam_support.read_lines(f"{scratch}/shards-*"))]
    total = sum((Counter(shard["counts"]) for shard in shards), Counter())
    if not total["photos"]:
        raise UsageError(f"--input {args.input}: no image in it")
    publish(job, total, former_shards)
    report(job, total, [text for shard in shards for text in shard["errors"]])


def parse_arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, PipelineOptions]:
    """Parse our flags, and Beam's."""
    positive_int, default_path = command_line.positive_int, files.default_path
    parser = command_line.make_parser(__doc__, passes_on=True)
    paths = parser.add_argument_group("paths of files, or gs://...")
    paths.add_argument("--input", required=True, help="images: a folder, a pattern, or a text file with addresses")
    paths.add_argument("--model", default=str(default_path("exported_model")), help="exported model")
    output = str(default_path("detections/detections"))
    paths.add_argument("--output_path", default=output, help="prefix of the results")
    detections.add_flags(parser)
    work = parser.add_argument_group("work")
    work.add_argument("--num_shards", type=positive_int, default=10, help="parts of the results, a thread each")
    work.add_argument("--batch_size", type=positive_int, default=8, help="images per inference batch")
    work.add_argument("--threads", type=positive_int, help="decoding threads per part (default: one per core)")
    work.add_argument("--retries", type=command_line.not_negative_int, default=4, help="further tries to read an image")
    args, beam_flags = parser.parse_known_args(argv)
    args.model = args.model.rstrip("/") or "/"
    places = args.input, args.model, args.output_path
    return args, beam_support.pipeline_options(beam_flags, places, parser.shown_flags())


def read_manifest(output_path: str) -> list[str]:
    """Return the shards in the manifest of an earlier run; none where there is no such file.

    Raises:
        UsageError: the file is not a manifest, and would be overwritten.
    """
    path = f"{output_path}.json"
    if not beam_support.exists(path):
        return []
    with contextlib.suppress(ValueError):
        content = json_text.parse(beam_support.read_bytes(path), {"kind": str, "shards": [str]})
        if content["kind"] == MANIFEST:
            return content["shards"]
    raise UsageError(
        f"--output_path {files.shown_path(output_path)}: {files.shown_path(path)} is not a manifest of detect_beam.py; "
        "choose another name"
    )


def publish(job: DetectionJob, total: Counter, former_shards: Sequence[str]) -> None:
    """Write the manifest; delete the former shards that this run, with another number of shards, did not replace."""
    path = f"{job.output_path}.json"
    shards = [Path(job.shard(index)).name for index in range(job.num_shards)]
    stale = [beam_support.sibling(path, shard) for shard in former_shards if shard not in shards]
    beam_support.delete(f"{shard}{suffix}" for shard in stale for suffix in PARTS)
    counts = {name: total[name] for name in ("photos", "detections", "errors")}
    content = {"kind": MANIFEST, **counts, "settings": job.settings, "shards": shards}
    beam_support.write_whole(path, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def report(job: DetectionJob, total: Counter, errors: Sequence[str]) -> None:
    """Print the summary.

    Raises:
        DataError: images could not be read.
    """
    thresholds = detections.shown_thresholds(job.settings["min_scores"])
    pattern = f"{files.shown_path(job.output_path)}-?????-of-{job.num_shards:05d}"
    print(
        f"{counted(total['photos'], 'image')}, {total['kept']} done before, "
        f"{counted(total['detections'], 'detection')} (score thresholds: {thresholds}): {pattern}.csv, {pattern}.jsonl"
    )
    if total["errors"]:
        more = total["errors"] - len(errors[:SHOWN])
        shown = [*errors[:SHOWN], *[f"{counted(more, 'more image')} could not be read."] * bool(more)]
        consequence = f"the others were done; these are in {pattern}.errors.jsonl; the same command tries them again"
        raise DataError(shown, consequence)


if __name__ == "__main__":
    command_line.run(main)
