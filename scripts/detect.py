"""Detect garments on images: a table of all detections, the images with boxes drawn, tags, and other formats.

In:   an exported model; images as any number of --input: files, folders (with their sub-folders), patterns, http(s)
      addresses, a text file or - (stdin) with a path or address per line, or a CSV with the image in the column url,
      path, filename or image, and a product in the column product or sku. Paths start at the list's folder, those of a
      labels CSV at --image_dir.
Out:  in output_dir: detections.csv with the columns filename,class,score,xmin,ymin,xmax,ymax (pixels of the upright
      image), each image with its boxes (images/; not with --no_images), and with
        --tags           tags.csv (product,class,score) and tags.json: the best score of each class of a product, or of
                         an image where no list names products
        --crops          each detection cut out, by class (crops/Tops/photo_1.jpg, ...)
        --contact_sheet  pages of thumbnails with their boxes (contact_sheet/page_0001.jpg, ...)
        --formats coco   coco_images.json and coco_results.json, for pycocotools' COCO(...).loadRes(...)
        --formats json   detections.json: images with size and detections, and those that could not be read
        --formats voc    voc/*.xml as LabelImg writes them, marked as proposals like those of prelabel.py; files that a
                         person has saved since are kept
      output_dir may lie among the images: its own images are skipped.

An image that cannot be read is reported, the others are done, and the exit status is 1. --resume continues after an
interruption; after a finished run it processes new, changed and failed images.

Several models are an ensemble: their boxes are averaged (weighted boxes fusion), classes matched by name.

  python scripts/detect.py --model exported_model --input samples --output_dir detections --min_score 0.5
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import boolean, local_path, positive, positive_int
from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.core.http import DownloadLimits
from scripts.lib.core.parallel import available_cores
from scripts.lib.core.progress import progress
from scripts.lib.core.wording import counted, one_line
from scripts.lib.detection import detections, ensemble, journal, outputs
from scripts.lib.detection.journal import Journal
from scripts.lib.detection.pipeline import DrawingFolders, Pipeline
from scripts.lib.detection.sources import Sources
from scripts.lib.images import fonts
from scripts.lib.models import exported_model, runtimes

JOURNAL = "detections.jsonl"
FEW = 100  # images: up to here the tags of each are printed


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    output_dir = args.output_dir
    check_place(output_dir, args.input)
    earlier_results = [output_dir / name for name in outputs.FOLDERS]
    sources = Sources(args.input, args.image_dir, excluded=earlier_results)
    detector = ensemble.load(args.model, args.flip, args.runtime, args.threads, args.providers)
    class_ids = {name: class_id for class_id, name in detector.class_names.items()}
    thresholds = detections.score_thresholds(
        args.model, list(class_ids), args.min_score, args.class_min_score, args.classes
    )
    settings = {
        "models": [{"name": model.resolve().name, "sha256": exported_model.sha256(model)} for model in args.model],
        "flip": args.flip,
        "runtime": detector.runtime,
        "min_scores": thresholds,
        "nms_iou": args.nms_iou,
        "class_agnostic_nms": args.class_agnostic_nms,
    }
    folders = DrawingFolders(
        output_dir / outputs.IMAGES if not args.no_images else None,
        output_dir / outputs.THUMBNAILS if "contact_sheet" in args.outputs else None,
        output_dir / outputs.CROPS if args.crops else None,
    )
    if any(folders):
        fonts.use(args.font, class_ids)
    pipeline = Pipeline(
        detector,
        {class_ids[name]: score for name, score in thresholds.items()},
        detections.suppression(args.nms_iou, args.class_agnostic_nms),
        folders,
        DownloadLimits(args.url_seconds, int(args.url_megabytes * 2**20)),
        args.batch_size,
        args.num_workers,
    )
    with Journal(output_dir / JOURNAL, settings, args.resume) as lines:
        detect(pipeline, sources, lines)
        images = map(lines.get, sources.names)
        counts, errors = outputs.write_all(
            output_dir,
            args.outputs,
            images,
            sources.products,
            settings,
            detector.class_names,
            detector.label_names,
        )
    command_line.print_findings(pipeline.notes, sys.stderr)
    repeated = f" ({sources.num_repeated} more were repetitions)" if sources.num_repeated else ""
    origin = " of report.py" if args.min_score is None and any(map(exported_model.score_thresholds, args.model)) else ""
    print(
        f"{counted(len(counts), 'image')}{repeated}, {counted(sum(counts), 'detection')} "
        f"(score thresholds{origin}: {detections.shown_thresholds(thresholds)}): "
        f"{files.shown_path(output_dir)}/detections.csv"
    )
    if errors := sources.findings + errors:
        raise DataError(errors, "the other images were done")


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    default_path = files.default_path
    parser = command_line.make_parser(__doc__)
    model = "exported model; repeat it for an ensemble (default: exported_model)"
    parser.add_argument("--model", type=local_path, action="append", help=model)
    images = "images: files, folders, patterns, addresses, lists"
    parser.add_argument("--input", nargs="+", action="extend", required=True, help=images)
    parser.add_argument("--image_dir", type=local_path, default=default_path("samples"), help="images of a labels CSV")
    parser.add_argument("--output_dir", type=local_path, default=default_path("detections"), help="results folder")
    parser.add_argument("--resume", action="store_true", help="continue the run whose results are in output_dir")
    detections.add_flags(parser)
    written = parser.add_argument_group("what is written")
    written.add_argument("--no_images", action="store_true", help="do not write the images with their boxes")
    draw = {"type": lambda text: not boolean(text), "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    written.add_argument("--draw", dest="no_images", **draw)  # yes or no; older than --no_images
    written.add_argument("--contact_sheet", action="store_true", help="write pages of thumbnails")
    written.add_argument("--crops", action="store_true", help="write each detection as an image of its own")
    fonts.add_flag(written)
    written.add_argument("--tags", action="store_true", help="write the best score per class of each product or image")
    formats = {"nargs": "+", "action": "extend", "default": [], "type": command_line.names_of(outputs.FORMATS)}
    help_text = f"further tables to write, of {', '.join(outputs.FORMATS)}; see below"
    written.add_argument("--formats", "--format", **formats, metavar="FORMAT", help=help_text)

    run = parser.add_argument_group("how it runs")
    run.add_argument("--flip", action="store_true", help="also detect on the mirror image (test-time augmentation)")
    runtimes.add_flags(run)
    run.add_argument("--batch_size", type=positive_int, default=8, help="images per inference batch")
    run.add_argument("--num_workers", type=positive_int, default=available_cores(), help="threads that decode and draw")
    run.add_argument("--url_seconds", type=positive, default=20.0, help="time limit per download")
    run.add_argument("--url_megabytes", type=positive, default=32.0, help="largest download, in MB")
    args = parser.parse_args(argv)
    args.model = args.model or [default_path("exported_model")]
    args.formats = sum(args.formats, [])
    args.outputs = args.formats + ["tags"] * args.tags + ["contact_sheet"] * args.contact_sheet
    if args.output_dir.is_file():
        raise UsageError(f"--output_dir {files.shown_path(args.output_dir)} is a file; give a folder")
    return args


def check_place(output_dir: Path, inputs: Sequence[str]) -> None:
    """Raise UsageError where results would replace an input, or files that detect.py did not write."""
    begins = {JOURNAL: journal.HEAD, **outputs.HEADS}
    command_line.check_output_dir("output_dir", output_dir, begins, outputs.FURTHER)
    for text in inputs:
        if Path(text).resolve() in [(output_dir / name).resolve() for name in (*begins, *outputs.FURTHER)]:
            raise UsageError(f"--input {text} would be replaced by the results; give another --output_dir")


def detect(pipeline: Pipeline, sources: Sources, lines: Journal) -> None:
    """Write the results of new images to the journal; print tags, or the progress where there are many images."""
    total = max(sources.total - len(lines), 0)
    results = pipeline.run(source for source in sources if not pipeline.is_done(source, lines.get(source.name)))
    try:
        for image in results if total <= FEW else progress(results, "detecting", total):
            lines.append(image)
            if total <= FEW and not image.error:
                print(f"{one_line(image.name)}: {detections.tags(image.detections)}", flush=True)
    except KeyboardInterrupt:
        print("finished images are kept: the same command with --resume goes on from there", flush=True)
        raise


if __name__ == "__main__":
    command_line.run(main)
