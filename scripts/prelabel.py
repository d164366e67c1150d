"""Let a model label new images, so that a person only corrects: LabelImg XML for those that have none.

In:   an exported model, a folder of images (with its sub-folders), the folder of annotations.
Out:  one PASCAL VOC XML for each image in which the model finds something and that has no annotation, where LabelImg
      looks for it. With --queue_size N also queue_csv: the N images without a person's annotation of which the model is
      least certain (filename,uncertainty,boxes,best_score), for `label_images.py --queue`.

A file that a person wrote, saved in LabelImg, or changed otherwise is never touched; --replace replaces proposals that
nobody has saved since. An image that cannot be read is reported, the others are done, and the exit status is 1.

  python scripts/prelabel.py --model exported_model --image_dir samples --annotations_dir annotations --queue_size 100
  python scripts/label_images.py --image_dir samples --annotations_dir annotations --queue data/prelabel_queue.csv
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import _init_paths  # noqa: F401

from scripts.lib.annotations import proposals, registry, voc_xml
from scripts.lib.annotations.proposals import Queued
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.core import command_line, files, parallel
from scripts.lib.core.command_line import existing_dir, local_path
from scripts.lib.core.errors import DataError, Finding, UsageError, errors
from scripts.lib.core.progress import progress
from scripts.lib.core.wording import counted, one_line
from scripts.lib.detection import outputs
from scripts.lib.detection.journal import ImageResult
from scripts.lib.detection.pipeline import Pipeline
from scripts.lib.detection.sources import ImageSource
from scripts.lib.images.image_names import ImageFolder
from scripts.lib.models.detector import Detector


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    unlabelled, findings = find_unlabelled(args.image_dir, args.annotations_dir)
    wanted = [
        name
        for name in unlabelled
        if args.queue_size or args.replace or not voc_xml.annotation_path(args.annotations_dir, name).exists()
    ]
    print(f"{counted(len(unlabelled), 'image')} without a person's annotation; detecting on {len(wanted)}", flush=True)

    queue: list[Queued] = []
    outcomes: Counter[str] = Counter()
    if wanted:
        detector = Detector(args.model)
        model = f"{args.model.resolve().name}, step {detector.global_step()}"
        pipeline = Pipeline(detector, dict.fromkeys(detector.class_names, 0.0), num_workers=parallel.available_cores())
        images = pipeline.run(ImageSource(name, args.image_dir / name, "") for name in wanted)
        for image in progress(images, "detecting", len(wanted)):
            if image.error:
                findings.append(image.error)
                continue
            annotation, origin = proposal(image, args.image_dir, model, args.min_score, detector.label_names)
            path = voc_xml.annotation_path(args.annotations_dir, image.name)
            outcome, problems = outputs.store_proposal(path, image.name, annotation, origin, args.replace)
            outcomes[outcome] += 1
            findings += problems
            scores = [detection.score for detection in image.detections]
            queue.append(
                Queued(image.name, proposals.uncertainty(scores), len(annotation.objects), max(scores, default=0.0))
            )
    done = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())) or "nothing to do"
    print(f"{files.shown_path(args.annotations_dir)}: {done}")
    if args.queue_size:
        queue.sort(key=lambda entry: (-entry.uncertainty, entry.filename))
        show_queue(queue[: args.queue_size], args.queue_csv)
    if findings:
        raise DataError(findings, "the other images were done")


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    default_path = files.default_path
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--model", type=local_path, default=default_path("exported_model"), help="exported model")
    parser.add_argument("--image_dir", type=existing_dir, default=default_path("samples"), help="folder of the images")
    parser.add_argument("--annotations_dir", type=local_path, default=default_path("annotations"), help="folder of XML")
    parser.add_argument("--min_score", type=command_line.score, default=0.5, help="score threshold of a proposal")
    parser.add_argument("--replace", action="store_true", help="replace proposals that nobody has reviewed")
    queue_size = "--queue_size", "--queue"
    parser.add_argument(*queue_size, type=command_line.positive_int, help="list the N images most useful to label")
    queue_csv = default_path("data/prelabel_queue.csv")
    parser.add_argument("--queue_csv", type=local_path, default=queue_csv, help="the list of --queue_size, to write")
    args = parser.parse_args(argv)
    if args.annotations_dir.is_file():
        raise UsageError(f"--annotations_dir {files.shown_path(args.annotations_dir)} is a file; give a folder")
    command_line.check_output("queue_csv", args.queue_csv, ",".join(Queued._fields).encode(), "queue of this script")
    return args


def find_unlabelled(image_dir: Path, annotations_dir: Path) -> tuple[list[str], list[Finding]]:
    """Return the names of images that no person has annotated, sorted; and errors in annotations and names.

    Images with such an error are left out. The folder of annotations may be missing.

    Raises:
        UsageError: there is no image.
    """
    images = ImageFolder(image_dir)
    if not images.names:
        raise UsageError(f"--image_dir {files.shown_path(image_dir)}: no image in it")
    findings = voc_xml.sharing_an_annotation(images.names)
    labelled = {voc_xml.annotation_path(annotations_dir, finding.file) for finding in findings}
    for file in voc_xml.find_files(annotations_dir) if annotations_dir.is_dir() else ():
        if proposals.is_unreviewed(Path(file).read_bytes()):
            continue
        labelled.add(Path(file))
        annotations, findings_of_file = registry.read_file("voc", file, annotations_dir, images)
        labelled |= {voc_xml.annotation_path(annotations_dir, one.filename) for one in annotations}
        findings += errors(findings_of_file)
    taken = {path.as_posix().casefold() for path in labelled}
    paths = ((name, voc_xml.annotation_path(annotations_dir, name)) for name in sorted(images.names))
    return [name for name, path in paths if path.as_posix().casefold() not in taken], findings


def proposal(
    image: ImageResult, image_dir: Path, model: str, min_score: float, label_names: Mapping[str, str]
) -> tuple[Annotation, str]:
    """Return what to propose for an image, and where that comes from."""
    certain = [detection for detection in image.detections if detection.score >= min_score]
    objects, scores = outputs.voc_objects(image._replace(detections=certain), label_names)
    source = (image_dir / image.name).resolve()
    annotation = Annotation(source.name, image.width, image.height, objects, source.parent.name, str(source))
    return annotation, f"{model}, {outputs.score_range(scores)}"


def show_queue(queue: Sequence[Queued], queue_csv: Path) -> None:
    proposals.write_queue(queue_csv, queue)
    print("the model is least certain of (uncertainty, boxes, best score):")
    for entry in queue:
        print(f"  {entry.uncertainty:.2f}  {entry.boxes:>2}  {entry.best_score:.2f}  {one_line(entry.filename)}")
    print(f"written: {files.shown_path(queue_csv)}")


if __name__ == "__main__":
    command_line.run(main)
