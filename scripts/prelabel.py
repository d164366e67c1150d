"""Lets a model label new photos, so that a person only corrects: LabelImg XML for those that have none.

In:   an exported model, a folder of photos (with its sub-folders), the folder of annotations.
Out:  one PASCAL VOC XML for each photo in which the model finds something and that has no annotation, where LabelImg
      looks for it; its <source><database> names the model and its scores. With --queue N also queue_csv: the N photos
      without a person's annotation that the model is least sure of, with the columns
      filename,uncertainty,boxes,best_score, for `label_images.py --queue`.

A file that a person wrote, saved in LabelImg, or changed otherwise is never touched. --replace writes anew those that
this script wrote and nobody has saved since, for the next, better model. A photo that cannot be read is reported, the
others go on, and the exit status is 1.

  python scripts/prelabel.py --model exported_model --image_dir samples --annotations_dir annotations --queue 100
  python scripts/label_images.py samples --annotations_dir annotations --queue data/prelabel_queue.csv
"""

from __future__ import annotations

import argparse
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import _init_paths  # noqa: F401

from scripts.lib.annotations import labelimg_files, proposals, registry, voc_xml
from scripts.lib.annotations.proposals import Queued
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core import command_line, files
from scripts.lib.core.boxes import clip_to_pixels
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import ERROR, DataError, Finding, UsageError, errors
from scripts.lib.core.progress import progress
from scripts.lib.images import decode
from scripts.lib.images.image_names import ImageFolder
from scripts.lib.models.detector import DetectionArrays, Detector

if TYPE_CHECKING:
    import numpy as np


class Picture(NamedTuple):
    """A photo that a model has looked at.

    Attributes:
        name: relative to the image folder.
        size: width and height in pixels, upright.
        found: its detections, all scores.
    """

    name: str
    size: tuple[int, int]
    found: DetectionArrays


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    findings: list[Finding] = []
    unlabelled = find_unlabelled(args.image_dir, args.annotations_dir, findings)
    wanted = [
        name
        for name in unlabelled
        if args.queue or may_write(labelimg_files.annotation_path(args.annotations_dir, name), args.replace)
    ]
    print(f"{len(unlabelled)} photos have no annotation by a person, {len(wanted)} of them are looked at", flush=True)

    queue: list[Queued] = []
    outcomes: Counter[str] = Counter()
    if wanted:
        detector = Detector(args.model)
        origin = f"{args.model.resolve().name}, step {detector.global_step()}"
        for picture in look_at(detector, args.image_dir, progress(wanted, "detecting"), findings):
            objects, scores = propose(picture, detector.class_names, args.min_score)
            outcomes[store(picture, objects, f"{origin}, {range_of(scores)}", args, findings)] += 1
            queue.append(queued(picture, len(objects)))
    place = files.shown_path(args.annotations_dir)
    print(f"{place}: {', '.join(f'{count} {what}' for what, count in sorted(outcomes.items())) or 'nothing to do'}")
    if args.queue:
        show_queue(proposals.most_uncertain(queue, args.queue), args.queue_csv)
    if findings:
        raise DataError(findings, "the other photos were done")
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--model", type=local_path, default=files.default_path("exported_model"), help="exported model")
    parser.add_argument(
        "--image_dir", type=local_path, default=files.default_path("samples"), help="folder of the photos"
    )
    parser.add_argument(
        "--annotations_dir", type=local_path, default=files.default_path("annotations"), help="folder of the XML files"
    )
    parser.add_argument(
        "--min_score", type=command_line.score, default=0.5, help="detections below this score are not proposed"
    )
    parser.add_argument("--replace", action="store_true", help="write anew what this script wrote and nobody reviewed")
    parser.add_argument("--queue", type=command_line.positive_int, metavar="N", help="list the N most useful photos")
    parser.add_argument(
        "--queue_csv", type=local_path, default=files.default_path("data/prelabel_queue.csv"), help="where to list them"
    )
    args = parser.parse_args(argv)
    if not args.image_dir.is_dir():
        raise UsageError(f"--image_dir {files.shown_path(args.image_dir)}: there is no such folder")
    if args.annotations_dir.is_file():
        raise UsageError(f"--annotations_dir {files.shown_path(args.annotations_dir)} is a file; give a folder")
    return args


