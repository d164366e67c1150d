"""Check a data set: read every annotation, decode every image, and list everything that is wrong or odd.

In:  annotations (or a labels CSV), the images, the label map. None of them is changed.
Out: a report; with --json FILE every finding with severity, kind, file, object, message and remedy; with --plot FILE
     a plot: boxes per class, their sizes and aspect ratios compared with the config's anchors, where they lie in the
     image, image sizes, and six labelled images.

    python scripts/check_dataset.py --annotations_dir annotations --image_dir samples
    python scripts/check_dataset.py --train_csv data/train_labels.csv --test_csv data/test_labels.csv
    python scripts/check_dataset.py --csv_input data/labels.csv --pipeline_config_path runs/mine/pipeline.config
    python scripts/check_dataset.py --record others.record --label_map others.pbtxt

An error is what xml_to_csv.py or generate_tfrecord.py refuses, in the same words; a warning is accepted there, but most
likely not what was meant; a note is worth knowing. Annotations are in any format that xml_to_csv.py reads.
Near-duplicate images are found by a perceptual hash; with --train_csv and --test_csv, above all those on both sides.
--record looks into a record that another tool made; train.py, eval.py and make_config.py do the same.

Exit status: 0 no errors (there may be warnings and notes), 1 errors, 2 wrong usage.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib.annotations import registry
from scripts.lib.config import pipeline_config
from scripts.lib.core import command_line, files, parallel
from scripts.lib.core.command_line import EXIT_DATA, existing_file, local_path, positive_int
from scripts.lib.core.errors import Finding, UsageError, count_by_severity, errors
from scripts.lib.core.wording import counted
from scripts.lib.dataset import label_map
from scripts.lib.dataset.doctor import checks, data_set, findings_report
from scripts.lib.dataset.doctor.data_set import DataSet
from scripts.lib.images import fonts
from scripts.lib.images.image_names import ImageFolder
from scripts.lib.records import manifest, record_checks, tf_record


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    if args.record:
        return check_record(args.record, args.label_map, args.json)
    config = pipeline_config.read(args.pipeline_config_path) if args.pipeline_config_path else None
    folder = ImageFolder(args.image_dir)
    if args.csv_input:
        labels, findings = data_set.read_labels_csv(args.csv_input, folder)
    else:
        labels, findings = data_set.read_annotations(
            args.annotations_dir, args.format, args.class_map, args.include_negatives, folder
        )
    split_csvs = (args.train_csv, args.test_csv) if args.train_csv else None
    data, data_findings = data_set.read(labels, folder, args.label_map, split_csvs, args.num_workers)
    findings += data_findings + checks.check(data) + small_objects(data, config)
    facts, image_dir = data.facts(), files.shown_path(args.image_dir)

    command_line.print_findings(findings)
    print(
        f"\n{counted(facts['annotated_images'], 'annotated image')}; "
        f"{counted(facts['images'], 'image')} in {image_dir}, {facts['images_readable']} of them readable; "
        f"{counted(sum(facts['boxes'].values()), 'box')} without errors "
        f"in {counted(facts['images_with_sound_boxes'], 'image')}:"
    )
    for name, number in facts["boxes"].items():
        print(f"{number:7}  {name}")
    if config is not None:
        print_anchor_fit(data, config)
    print(f"\n{count_by_severity(findings) or 'nothing found'}")
    for step in findings_report.next_steps(findings, facts["images"], image_dir, from_csv=bool(args.csv_input)):
        print(f"- {step}")
    if args.json:
        findings_report.write_json(args.json, findings, facts)
        print(f"all findings: {files.shown_path(args.json)}")
    if args.plot:
        fonts.use(args.font, data.class_ids)
        write_plot(args.plot, data, config)
        print(f"plot: {files.shown_path(args.plot)}")
    return EXIT_DATA if errors(findings) else 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__, {"--num_shown": "write --all to list every finding"})
    image_dir, default_map = files.default_path("samples"), files.default_path("data/apparel_label_map.pbtxt")
    formats = (registry.AUTO, *registry.FORMATS)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    annotations = {
        "nargs": "+",
        "type": local_path,
        "default": [files.default_path("annotations")],
        "metavar": "FOLDER",
    }
    source.add_argument("--annotations_dir", **annotations, help="folders of the annotations")
    source.add_argument("--csv_input", "--input_csv", type=existing_file, help="labels CSV, instead of the annotations")
    source.add_argument(
        "--record", metavar="FILE", help="TFRecord, or pattern of its shards, instead of the annotations"
    )
    data.add_argument("--format", choices=formats, default=registry.AUTO, metavar="FORMAT", help=registry.FORMAT_HELP)
    data.add_argument("--class_map", type=existing_file, help="CSV with the columns theirs,ours that renames classes")
    data.add_argument("--image_dir", type=local_path, default=image_dir, help="folder of the images")
    data.add_argument(
        "--label_map", "--label_map_path", type=local_path, default=default_map, help="class names and ids"
    )
    data.add_argument("--include_negatives", action="store_true", help="keep images without objects")
    data.add_argument("--train_csv", type=existing_file, help="training set, to find images that are in both")
    data.add_argument("--test_csv", type=existing_file, help="test set, with --train_csv")

    report = parser.add_argument_group("report")
    report.add_argument("--json", type=local_path, metavar="FILE", help="write all findings to this file")
    report.add_argument("--plot", type=local_path, metavar="FILE.png", help="write the plot to this file")
    fonts.add_flag(report)
    report.add_argument(
        "--pipeline_config_path", type=local_path, help="compare boxes with its anchors (default: 300x300)"
    )
    parser.add_argument("--num_workers", type=positive_int, default=parallel.available_cores(), help="threads")

    args = parser.parse_args(argv)
    if bool(args.train_csv) != bool(args.test_csv):
        raise UsageError("--train_csv and --test_csv are the two sides of one split: give both, or neither")
    if args.csv_input and args.class_map:
        raise UsageError("--class_map renames the classes of annotations; those of --csv_input are ours already")
    ignored = ("class_map", "train_csv", "test_csv", "include_negatives", "plot", "pipeline_config_path")
    if args.record and (given := [f"--{name}" for name in ignored if getattr(args, name)]):
        raise UsageError(f"--record is checked on its own: leave out {' and '.join(given)}")
    if not args.csv_input and not args.record:
        registry.require_existing(args.annotations_dir)
    if not args.record and not args.image_dir.is_dir():
        raise UsageError(f"--image_dir {files.shown_path(args.image_dir)}: no such folder")
    if args.json:
        command_line.check_output("json", args.json, findings_report.HEAD, "JSON report of this script")
    if args.plot and args.plot.resolve().is_relative_to(args.image_dir.resolve()):
        raise UsageError(f"--plot {files.shown_path(args.plot)} would be among the images that are checked")
    if args.plot:
        command_line.check_output("plot", args.plot, b"\x89PNG", "PNG image")
    return args


def small_objects(data: DataSet, config: pipeline_config.Message | None) -> list[Finding]:
    from scripts.lib.config import object_sizes  # here, since it imports numpy

    places = [
        (image.name, f"object {number} ({name})")
        for image in data.images
        for number, name in enumerate(image.class_names, start=1)
    ]
    return object_sizes.check(places, *data.box_table(), config)


def check_record(record: str, label_map_path: Path, json_file: Path | None) -> int:
    """Report what is wrong with the examples of a record."""
    findings = record_checks.check(record, label_map.spellings(label_map_path))
    findings += manifest.check(record, label_map.read(label_map_path))
    command_line.print_findings(findings)
    count = tf_record.count_records(record)
    print(f"{files.shown_path(record)}: {counted(count, 'example')}; {count_by_severity(findings) or 'nothing found'}")
    if json_file:
        findings_report.write_json(json_file, findings, {"examples": count})
        print(f"all findings: {files.shown_path(json_file)}")
    return EXIT_DATA if errors(findings) else 0


def print_anchor_fit(data: DataSet, config: pipeline_config.Message) -> None:
    """Print how many boxes an anchor of the config can match at all; nothing if the config has no SSD anchors."""
    from scripts.lib.config import object_sizes

    anchors = object_sizes.anchor_shapes(config)
    shapes = object_sizes.box_shapes(*data.box_table(), config)
    if anchors is not None and len(shapes):
        matched = object_sizes.best_overlaps(shapes, anchors) >= object_sizes.MATCHED
        print(f"{matched.sum()} of {counted(len(shapes), 'box')} fit an anchor's shape with an IoU of 0.5 or more")


def write_plot(path: Path, data: DataSet, config: pipeline_config.Message | None) -> None:
    from scripts.lib.config import object_sizes
    from scripts.lib.dataset import plot

    shapes = object_sizes.box_shapes(*data.box_table(), config)
    plot.draw(path, data, shapes, object_sizes.anchor_shapes(config))


if __name__ == "__main__":
    command_line.run(main)
