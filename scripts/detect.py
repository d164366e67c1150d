"""Finds garments on photos: a table of all detections, the photos with boxes drawn, tags, and other formats.

In:   an exported model; photos as any number of --input: files, folders (with their sub-folders), patterns, a CSV or
      text file of paths or http(s) addresses, an address, or - (stdin: a path or address a line). In a CSV the photo is
      in the column url, path, filename or image, a product in the column product or sku; paths start at the CSV's
      folder, those of a labels CSV at --image_dir.
Out:  in output_dir: detections.csv with the columns filename,class,score,xmin,ymin,xmax,ymax (pixels of the upright
      photo), each photo with its boxes (images/; not with --draw no), and as asked for
        --tags           tags.csv (product,class,score) and tags.json: the best score of each class of a product, or of
                         a photo where no list names products
        --contact_sheet  pages of thumbnails with their boxes (contact_sheet/page_0001.jpg, ...)
        --format coco    coco_images.json and coco_results.json, for pycocotools' COCO(...).loadRes(...)
        --format json    detections.json: photos with size and detections, and those that could not be read
        --format voc     voc/*.xml as LabelImg writes them, marked as proposals like those of prelabel.py; those that a
                         person has saved since are left as they are
      output_dir may lie among the photos: its own pictures are not looked at. It may not hold other files of yours in
      folders of the names above.

A photo that cannot be read is reported, the others go on, and the exit status is 1. detections.jsonl grows with each
photo: after an interruption the same command with --resume goes on from there, and tries again what could not be read;
after a finished run, it looks at new and changed photos only.

Several models are an ensemble: their boxes are averaged (weighted boxes fusion), classes matched by name. --flip lets
each model look at the mirror image, too.

  python scripts/detect.py --model exported_model --input samples --output_dir detections --min_score 0.5
"""

from __future__ import annotations

import argparse
import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files, parallel
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.http import DownloadLimits
from scripts.lib.core.progress import progress
from scripts.lib.detection import contact_sheet, detections, ensemble, options, outputs
from scripts.lib.detection.journal import ImageResult, Journal
from scripts.lib.detection.pipeline import Folders, Pipeline, version_of
from scripts.lib.detection.sources import Source, Sources
from scripts.lib.models import exported_model, runtimes

