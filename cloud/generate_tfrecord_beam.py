"""Run generate_tfrecord.py as an Apache Beam pipeline, for more images than one machine should convert.

In:  a labels CSV, the images that it names, and a label map: on a disk, or in a bucket (gs://...).
Out: the TFRecord files <output_path>-00000-of-00010 and so on, and <output_path>.json, which says what is in them.

    python cloud/generate_tfrecord_beam.py --csv_input data/train_labels.csv --output_path data/train.record

The records are those of generate_tfrecord.py in another order. The checks are the same, too: all errors are listed at
once, and then no file appears under its name (--skip_invalid leaves images with errors out).

Needs requirements-beam.txt. Flags that are not listed below go to Beam. Without any, the pipeline runs in this process;
on all cores of this machine with

    --direct_running_mode=multi_processing --direct_num_workers=0

and on Google Cloud Dataflow with the command in cloud/beam.md. It waits for the job: it publishes the files, or lists
what is wrong.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import io
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import _init_paths  # noqa: F401
import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from cloud.lib import beam_support
from cloud.lib.beam_support import exists, local_copy, read_bytes, read_lines, scratch_folder, sibling, write_lines
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import positive_int
from scripts.lib.core.errors import DataError, Finding, UsageError, errors
from scripts.lib.dataset import label_map, labelled_images, labels_csv, split_manifest
from scripts.lib.dataset.labelled_images import CheckedImage, ImageChecker, LabelledImage
from scripts.lib.images import decode, image_names
from scripts.lib.records import manifest, options, oversampling, tf_example, tf_record
from scripts.lib.records.options import RecordOptions
from scripts.lib.records.tally import RecordTally


def main(argv: Sequence[str] | None = None) -> None:
    args, beam_options = parse_arguments(argv)
    record = RecordOptions(**vars(args))
    with local_copy(record.label_map, "label map") as path, files.unchanged(path) as label_map_sha256:
        class_ids, warnings = label_map.read_for_records(path, record.keep_label_ids)
    with local_copy(record.csv_input, "labels CSV") as path, files.unchanged(path) as csv_sha256:
        images = labelled_images.labelled_images(labels_csv.read_rows(path))
        warnings += split_manifest.check(path, csv_sha256)
    if errors(warnings):
        raise DataError(warnings, f"{record.output_path} was not written")
    refuse_other_files(record)
    finder = image_checker(record, class_ids)
    finder.refuse_shared_images(images)
    images, lines = oversampling.oversampled(images, class_ids, record.oversample)
    for line in (*warnings, *lines):
        print(line)

    tally = RecordTally(class_ids)
    with scratch_folder(record.output_path) as scratch:
        write_lines(f"{scratch}/tasks", (task_line(number, image, finder) for number, image in enumerate(images)))
        convert(scratch, image_checker(record, class_ids), record.num_shards, beam_options)
        for image in read_checked_images(scratch):
            tally.add(image)
        tally.refuse_bad_record(record)
        publish(scratch, record, tally, csv_sha256, label_map_sha256)
    tally.print_findings()
    print(*tally.report(record), sep="\n")


def parse_arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, PipelineOptions]:
    """Return our flags, and Beam's."""
    parser = command_line.make_parser(__doc__, passes_on=True)
    csv_input, output_path = files.default_path("data/train_labels.csv"), files.default_path("data/train.record")
    image_dir, classes = files.default_path("samples"), files.default_path("data/apparel_label_map.pbtxt")
    paths = parser.add_argument_group("paths, of files or gs://...")
    paths.add_argument("--csv_input", "--input_csv", default=str(csv_input), help="labels CSV")
    paths.add_argument("--output_path", default=str(output_path), help="TFRecord to write")
    paths.add_argument("--image_dir", default=str(image_dir), help="folder of the images")
    paths.add_argument("--label_map", "--label_map_path", default=str(classes), help="class names and ids, a .pbtxt")
    options.add_flags(parser)
    work = parser.add_argument_group("work")
    work.add_argument("--num_shards", type=positive_int, default=10, help="number of files to split the record into")
    args, beam_flags = parser.parse_known_args(argv)
    places = args.csv_input, args.output_path, args.image_dir, args.label_map
    beam_options = beam_support.pipeline_options(beam_flags, places, parser.shown_flags())
    if not files.is_url(args.image_dir) and not Path(args.image_dir).is_dir():
        raise UsageError(f"there is no image folder {files.shown_path(args.image_dir)}")
    return args, beam_options


def refuse_other_files(record: RecordOptions) -> None:
    """Raise UsageError where a file that is not a TFRecord, or not a manifest, would be overwritten."""
    for path in shard_paths(record):
        start = io.BytesIO(read_bytes(path, tf_record.HEADER_BYTES)) if exists(path) else io.BytesIO()
        if start.getvalue() and not tf_record.begins_record(start):
            shown = files.shown_path(path)
            raise UsageError(f"--output_path {shown} exists but is not a TFRecord; choose another name")
    path = f"{record.output_path}.json"
    if exists(path) and read_bytes(path, len(manifest.HEAD)) != manifest.HEAD:
        shown = files.shown_path(path)
        raise UsageError(f"--output_path: {shown} exists but is not a manifest of a record; choose another name")