def find_unlabelled(image_dir: Path, annotations_dir: Path, findings: list[Finding]) -> list[str]:
    """The images that no person has annotated, in order of their names.

    Args:
        image_dir: their folder.
        annotations_dir: the folder of annotations, which may not be there yet.
        findings: gets what is wrong with annotations, and with names; such images are left alone.

    Raises:
        UsageError: there is no image, or the annotations have another format than PASCAL VOC.
    """
    images = ImageFolder(image_dir)
    if not images.names:
        raise UsageError(f"--image_dir {files.shown_path(image_dir)}: no image in it")
    shared = labelimg_files.sharing_an_annotation(images.names)
    findings += shared
    labelled = {labelimg_files.annotation_path(annotations_dir, finding.file) for finding in shared}
    for file in existing_annotations(annotations_dir):
        if proposals.is_unreviewed(Path(file).read_bytes()):
            continue
        labelled.add(Path(file))
        annotations, findings_of_file = registry.read_file("voc", file, annotations_dir, images)
        labelled |= {labelimg_files.annotation_path(annotations_dir, one.filename) for one in annotations}
        findings += errors(findings_of_file)
    taken = {path.as_posix().casefold() for path in labelled}
    paths = ((name, labelimg_files.annotation_path(annotations_dir, name)) for name in sorted(images.names))
    return [name for name, path in paths if path.as_posix().casefold() not in taken]


def existing_annotations(annotations_dir: Path) -> list[str]:
    """The XML files that are there.

    Raises:
        UsageError: the annotations have another format.
    """
    if not annotations_dir.is_dir():
        return []
    try:
        name, paths = registry.find_files(annotations_dir)
    except DataError:  # none at all
        return []
    if name != "voc":
        place, title = files.shown_path(annotations_dir), registry.FORMATS[name].TITLE
        raise UsageError(f"--annotations_dir {place} holds {title}, prelabel.py writes PASCAL VOC; give another folder")
    return paths


def may_write(path: Path, replace: bool) -> bool:
    """Whether there is no such file, or one that nobody has reviewed and that may be replaced."""
    return proposals.may_write(path) if replace else not path.exists()


def look_at(detector: Detector, image_dir: Path, names: Iterable[str], findings: list[Finding]) -> Iterator[Picture]:
    """Yields each photo with its detections; one that cannot be read goes into the findings."""
    pending: deque[tuple[str, tuple[int, int]]] = deque()

    def images_rgb() -> Iterator[np.ndarray]:
        for name in names:
            image, problems = decode.read(image_dir / name)
            findings.extend(problems)
            if image is not None:
                pending.append((name, (image.shape[1], image.shape[0])))
                yield image

    for found in detector.detect_each(images_rgb()):
        yield Picture(*pending.popleft(), found)


def propose(picture: Picture, class_names: dict[int, str], min_score: float) -> tuple[list[VocObject], list[float]]:
    """The boxes to draw and their scores, best first."""
    objects, scores = [], []
    for (ymin, xmin, ymax, xmax), score, class_id in zip(*(values.tolist() for values in picture.found), strict=True):
        box = clip_to_pixels((xmin, ymin, xmax, ymax), *picture.size)
        if box and score >= min_score and class_id in class_names:
            objects.append(VocObject(class_names[class_id], *box))
            scores.append(score)
    return objects, scores


def label_img_annotation(picture: Picture, objects: list[VocObject], image_dir: Path) -> Annotation:
    """The annotation that LabelImg would write if a person had drawn these boxes."""
    path = (image_dir / picture.name).resolve()
    return Annotation(path.name, *picture.size, objects, path.parent.name, str(path))


def range_of(scores: Sequence[float]) -> str:
    return f"scores {min(scores):.2f} to {max(scores):.2f}" if scores else "no box"


def store(
    picture: Picture, objects: list[VocObject], origin: str, args: argparse.Namespace, findings: list[Finding]
) -> str:
    """Writes a proposal, unless a file is there that is to stay (a person may have saved one meanwhile).

    Args:
        picture: the photo.
        objects: what is proposed.
        origin: the model and its scores.
        args: the flags.
        findings: gets an error where the photo's name cannot be written.

    Returns:
        What became of it.
    """
    path = labelimg_files.annotation_path(args.annotations_dir, picture.name)
    if not may_write(path, args.replace):
        return "left as they are"
    if objects:
        try:
            proposal = proposals.sealed(label_img_annotation(picture, objects, args.image_dir), origin)
        except ValueError as error:
            findings.append(Finding(ERROR, "name-not-xml", picture.name, str(error), "give the image another name"))
            return "impossible"
        voc_xml.write(path, proposal)
        return "written"
    if path.exists():  # a proposal of the model before
        path.unlink()
        return "withdrawn, since nothing is found any more"
    return "without a file, since nothing is found"


def queued(picture: Picture, num_boxes: int) -> Queued:
    scores = picture.found.scores.tolist()
    return Queued(picture.name, proposals.uncertainty(scores), num_boxes, max(scores, default=0.0))


def show_queue(queue: Sequence[Queued], queue_csv: Path) -> None:
    proposals.write_queue(queue_csv, queue)
    print("the model is least sure of (uncertainty, boxes, best score):")
    for one in queue:
        print(f"  {one.uncertainty:.2f}  {one.boxes:>2}  {one.best_score:.2f}  {one.filename}")
    print(f"written: {files.shown_path(queue_csv)}")


if __name__ == "__main__":
    command_line.run(main)