FORMATS = ("coco", "json", "voc")
JOURNAL = "detections.jsonl"
PICTURES, CONTACT_SHEET, VOC = FOLDERS = ("images", "contact_sheet", "voc")  # in output_dir
FEW = 100  # photos, whose tags are printed


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    sources = Sources(args.input, args.image_dir, left_out=earlier_results(args.output_dir))
    detector = ensemble.load(args.model, args.flip, args.model_weights, args.runtime)
    min_scores = options.score_thresholds(args, args.model, list(detector.class_names.values()))
    folders = Folders(
        args.output_dir / PICTURES if args.draw == "yes" else None,
        args.output_dir / CONTACT_SHEET / "thumbnails" if args.contact_sheet else None,
    )
    ids = {name: class_id for class_id, name in detector.class_names.items()}
    pipeline = Pipeline(
        detector,
        {ids[name]: score for name, score in min_scores.items()},
        args.nms_iou,
        folders,
        DownloadLimits(args.url_seconds, int(args.url_megabytes * 2**20)),
        args.batch_size,
        args.num_workers,
    )
    settings = {
        "models": [{"name": model.resolve().name, "sha256": exported_model.sha256(model)} for model in args.model],
        "model_weights": args.model_weights,
        "flip": args.flip,
        "runtime": args.runtime,
        "min_scores": min_scores,
        "nms_iou": args.nms_iou,
    }
    with Journal(args.output_dir / JOURNAL, settings, args.resume) as journal:
        names: list[str] = []
        seen = pipeline.look_at(unseen(sources, journal, folders, names))
        with resumable(args.resume):
            look_at(seen, journal, sources.total and max(sources.total - len(journal), 0))
        write_results(args, journal, names, sources, detector.class_names, settings)
        return summary(args, journal, names, sources, min_scores)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument(
        "--model",
        type=local_path,
        action="append",
        help="exported model; several are an ensemble (default: exported_model)",
    )
    parser.add_argument("--input", nargs="+", action="extend", required=True, help="photos; see below")
    parser.add_argument(
        "--image_dir", type=local_path, default=files.default_path("samples"), help="images of a labels CSV"
    )
    parser.add_argument(
        "--output_dir", type=local_path, default=files.default_path("detections"), help="folder for results"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run that output_dir holds the results of")

    options.add_to(parser)
    how = parser.add_argument_group("what is written")
    how.add_argument(
        "--draw",
        nargs="?",
        const="yes",
        choices=("yes", "no"),
        default="yes",
        help="draw the boxes on a copy of each photo; no: faster, and no space for many photos",
    )
    how.add_argument("--contact_sheet", action="store_true", help="pages of thumbnails")
    how.add_argument("--tags", action="store_true", help="best score per class of each product or photo")
    how.add_argument("--format", nargs="+", action="extend", choices=FORMATS, help="further formats")

    run = parser.add_argument_group("how it is done")
    run.add_argument("--flip", action="store_true", help="look at the mirror image, too (test-time augmentation)")
    run.add_argument(
        "--model_weights",
        nargs="+",
        type=command_line.positive,
        metavar="WEIGHT",
        help="how much each model of an ensemble counts",
    )
    runtimes.add_flag(run)
    run.add_argument("--batch_size", type=command_line.positive_int, default=8, help="photos a run of the model")
    run.add_argument(
        "--num_workers",
        type=command_line.positive_int,
        default=parallel.available_cores(),
        help="threads that decode, and as many that draw; 1: no thread beside the main one",
    )
    run.add_argument("--url_seconds", type=command_line.positive, default=20.0, help="of one attempt at an address")
    run.add_argument("--url_megabytes", type=command_line.positive, default=32.0, help="a photo on the web may have")
    args = parser.parse_args(argv)
    args.model = args.model or [files.default_path("exported_model")]
    args.format = args.format or []
    if args.model_weights and len(args.model_weights) != len(args.model):
        raise UsageError(f"--model_weights: {len(args.model_weights)} given for {len(args.model)} models")
    if args.output_dir.is_file():
        raise UsageError(f"--output_dir {files.shown_path(args.output_dir)} is a file; give a folder")
    return args


def earlier_results(output_dir: Path) -> list[Path]:
    """The folders that an earlier run has left in output_dir, which may lie among the photos.

    Raises:
        UsageError: there are folders of these names, and they are none of ours: their files might be replaced.
    """
    there = [folder for name in FOLDERS if (folder := output_dir / name).is_dir() and any(folder.iterdir())]
    if there and not (output_dir / JOURNAL).is_file():
        names = " and ".join(folder.name for folder in there)
        raise UsageError(
            f"--output_dir {files.shown_path(output_dir)} has {names}, but no {JOURNAL} of an earlier run; "
            "give another folder, so that no file of yours is replaced"
        )
    return there


def unseen(sources: Iterable[Source], journal: Journal, folders: Folders, names: list[str]) -> Iterator[Source]:
    """The photos that are to be looked at; `names` gets all."""
    for source in sources:
        names.append(source.name)
        if not (source.name in journal and is_done(source, journal.read(source.name), folders)):
            yield source


def is_done(source: Source, seen: ImageResult, folders: Folders) -> bool:
    """Whether an earlier run has looked at this very photo and left all its pictures."""
    same = (seen.output_name, seen.version) == (source.output_name, version_of(source))
    return same and not seen.error and folders.are_complete(source.output_name)


@contextlib.contextmanager
def resumable(is_resumed: bool) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print(
            f"what is done is kept: {'the same command' if is_resumed else '--resume'} goes on from there", flush=True
        )
        raise


def look_at(photos: Iterable[ImageResult], journal: Journal, total: int | None) -> None:
    """Notes what is found; prints each photo's tags where there are few, and the progress where there are many."""
    is_few = total is not None and total <= FEW
    for photo in photos if is_few else progress(photos, "detecting", total):
        journal.append(photo)
        if is_few and not photo.error:
            print(f"{photo.name}: {detections.tags(photo.detections)}", flush=True)


def write_results(
    args: argparse.Namespace,
    journal: Journal,
    names: Sequence[str],
    sources: Sources,
    class_names: dict[int, str],
    settings: dict[str, Any],
) -> None:
    """All that is made from the journal."""
    folder: Path = args.output_dir
    outputs.write_csv(folder / "detections.csv", journal.read_all(names))
    if args.tags:
        outputs.write_tags(folder, journal.read_all(names), sources.products)
    if "json" in args.format:
        outputs.write_json(folder / "detections.json", journal.read_all(names), settings)
    if "coco" in args.format:
        outputs.write_coco(
            folder / "coco_images.json", folder / "coco_results.json", journal.read_all(names), class_names
        )
    if "voc" in args.format:
        model = " and ".join(model.resolve().name for model in args.model)
        left = outputs.write_voc(folder / VOC, journal.read_all(names), model, sources.findings)
        if left:
            print(f"{files.shown_path(folder / VOC)}: {left} files that a person has saved are left as they are")
    if args.contact_sheet:
        thumbnails = folder / CONTACT_SHEET / "thumbnails"
        readable = (photo for photo in journal.read_all(names) if not photo.error)
        contact_sheet.write_pages(
            thumbnails.parent, ((photo.name, thumbnails / photo.output_name) for photo in readable)
        )


def summary(
    args: argparse.Namespace, journal: Journal, names: Sequence[str], sources: Sources, min_scores: dict[str, float]
) -> int:
    """Says what there is.

    Raises:
        DataError: photos could not be read.
    """
    findings, count = list(sources.findings), Counter()
    for photo in journal.read_all(names):
        findings += [photo.error] if photo.error else []
        count.update(photos=int(not photo.error), detections=len(photo.detections))
    places = ["detections.csv"] + [f"pictures in {PICTURES}"] * (args.draw == "yes")
    places += [f"thumbnails on pages in {files.shown_path(args.output_dir / CONTACT_SHEET)}"] * args.contact_sheet
    least = ", ".join(f"{name} {value:g}" for name, value in min_scores.items())
    repeated = f", {sources.repeated} given more than once" if sources.repeated else ""
    print(
        f"{count['photos']} photos{repeated}, {count['detections']} detections (least scores: {least}): "
        f"{files.shown_path(args.output_dir)}/{', '.join(places)}"
    )
    if findings:
        raise DataError(findings, "the other photos were done")
    return 0


if __name__ == "__main__":
    command_line.run(main)