class BucketImageChecker(ImageChecker):
    """Reads images in buckets through Beam's file systems."""

    @functools.cached_property
    def folder(self) -> image_names.ImageFolder:
        (match,) = FileSystems.match([f"{self.image_dir}/**"])
        names = (metadata.path[len(self.image_dir) + 1 :] for metadata in match.metadata_list)
        return image_names.ImageFolder(self.image_dir, sorted(filter(beam_support.is_visible_image, names)))

    def _is_file(self, name: str) -> bool:
        return exists(self._path(name))

    def _read(self, name: str) -> tuple[bytes | None, list[Finding]]:
        def content(path: str) -> tuple[int, bytes]:
            data = read_bytes(path, decode.MAX_BYTES + 1)
            return len(data), data

        return decode.read_bytes(self._path(name), name, content)


def image_checker(record: RecordOptions, class_ids: Mapping[str, int]) -> ImageChecker:
    settings = class_ids, not record.trust_images, record.max_image_side
    if files.is_url(record.image_dir):
        return BucketImageChecker(record.image_dir.rstrip("/"), *settings)
    return ImageChecker(record.image_dir, *settings)


def task_line(number: int, image: LabelledImage, finder: ImageChecker) -> str:
    """Return what a worker has to know of an image: it need not list the folder, nor look at other images."""
    name, findings = finder.find(image.filename)
    return json.dumps([number, dataclasses.astuple(image), name, [finding.as_json() for finding in findings]])


class MakeExample(beam.DoFn):
    """A line of `task_line` -> (shard, serialized Example); and a line for `read_checked_images`."""

    def __init__(self, checker: ImageChecker, num_shards: int):
        self.checker = checker
        self.num_shards = num_shards

    def process(self, line: str) -> Iterator[tuple[int, bytes] | beam.pvalue.TaggedOutput]:
        number, (filename, size, class_names, boxes), name, findings = json.loads(line)
        image = LabelledImage(filename, tuple(size), tuple(class_names), tuple(map(tuple, boxes)))
        checked = self.checker.check_found(image, name, [Finding(**finding) for finding in findings])
        findings = [finding.as_json() for finding in checked.findings]
        outcome = json.dumps([number, [filename, class_names, findings, checked.sha256.hex()]])
        yield beam.pvalue.TaggedOutput("outcomes", outcome)
        if checked.is_sound:
            yield (
                number % self.num_shards,
                tf_example.serialized(tf_example.make_example(checked, self.checker.class_ids)),
            )


def convert(scratch: str, checker: ImageChecker, num_shards: int, beam_options: PipelineOptions) -> None:
    """Run the pipeline; it leaves outcomes-*, shards-* and the files of the record in the scratch folder."""
    with beam_support.new_pipeline(beam_options) as pipeline:
        made = (
            pipeline
            | "tasks" >> beam.io.ReadFromText(f"{scratch}/tasks")
            | "spread" >> beam.Reshuffle()
            | "make examples" >> beam.ParDo(MakeExample(checker, num_shards)).with_outputs("outcomes", main="made")
        )
        made.outcomes | "write outcomes" >> beam.io.WriteToText(f"{scratch}/outcomes")
        (
            made.made
            | "by shard" >> beam.GroupByKey()
            | "write shards" >> beam.MapTuple(functools.partial(write_shard, scratch))
            | "list shards" >> beam.io.WriteToText(f"{scratch}/shards")
        )


def write_shard(scratch: str, index: int, examples: Iterable[bytes]) -> str:
    """Write one file of the record, under a name of its own, since a worker that fails is started again."""
    path = f"{scratch}/{uuid.uuid4().hex}"
    count = size = 0
    with beam_support.create(path) as file:
        for data in examples:
            tf_record.write_record(file, data)
            count, size = count + 1, size + len(data) + tf_record.OVERHEAD_BYTES
    return json.dumps([index, path, count, size])


def read_checked_images(scratch: str) -> Iterator[CheckedImage]:
    """Yield the images as far as the tally needs them, in the order of the tasks."""
    for _, (filename, class_names, findings, sha256) in sorted(read_lines(f"{scratch}/outcomes-*")):
        image = LabelledImage(filename, (0, 0), tuple(class_names), ())
        yield CheckedImage(image, [Finding(**finding) for finding in findings], bytes.fromhex(sha256))


def publish(scratch: str, record: RecordOptions, tally: RecordTally, csv_sha256: str, label_map_sha256: str) -> None:
    """Give the record's files their names, and write the manifest last; first remove what an earlier run left."""
    manifest_path = f"{record.output_path}.json"
    written = {index: rest for index, *rest in read_lines(f"{scratch}/shards-*")}
    for index in set(range(record.num_shards)).difference(written):  # all of its images have errors
        written[index] = json.loads(write_shard(scratch, index, []))[1:]
    sources, counts, sizes = zip(*(written[index] for index in range(record.num_shards)), strict=True)
    places = shard_paths(record)

    former = manifest.parsed(read_bytes(manifest_path)) if exists(manifest_path) else None
    earlier = [sibling(record.output_path, shard["file"]) for shard in former["shards"]] if former else []
    beam_support.delete({manifest_path, *earlier, *places})
    FileSystems.rename(list(sources), places)
    content = tally.manifest(record, zip(counts, sizes, strict=True), csv_sha256, label_map_sha256)
    beam_support.write_whole(manifest_path, manifest.text(content).encode())


def shard_paths(record: RecordOptions) -> list[str]:
    paths = tf_record.shard_paths(record.output_path, record.num_shards)
    return [sibling(record.output_path, path) for path in paths]


if __name__ == "__main__":
    command_line.run(main)
