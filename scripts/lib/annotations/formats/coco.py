"""COCO JSON: images, annotations and categories in one file (cocodataset.org, "Data format", object detection).

`"bbox": [x, y, width, height]`, x and y being the upper left corner, in pixels. Of polygons and masks the box is taken.
What `detect.py --formats coco` writes is read, too: coco_images.json with coco_results.json beside it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from scripts.lib.annotations import parsing
from scripts.lib.annotations.parsing import error_in
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core import files, json_text
from scripts.lib.core.boxes import are_fractions
from scripts.lib.core.errors import WARNING, DataError, Finding
from scripts.lib.core.wording import counted
from scripts.lib.images.image_names import ImageFolder

TITLE = "COCO .json, of CVAT, Label Studio, Roboflow or detect.py"
NEEDS_IMAGES = True
IS_DATA_SET = False

_IMAGE = {"id": (int, str), "file_name": str}
_BOX = {"image_id": (int, str), "category_id": int, "bbox": [float], "iscrowd?": (int, bool)}
DETECTIONS, RESULTS = "coco_images.json", "coco_results.json"  # of detect.py


def select_files(path: Path, listed: list[str]) -> list[str]:
    return [file for file in parsing.with_suffix(listed, ".json") if _is_coco(file)]


def _is_coco(file: str) -> bool:
    if not parsing.first_line(file).startswith("{"):
        return False
    text = Path(file).read_text(encoding="utf-8-sig", errors="replace")
    return '"categories"' in text and '"images"' in text


def read(file: str, path: Path, images: ImageFolder) -> tuple[list[Annotation], list[Finding]]:
    content = _content(file, {"images": list, "annotations": list, "categories": [{"id": int, "name": str}]})
    if Path(file).name == DETECTIONS and not content["annotations"]:
        content["annotations"] = _content(str(Path(file).with_name(RESULTS)), list)
    class_names = {category["id"]: category["name"] for category in content["categories"]}
    annotations, findings = _images(content["images"], file, path, images)
    for kind in ("images", "categories"):  # two exports put together: which of the two is meant cannot be known
        ids = Counter(str(entry.get("id")) for entry in content[kind] if isinstance(entry, dict))
        if several := [name for name, count in ids.items() if count > 1]:
            message = f"{counted(len(several), 'id')} of several {kind}, e.g. {several[0]}"
            findings.append(error_in(file, "id-twice", message, "convert each export by itself, or export them as one"))
    unknown, crowds = Counter(), 0
    for number, box in enumerate(content["annotations"], start=1):
        try:
            json_text.compare(box, _BOX)
            if (image_id := str(box["image_id"])) not in annotations:
                unknown[image_id] += 1
            elif box.get("iscrowd"):
                crowds += 1
            elif annotation := annotations[image_id]:
                annotation.objects.append(_object(box, class_names))
        except ValueError as error:
            findings.append(error_in(file, "json-value", str(error), "correct the entry", f"annotation {number}"))
    if unknown:
        message = (
            f"{counted(sum(unknown.values()), 'annotation')} of images that it does not list, e.g. {[*unknown][0]}"
        )
        findings.append(error_in(file, "unknown-image", message, "export it again"))
    if crowds:
        message = f"{counted(crowds, 'annotation')} of a crowd (iscrowd: 1) left out"
        findings.append(Finding(WARNING, "crowd", files.shown_path(file), message, "box each object by itself"))
    return [annotation for annotation in annotations.values() if annotation], findings


def _content(file: str, shape: Any) -> Any:
    try:
        return json_text.read(Path(file), shape)
    except ValueError as error:
        raise DataError([error_in(file, "json-malformed", str(error), "export it again")]) from None


def _images(
    entries: list, file: str, path: Path, images: ImageFolder
) -> tuple[dict[str, Annotation | None], list[Finding]]:
    """Return id -> annotation without objects, None for an image that is not there; and what is wrong."""
    annotations, findings = {}, []
    for number, entry in enumerate(entries, start=1):
        try:
            json_text.compare(entry, _IMAGE)
            annotations[str(entry["id"])] = None
            annotation = parsing.annotation_of(
                entry["file_name"], images, file, folder=parsing.folder_below(file, path)
            )
            json_text.compare(entry, {"width?": int, "height?": int})
            annotation.width, annotation.height = (
                entry.get(side, getattr(annotation, side)) for side in ("width", "height")
            )
            annotations[str(entry["id"])] = annotation
        except ValueError as error:
            findings.append(error_in(file, "json-value", str(error), "correct the entry", f"image {number}"))
        except DataError as error:
            findings += error.findings
    return annotations, findings


def _object(box: dict, class_names: dict[int, str]) -> VocObject:
    if len(box["bbox"]) != 4:
        raise ValueError(f"has {box['bbox']} as bbox, expected x, y, width, height")
    if box["category_id"] not in class_names:
        raise ValueError(f"has {box['category_id']} as category_id, which is not among the categories")
    if are_fractions(box["bbox"]):
        raise ValueError(f"has {box['bbox']} as bbox, fractions of the image's sides, expected pixels")
    x, y, width, height = (parsing.number(str(value)) for value in box["bbox"])
    corners = parsing.corners_xyxy(x + width / 2, y + height / 2, width, height)
    return VocObject(parsing.class_name(class_names[box["category_id"]]), *corners)
