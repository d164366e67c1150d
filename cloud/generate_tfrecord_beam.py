"""generate_tfrecord.py as an Apache Beam pipeline, for more images than one machine is to convert.

In:  a labels CSV, the images that it names, and a label map: on a disk, or in a bucket (gs://...).
Out: the TFRecord files <output_path>-00000-of-00010 and so on, and <output_path>.json, which says what is in them.

    python cloud/generate_tfrecord_beam.py --csv_input data/train_labels.csv --output_path data/train.record

The records are those of generate_tfrecord.py: as a set the same, in another order. So are the checks: all that is wrong
is listed at once, and then no file appears under its name (--skip_invalid leaves images with errors out).

Needs requirements-beam.txt. Flags that are not listed below go to Beam. Without any, the pipeline runs in this process;
on all cores of this machine with

    --direct_running_mode=multi_processing --direct_num_workers=0

and on Google Cloud Dataflow, which needs `pip install "apache-beam[gcp]"`, with

    python cloud/generate_tfrecord_beam.py --num_shards=100
        --csv_input=gs://BUCKET/data/train_labels.csv --label_map=gs://BUCKET/data/apparel_label_map.pbtxt
        --image_dir=gs://BUCKET/samples --output_path=gs://BUCKET/data/train.record
        --runner=DataflowRunner --project=PROJECT --region=REGION --temp_location=gs://BUCKET/tmp
        --sdk_container_image=REGION-docker.pkg.dev/PROJECT/REPOSITORY/apparel-beam:1 --max_num_workers=20

where the container holds this repository and what it imports (cloud/README.md). The command waits for the job: it
publishes the files, or lists what is wrong.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib.util
import io
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import _init_paths  # noqa: F401

if importlib.util.find_spec("apache_beam") is None:
    raise SystemExit("error: Apache Beam is missing; install it with: python -m pip install -r requirements-beam.txt")

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from cloud.lib import beam_support
from cloud.lib.beam_support import exists, local_copy, read_bytes, read_lines, scratch_folder, sibling, write_text
from scripts.lib.core import command_line, files
from scripts.lib.core.errors import Finding, UsageError
from scripts.lib.dataset import label_map, labels_csv
from scripts.lib.images import decode, image_names
from scripts.lib.records import content as record_content
from scripts.lib.records import make_example as image_examples
from scripts.lib.records import manifest, tf_example, tf_record
from scripts.lib.records.content import Content, Outcome
from scripts.lib.records.make_example import ExampleMaker, LabelledImage


def main(argv: Sequence[str] | None = None) -> None:
    args, options = parse_arguments(argv)
    with local_copy(args.label_map, "label map") as path:
        class_ids, label_map_bytes = label_map.read(path), path.read_bytes()
    with local_copy(args.csv_input, "labels CSV") as path:
        images, csv_bytes = image_examples.labelled_images(labels_csv.read_rows(path)), path.read_bytes()
    check_output(args)
    repeated = record_content.repeat_rare_classes(images, class_ids, args.oversample) if args.oversample else images
    finder = example_maker(args, class_ids)
    finder.refuse_shared_images(images)

    content = Content(class_ids)
    with scratch_folder(args.output_path) as scratch:
        write_text(f"{scratch}/tasks", (task_line(number, image, finder) for number, image in enumerate(repeated)))
        convert(scratch, example_maker(args, class_ids), args.num_shards, options)
        for outcome in read_outcomes(scratch):
            content.add(outcome)
        content.check(args)
        publish(scratch, args, content, {"csv_input": csv_bytes, "label_map": label_map_bytes})
    content.report(args)


def parse_arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, PipelineOptions]:
    """Our flags, and Beam's."""
    parser = command_line.make_parser(__doc__)
    paths = parser.add_argument_group("paths, of files or gs://...")
    for name, default, title in (
        ("csv_input", "data/train_labels.csv", "labels CSV"),
        ("output_path", "data/train.record", "TFRecord to write"),
        ("image_dir", "samples", "folder of the images"),
        ("label_map", "data/apparel_label_map.pbtxt", "class names and ids, a .pbtxt"),
    ):
        paths.add_argument(f"--{name}", default=str(files.default_path(default)), help=title)
    record_content.add_options(parser)
    parser.add_argument_group("work").add_argument(
        "--num_shards", type=int, default=10, help="number of files to spread the record over"
    )
    args, beam_flags = parser.parse_known_args(argv)
    record_content.check_options(args)
    options = beam_support.pipeline_options(beam_flags)
    beam_support.check_reachable((args.csv_input, args.output_path, args.image_dir, args.label_map))
    if not files.is_url(args.image_dir) and not Path(args.image_dir).is_dir():
        raise UsageError(f"there is no image folder {files.shown_path(args.image_dir)}")
    return args, options


def check_output(args: argparse.Namespace) -> None:
    """Raises UsageError where a file that is no TFRecord would be overwritten."""
    for path in shard_paths(args.output_path, args.num_shards):
        start = io.BytesIO(read_bytes(path, tf_record.HEADER_BYTES)) if exists(path) else io.BytesIO()
        if start.getvalue() and not tf_record.begins_record(start):
            raise UsageError(f"--output_path {files.shown_path(path)} exists and is no TFRecord; choose another name")


# One image


