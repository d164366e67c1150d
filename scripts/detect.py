"""Finds garments on photos: boxes drawn with class and score, a table of all detections, and each photo's tags.

In:   an exported model; one image, a folder of images (with its sub-folders), or a labels CSV with --image_dir.
Out:  in output_dir: each photo with its boxes drawn (images/), and detections.csv with the columns
      filename,class,score,xmin,ymin,xmax,ymax (pixels of the upright image). The tags are printed.

A photo that cannot be read is reported, the others go on, and the exit status is 1.

  python scripts/detect.py --model exported_model --input samples --output_dir detections --min_score 0.5
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import _init_paths  # noqa: F401
import numpy as np

from scripts.lib import command_line, drawing, exported_model, files, image_names, labels_csv, photo
from scripts.lib.command_line import DataError, UsageError
from scripts.lib.detector import Detection, Detector
from scripts.lib.findings import Finding

COLUMNS = ("filename", "class", "score", "xmin", "ymin", "xmax", "ymax")


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    photos = find_photos(args.input, args.image_dir)
    detector = Detector(args.model)
    class_names = list(detector.class_names.values())
    thresholds = score_thresholds(args.model, class_names, args.min_score)

    findings: list[Finding] = []
    rows: list[tuple[str, Detection]] = []
    for name, path in photos:
        image = photo.read(path, findings)
        if image is None:
            continue
        found = detector.detect(np.asarray(image), min(thresholds.values()))
        detections = [detection for detection in found if detection.score >= thresholds[detection.class_name]]
        rows += ((name, detection) for detection in detections)
        print(f"{name}: {tags(detections)}", flush=True)
        picture = drawing.draw_detections(image, detections, class_names)
        with files.whole_file(picture_path(args.output_dir, name), durable=False) as file:
            picture.save(file, "JPEG", quality=90)

    write_detections(args.output_dir / "detections.csv", rows)
    least = ", ".join(f"{name} {value:g}" for name, value in thresholds.items())
    print(
        f"{len(photos) - len(findings)} photos, {len(rows)} detections (least scores: {least}): "
        f"{files.display(args.output_dir / 'detections.csv')}, pictures in {files.display(args.output_dir / 'images')}"
    )
    if findings:
        raise DataError(findings, "the other photos were done")
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--model", type=Path, default=files.default_path("exported_model"), help="exported model")
    parser.add_argument("--input", type=Path, required=True, help="an image, a folder, or a labels CSV")
    parser.add_argument("--image_dir", type=Path, default=files.default_path("samples"), help="images of a labels CSV")
    parser.add_argument("--output_dir", type=Path, default=files.default_path("detections"), help="folder for results")
    parser.add_argument(
        "--min_score", type=command_line.score, metavar="SCORE",
        help="detections below are left out (default: for each class the best score by report.py, else 0.5)",
    )  # fmt: skip
    return parser.parse_args(argv)


def score_thresholds(model: Path, class_names: Sequence[str], min_score: float | None) -> dict[str, float]:
    """Class name -> least score: the one that was given, else that of the model's report, else 0.5."""
    if min_score is not None:
        return dict.fromkeys(class_names, min_score)
    return {**dict.fromkeys(class_names, 0.5), **exported_model.score_thresholds(model)}


def find_photos(source: Path, image_dir: Path) -> list[tuple[str, Path]]:
    """The photos to look at, as (name in the results, path).

    Raises:
        UsageError: there is no such file or folder, or no image in it.
    """
    if source.is_dir():
        photos = [(name, source / name) for name in sorted(image_names.ImageFolder(source).names)]
    elif not source.is_file():
        raise UsageError(f"--input {files.display(source)}: there is no such file or folder")
    elif source.suffix.lower() == ".csv":
        names = dict.fromkeys(row.filename for row in labels_csv.read_rows(source))
        photos = [(name, image_dir / image_names.inside_folder(name)) for name in names]
    else:
        photos = [(source.name, source)]
    if not photos:
        raise UsageError(f"--input {files.display(source)}: no image in it")
    return photos


def tags(detections: Sequence[Detection]) -> str:
    """The classes of a photo with the best score of each, best first, e.g. "Tops 98%, Skirts 71%"."""
    best: dict[str, float] = {}
    for detection in detections:
        best[detection.class_name] = max(detection.score, best.get(detection.class_name, 0.0))
    ordered = sorted(best.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {value:.0%}" for name, value in ordered) or "nothing found"


def picture_path(output_dir: Path, name: str) -> Path:
    """Where a photo's picture goes; the suffix is added, since a.png and a.jpg may both be there."""
    suffix = "" if name.lower().endswith((".jpg", ".jpeg")) else ".jpg"
    return output_dir / "images" / f"{name}{suffix}"


def write_detections(path: Path, rows: Sequence[tuple[str, Detection]]) -> None:
    with files.whole_file(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(cells(name, detection) for name, detection in rows)


def cells(name: str, detection: Detection) -> Iterator[str]:
    yield from (name, detection.class_name, f"{detection.score:.4f}")
    yield from (f"{pixels:.1f}" for pixels in detection[2:])


if __name__ == "__main__":
    command_line.run(main)
