"""Detections in the formats that others read; each file is written from photo to photo, whole or not at all."""

from __future__ import annotations

import csv
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from scripts.lib.annotations import labelimg_files, proposals, voc_xml
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core import files
from scripts.lib.core.boxes import Detection, clip_to_pixels
from scripts.lib.core.errors import ERROR, Finding
from scripts.lib.detection.detections import best_first, best_scores
from scripts.lib.detection.journal import ImageResult

COLUMNS = ("filename", "class", "score", "xmin", "ymin", "xmax", "ymax")
TAG_COLUMNS = ("product", "class", "score")


def write_csv(path: Path, photos: Iterable[ImageResult]) -> None:
    """One row a detection: COLUMNS, corners in pixels of the upright photo."""
    _write_rows(path, COLUMNS, (cells(photo.name, found) for photo in photos for found in photo.detections))


def cells(name: str, found: Detection) -> Iterator[str]:
    yield from (name, found.class_name, f"{found.score:.4f}")
    yield from (f"{pixels:.1f}" for pixels in found[2:])


def _write_rows(path: Path, columns: Sequence[str], rows: Iterable[Iterable[str]]) -> None:
    with files.atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def write_json(path: Path, photos: Iterable[ImageResult], settings: Mapping[str, Any]) -> None:
    """The settings of the run and, a line each, all photos: size, detections, or why there are none."""
    with files.atomic_write(path, "w") as file:
        file.write(f'{json.dumps(settings, ensure_ascii=False)[:-1]}, "images": ')
        _write_array(file, map(_json_photo, photos))
        file.write("}\n")


def _json_photo(photo: ImageResult) -> dict[str, Any]:
    if photo.error:
        return {"filename": photo.name, "error": str(photo.error)}
    found = [{"class": name, "score": score, **_corners(box)} for name, score, *box in photo.detections]
    return {"filename": photo.name, "width": photo.width, "height": photo.height, "detections": found}


def _corners(box_xyxy: Sequence[float]) -> dict[str, float]:
    return dict(zip(("xmin", "ymin", "xmax", "ymax"), box_xyxy, strict=True))


def _write_array(file: IO[str], items: Iterable[Any]) -> None:
    separator = "[\n"
    for item in items:
        file.write(f"{separator}{json.dumps(item, ensure_ascii=False)}")
        separator = ",\n"
    file.write("[]" if separator == "[\n" else "\n]")


def write_coco(
    images_path: Path, results_path: Path, photos: Iterable[ImageResult], class_names: Mapping[int, str]
) -> None:
    """Two files as pycocotools reads them: `COCO(images_path).loadRes(results_path)`.

    The results format of COCO (cocodataset.org, "Results format"): a list of image_id, category_id, bbox (x, y, width,
    height in pixels) and score. Image ids are the photos' numbers, counted from 1; category ids the model's class ids.

    Args:
        images_path: gets images, categories, and an empty list of annotations.
        results_path: gets the results.
        photos: those that could not be read keep their number and are in neither file.
        class_names: class id -> name.
    """
    ids = {name: class_id for class_id, name in class_names.items()}
    categories = [{"id": class_id, "name": name} for class_id, name in class_names.items()]

    def results(images: IO[str]) -> Iterator[dict[str, Any]]:
        separator = ""
        for number, photo in enumerate(photos, start=1):
            if photo.error:
                continue
            image = {"id": number, "file_name": photo.name, "width": photo.width, "height": photo.height}
            images.write(f"{separator}\n{json.dumps(image, ensure_ascii=False)}")
            separator = ","
            for name, score, xmin, ymin, xmax, ymax in photo.detections:
                bbox = [round(value, 2) for value in (xmin, ymin, xmax - xmin, ymax - ymin)]
                yield {"image_id": number, "category_id": ids[name], "bbox": bbox, "score": score}

    with files.atomic_write(images_path, "w") as images_file, files.atomic_write(results_path, "w") as results_file:
        head = {"info": {"description": "photos of detect.py"}, "categories": categories, "annotations": []}
        images_file.write(f'{json.dumps(head, ensure_ascii=False)[:-1]}, "images": [')
        _write_array(results_file, results(images_file))
        images_file.write("\n]}\n")


def write_voc(folder: Path, photos: Iterable[ImageResult], model: str, findings: list[Finding]) -> int:
    """One LabelImg XML for each photo with detections, sealed as a proposal that nobody has reviewed.

    A file that a person has saved since is left as it is; a proposal in which nothing is found any more goes.

    Args:
        folder: for the files.
        photos: what was looked at.
        model: that has made the detections.
        findings: gets an error where a name cannot be written as XML.

    Returns:
        How many files were left as they are.
    """
    taken: set[Path] = set()
    left = 0
    for photo in photos:
        objects = [
            VocObject(found.class_name, *box)
            for found in photo.detections
            if (box := clip_to_pixels(found[2:], photo.width, photo.height))
        ]
        # A photo's own name, unless it is an address or the like: to find it by, LabelImg takes the suffix off.
        image_name = photo.name if photo.output_name == f"{photo.name}.jpg" else photo.output_name
        path = labelimg_files.annotation_path(folder, image_name)
        if path in taken:  # a.jpg and a.png, whose annotation LabelImg would call the same
            path = folder / f"{image_name}.xml"
        if not proposals.may_write(path):
            left += 1
            taken.add(path)
            continue
        if not objects:
            path.unlink(missing_ok=True)
            continue
        taken.add(path)
        scores = [found.score for found in photo.detections]
        origin = f"{model}, scores {min(scores):.2f} to {max(scores):.2f}"
        annotation = Annotation(posixpath.basename(image_name), photo.width, photo.height, objects)
        try:
            voc_xml.write(path, proposals.sealed(annotation, origin))
        except ValueError as error:
            findings.append(Finding(ERROR, "name-not-xml", photo.name, str(error), "give the image another name"))
    return left


def write_tags(folder: Path, photos: Iterable[ImageResult], products: Mapping[str, Sequence[str]]) -> None:
    """tags.csv and tags.json: for each product the classes on its photos, with the best score of each.

    Args:
        folder: for the two files.
        photos: what was looked at.
        products: name of a photo -> the products it shows; a photo without is a product of its own.
    """
    scores: dict[str, dict[str, float]] = {}
    for photo in photos:
        for product in () if photo.error else products.get(photo.name) or [photo.name]:
            best = scores.setdefault(product, {})
            for name, score in best_scores(photo.detections).items():
                best[name] = max(score, best.get(name, 0.0))
    tags = {product: best_first(best) for product, best in scores.items()}
    rows = ((product, name, f"{score:.4f}") for product, best in tags.items() for name, score in best.items())
    _write_rows(folder / "tags.csv", TAG_COLUMNS, rows)
    with files.atomic_write(folder / "tags.json", "w") as file:
        json.dump(tags, file, ensure_ascii=False, indent=1)
        file.write("\n")
