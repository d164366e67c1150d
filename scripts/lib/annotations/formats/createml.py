"""CreateML: one JSON list for all images, as LabelImg writes it (`libs/create_ml_io.py`).

`[{"image": "a.jpg", "annotations": [{"label": "Tops", "coordinates": {"x": 9, "y": 9, "width": 8, "height": 8}}]}]`,
x and y being the centre of the box, all in pixels.
"""

from __future__ import annotations

from pathlib import Path

from scripts.lib.annotations import parsing
from scripts.lib.annotations.parsing import error_in
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core import json_text
from scripts.lib.core.boxes import are_fractions
from scripts.lib.core.errors import DataError, Finding
from scripts.lib.core.text import read_text
from scripts.lib.images.image_names import ImageFolder

TITLE = "CreateML .json, of LabelImg or other tools"
NEEDS_IMAGES = True
IS_DATA_SET = False


def select_files(path: Path, listed: list[str]) -> list[str]:
    return [file for file in listed if file.lower().endswith(".json") and parsing.first_line(file).startswith("[")]


def read(file: str, path: Path, images: ImageFolder) -> tuple[list[Annotation], list[Finding]]:
    annotations, findings = [], []
    for number, entry in enumerate(_entries(file), start=1):
        place = f"image {number}"
        try:
            name = _value(entry, "image", str)
            place = f"image {number} ({name})"
            annotation = parsing.annotation_of(name, images, file, folder=parsing.folder_below(file, path))
            for index, box in enumerate(_value(entry, "annotations", list), start=1):
                place = f"image {number} ({annotation.filename}), object {index}"
                coordinates = _value(box, "coordinates", dict)
                values = [_pixels(coordinates, key) for key in ("x", "y", "width", "height")]
                if are_fractions(values):
                    raise ValueError("the coordinates are fractions of the image's sides, expected pixels")
                corners = parsing.corners_xyxy(*values)
                annotation.objects.append(VocObject(parsing.class_name(_value(box, "label", str)), *corners))
            annotations.append(annotation)
        except ValueError as error:
            findings.append(error_in(file, "json-value", str(error), "correct the entry", place))
        except DataError as error:
            findings += error.findings
    return annotations, findings


def _entries(file: str) -> list:
    """Return the list of images; raise DataError if the file holds anything else."""
    try:
        return json_text.parse(read_text(file), list)
    except ValueError as error:
        raise DataError([error_in(file, "json-malformed", str(error), "export it again")]) from None


def _value(mapping: object, key: str, kind: type) -> object:
    value = mapping.get(key) if isinstance(mapping, dict) else None
    if not isinstance(value, kind):
        names = {str: "a text", list: "a list", dict: "an object"}
        raise ValueError(f"{key!r} is {str(value)[:60]!r}, expected {names[kind]}")
    return value


def _pixels(mapping: dict, key: str) -> float:
    value = mapping.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < parsing.LARGEST:
        raise ValueError(f"{key!r} is {str(value)[:60]!r}, expected a number of pixels")
    return value