class BucketExampleMaker(ExampleMaker):
    """Reads images that are on no disk through Beam's file systems."""

    def __init__(self, image_dir: str, *arguments, **options):
        super().__init__(image_dir, *arguments, **options)
        self.image_dir = image_dir.rstrip("/")  # a Path would take the address for a name

    def _list_folder(self) -> image_names.ImageFolder:
        (match,) = FileSystems.match([f"{self.image_dir}/**"])
        names = (metadata.path[len(self.image_dir) + 1 :] for metadata in match.metadata_list)
        visible = (name for name in names if image_names.has_image_suffix(name) and "/." not in f"/{name}")
        return image_names.ImageFolder(self.image_dir, sorted(visible))

    def _is_file(self, name: str) -> bool:
        return exists(self._path(name))

    def _content(self, name: str) -> tuple[int, bytes]:
        data = read_bytes(self._path(name), decode.MAX_BYTES + 1)
        return len(data), data


def example_maker(args: argparse.Namespace, class_ids: Mapping[str, int]) -> ExampleMaker:
    kind = BucketExampleMaker if files.is_url(args.image_dir) else ExampleMaker
    return kind(args.image_dir, class_ids, verify=not args.trust_images, max_image_side=args.max_image_side)


def task_line(number: int, image: LabelledImage, finder: ExampleMaker) -> str:
    """What a worker has to know of an image: it need not list the folder, nor look at other images."""
    name, findings = finder.find(image.filename)
    return json.dumps([number, dataclasses.astuple(image), name, [finding.as_json() for finding in findings]])


class MakeExample(beam.DoFn):
    """A line of `task_line` -> (shard, serialized Example); and the outcome, as a line for `read_outcomes`."""

    def __init__(self, make_example: ExampleMaker, num_shards: int):
        self.make_example = make_example
        self.num_shards = num_shards

    def process(self, line: str) -> Iterator[tuple[int, bytes] | beam.pvalue.TaggedOutput]:
        number, (filename, size, class_names, boxes), name, findings = json.loads(line)
        image = LabelledImage(filename, tuple(size), tuple(class_names), tuple(map(tuple, boxes)))
        made = self.make_example.make(image, name, [Finding(**finding) for finding in findings])
        outcome = Outcome.of(made)
        findings = [finding.as_json() for finding in outcome.findings]
        fields = filename, class_names, outcome.recorded, findings, outcome.sha256.hex()
        yield beam.pvalue.TaggedOutput("outcomes", json.dumps([number, fields]))
        if made.example is not None:
            yield number % self.num_shards, tf_example.serialized(made.example)


# The pipeline, and what it leaves in the scratch folder: tasks, outcomes-*, shards-*, and the files of the record


def convert(scratch: str, make_example: ExampleMaker, num_shards: int, options: PipelineOptions) -> None:
    with beam_support.new_pipeline(options) as pipeline:
        made = (
            pipeline
            | "tasks" >> beam.io.ReadFromText(f"{scratch}/tasks")
            | "spread" >> beam.Reshuffle()
            | "make examples" >> beam.ParDo(MakeExample(make_example, num_shards)).with_outputs("outcomes", main="made")
        )
        made.outcomes | "write outcomes" >> beam.io.WriteToText(f"{scratch}/outcomes")
        (
            made.made
            | "by shard" >> beam.GroupByKey()
            | "write shards" >> beam.MapTuple(functools.partial(write_shard, scratch))
            | "list shards" >> beam.io.WriteToText(f"{scratch}/shards")
        )


def write_shard(scratch: str, index: int, examples: Iterable[bytes]) -> str:
    """Writes one file of the record, under a name of its own, since a worker that fails is started again."""
    path = f"{scratch}/{uuid.uuid4().hex}"
    count = size = 0
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        for data in examples:
            tf_record.write_record(file, data)
            count, size = count + 1, size + len(data) + tf_record.OVERHEAD_BYTES
    return json.dumps([index, path, count, size])


def read_outcomes(scratch: str) -> Iterator[Outcome]:
    """What became of the images, in the order of the tasks."""
    for _, (filename, class_names, recorded, findings, sha256) in sorted(read_lines(f"{scratch}/outcomes-*")):
        findings = [Finding(**finding) for finding in findings]
        yield Outcome(filename, class_names, recorded, findings, bytes.fromhex(sha256))


def publish(scratch: str, args: argparse.Namespace, content: Content, inputs: Mapping[str, bytes]) -> None:
    """Gives the record's files their names, and writes the manifest last; what an earlier run left goes first."""
    manifest_path = f"{args.output_path}.json"
    written = {index: rest for index, *rest in read_lines(f"{scratch}/shards-*")}
    for index in set(range(args.num_shards)).difference(written):  # of images with errors alone
        written[index] = json.loads(write_shard(scratch, index, []))[1:]
    sources, counts, sizes = zip(*(written[index] for index in range(args.num_shards)), strict=True)
    places = shard_paths(args.output_path, args.num_shards)

    former = manifest.parsed(read_bytes(manifest_path)) if exists(manifest_path) else None
    earlier = [sibling(args.output_path, shard["file"]) for shard in former["shards"]] if former else []
    FileSystems.delete([path for path in {manifest_path, *earlier, *places} if exists(path)])
    FileSystems.rename(list(sources), places)
    summary = content.summary(args, zip(counts, sizes, strict=True), inputs)
    write_text(manifest_path, [manifest.text(summary)])


def shard_paths(path: str, num_shards: int) -> list[str]:
    return [sibling(path, shard) for shard in tf_record.shard_paths(path, num_shards)]


if __name__ == "__main__":
    command_line.run(main)
