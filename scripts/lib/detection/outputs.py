"""Writers of detections in the formats that other programs read.

Each writer is a context manager that gives a function to call with one `ImageResult` after another; its files appear,
whole or not at all, when the block ends without an error.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from scripts.lib.annotations import proposals, voc_xml
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core import files
from scripts.lib.core.boxes import clip_to_pixels
from scripts.lib.core.errors import ERROR, Finding
from scripts.lib.core.wording import counted
from scripts.lib.detection import contact_sheet
from scripts.lib.detection.detections import best_first, best_scores
from scripts.lib.detection.journal import ImageResult

FORMATS = ("coco", "json", "voc")
IMAGES, CONTACT_SHEET, VOC, CROPS = FOLDERS = ("images", "contact_sheet", "voc", "crops")  # in the results' folder
FURTHER = ("detections.json", "tags.json", "coco_images.json", "coco_results.json", *FOLDERS)
THUMBNAILS = f"{CONTACT_SHEET}/thumbnails"
COLUMNS = ("filename", "class", "score", "xmin", "ymin", "xmax", "ymax")
TAGS_COLUMNS = ("product", "class", "score")
HEADS = {"detections.csv": ",".join(COLUMNS).encode(), "tags.csv": ",".join(TAGS_COLUMNS).encode()}  # they begin so
WRITTEN, KEPT, FAILED = "written", "kept as they are", "impossible"  # outcomes of `store_proposal`
REMOVED, EMPTY = "removed, since nothing is found any more", "without a file, since nothing is found"

Write = Callable[[ImageResult], None]


def write_all(
    folder: Path,
    wanted: Collection[str],
    images: Iterable[ImageResult],
    products: Mapping[str, Sequence[str]],
    settings: Mapping[str, Any],
    class_names: Mapping[int, str],
    label_names: Mapping[str, str],
) -> tuple[list[int], list[Finding]]:
    """Write all results in one pass over the images, in their order.

    Args:
        folder: for the results.
        wanted: of FORMATS, "tags" and "contact_sheet"; the CSV is always written.
        images, products, settings, class_names, label_names: see the writers.

    Returns:
        The number of detections on each image that could be read; the errors.
    """
    counts, errors = [], []
    voc = VocWriter(folder / VOC, " and ".join(model["name"] for model in settings["models"]), label_names)
    writers = {
        "csv": csv_writer(folder / "detections.csv"),
        "tags": tags_writer(folder, products),
        "json": json_writer(folder / "detections.json", settings),
        "coco": coco_writer(folder, class_names),
        "contact_sheet": contact_sheet.page_writer(folder / CONTACT_SHEET, folder / THUMBNAILS),
        "voc": contextlib.nullcontext(voc.write),
    }
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(writers[name]) for name in {"csv", *wanted}]
        for image in images:
            for write in opened:
                write(image)
            if image.error:
                errors.append(image.error)
            else:
                counts.append(len(image.detections))
    if voc.num_kept:
        print(f"{files.shown_path(folder / VOC)}: kept {counted(voc.num_kept, 'file')} that a person has saved")
    return counts, voc.findings + errors


@contextlib.contextmanager
def csv_writer(path: Path) -> Iterator[Write]:
    """Write one row per detection: COLUMNS, the box in pixels of the upright image."""
    with files.atomic_write(path, "w") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        yield lambda image: table.writerows(csv_rows(image))


def csv_rows(image: ImageResult) -> Iterator[list[str]]:
    for class_name, score, *box_xyxy in image.detections:
        yield [image.name, class_name, f"{score:.4f}", *(f"{pixels:.1f}" for pixels in box_xyxy)]


@contextlib.contextmanager
def json_writer(path: Path, settings: Mapping[str, Any]) -> Iterator[Write]:
    """Write the settings of the run and, one per line, the images: size and detections, or the error."""
    with files.atomic_write(path, "w") as file:
        file.write(f'{json.dumps(settings, ensure_ascii=False)[:-1]}, "images": ')
        with _json_array(file) as add:
            yield lambda image: add(_image_as_json(image))
        file.write("}\n")


def _image_as_json(image: ImageResult) -> dict[str, Any]:
    if image.error:
        return {"filename": image.name, "error": str(image.error)}
    found = [detection.to_dict() for detection in image.detections]
    return {"filename": image.name, "width": image.width, "height": image.height, "detections": found}


@contextlib.contextmanager
def _json_array(file: IO[str]) -> Iterator[Callable[[Any], None]]:
    """Write an array of JSON, one item per line."""
    separator = "["

    def add(item: Any) -> None:
        nonlocal separator
        file.write(f"{separator}\n{json.dumps(item, ensure_ascii=False)}")
        separator = ","

    yield add
    file.write("[]" if separator == "[" else "\n]")


@contextlib.contextmanager
def coco_writer(folder: Path, class_names: Mapping[int, str]) -> Iterator[Write]:
    """Write coco_images.json and coco_results.json: `COCO(coco_images).loadRes(coco_results)` of pycocotools.

    The results are as on cocodataset.org, "Results format". Image ids count all images from 1; those that could not be
    read are in neither file. Category ids are the class ids of `class_names`.
    """
    ids = {name: class_id for class_id, name in class_names.items()}
    categories = [{"id": class_id, "name": name} for class_id, name in class_names.items()]
    head = {"info": {"description": "photos of detect.py"}, "categories": categories, "annotations": []}
    numbers = itertools.count(1)
    images_path, results_path = folder / "coco_images.json", folder / "coco_results.json"
    with files.write_together(images_path, results_path, mode="w") as (images_file, results_file):
        images_file.write(f'{json.dumps(head, ensure_ascii=False)[:-1]}, "images": ')
        with _json_array(images_file) as add_image, _json_array(results_file) as add_result:

            def write(image: ImageResult) -> None:
                number = next(numbers)
                if image.error:
                    return
                add_image({"id": number, "file_name": image.name, "width": image.width, "height": image.height})
                for name, score, xmin, ymin, xmax, ymax in image.detections:
                    bbox = [round(value, 2) for value in (xmin, ymin, xmax - xmin, ymax - ymin)]
                    add_result({"image_id": number, "category_id": ids[name], "bbox": bbox, "score": score})

            yield write
        images_file.write("}\n")


@contextlib.contextmanager
def tags_writer(folder: Path, products: Mapping[str, Sequence[str]]) -> Iterator[Write]:
    """Write tags.csv and tags.json: for each product the classes on its images, with the best score of each.

    `products` maps the name of an image to the products it shows; an image without one is a product of its own.
    """
    scores: dict[str, dict[str, float]] = {}

    def write(image: ImageResult) -> None:
        for product in () if image.error else products.get(image.name) or [image.name]:
            best = scores.setdefault(product, {})
            for name, score in best_scores(image.detections).items():
                best[name] = max(score, best.get(name, 0.0))

    csv_path, json_path = folder / "tags.csv", folder / "tags.json"
    with files.write_together(csv_path, json_path, mode="w") as (csv_file, file):
        yield write
        tags = {product: best_first(best) for product, best in scores.items()}
        table = csv.writer(csv_file, lineterminator="\n")
        table.writerow(TAGS_COLUMNS)
        for product, best in tags.items():
            table.writerows((product, name, f"{score:.4f}") for name, score in best.items())
        json.dump(tags, file, ensure_ascii=False, indent=1)
        file.write("\n")


class VocWriter:
    """Writes one LabelImg XML for each image with detections, sealed as a proposal that nobody has reviewed.

    `label_names`: of the detector; annotations have these.
    """

    def __init__(self, folder: Path, model: str, label_names: Mapping[str, str]):
        self.num_kept = 0  # files that a person has saved since
        self.findings: list[Finding] = []  # an error for each name that cannot be written as XML
        self._folder, self._model, self._label_names = folder, model, label_names
        self._taken: set[Path] = set()

    def write(self, image: ImageResult) -> None:
        # An image's own name, unless it is an address or the like: LabelImg finds it by the name without the suffix.
        image_name = image.name if image.output_name == f"{image.name}.jpg" else image.output_name
        path = voc_xml.annotation_path(self._folder, image_name)
        if path in self._taken:  # a.jpg and a.png, which share one annotation in LabelImg
            path = self._folder / f"{image_name}.xml"
        objects, scores = voc_objects(image, self._label_names)
        annotation = Annotation(posixpath.basename(image_name), image.width, image.height, objects)
        outcome, findings = store_proposal(path, image.name, annotation, f"{self._model}, {score_range(scores)}")
        self.findings += findings
        self.num_kept += outcome == KEPT
        if objects or outcome == KEPT:
            self._taken.add(path)


def voc_objects(image: ImageResult, label_names: Mapping[str, str]) -> tuple[list[VocObject], list[float]]:
    """Return the detections, clipped to the image, as annotated objects, and their scores."""
    objects, scores = [], []
    for class_name, score, *box_xyxy in image.detections:
        if box := clip_to_pixels(box_xyxy, image.width, image.height):
            objects.append(VocObject(label_names.get(class_name, class_name), *box))
            scores.append(score)
    return objects, scores


def score_range(scores: Sequence[float]) -> str:
    return f"scores {min(scores, default=0):.2f} to {max(scores, default=0):.2f}"


def store_proposal(
    path: Path, image_name: str, annotation: Annotation, origin: str, replace: bool = True
) -> tuple[str, list[Finding]]:
    """Write an annotation as a proposal; remove an earlier proposal where it has no object.

    A file that a person has saved is never changed; an unreviewed proposal only with `replace`. Return the outcome, one
    of the five above, and an error where XML cannot hold the name.
    """
    exists = path.exists()
    if exists and not (replace and proposals.is_unreviewed(path.read_bytes())):
        return KEPT, []
    if not annotation.objects:
        files.remove(path)
        return REMOVED if exists else EMPTY, []
    try:
        voc_xml.write(path, proposals.sealed(annotation, origin))
    except ValueError as error:
        return FAILED, [Finding(ERROR, "name-not-xml", image_name, str(error), "give the image another name")]
    return WRITTEN, []
