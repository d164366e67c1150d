"""CreateML: one JSON list for all images, as LabelImg writes it (`libs/create_ml_io.py`).

`[{"image": "a.jpg", "annotations": [{"label": "Tops", "coordinates": {"x": 9, "y": 9, "width": 8, "height": 8}}]}]`,
x and y being the centre of the box, all in pixels.
"""

from __future__ import annotations

from pathlib import Path

from scripts.lib.annotations import parsing
from scripts.lib.annotations.formats import coco
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

_BOX = {"label": str, "coordinates": dict.fromkeys(("x", "y", "width", "height"), float)}


def select_files(path: Path, listed: list[str]) -> list[str]:
    lists = [file for file in parsing.with_suffix(listed, ".json") if parsing.first_line(file).startswith("[")]
    return [file for file in lists if Path(file).name != coco.RESULTS]


def read(file: str, path: Path, images: ImageFolder) -> tuple[list[Annotation], list[Finding]]:
    try:
        entries = json_text.parse(read_text(file), list)
    except ValueError as error:
        raise DataError([error_in(file, "json-malformed", str(error), "export it again")]) from None
    annotations, findings = [], []
    for number, entry in enumerate(entries, start=1):
        place = f"image {number}"
        try:
            json_text.compare(entry, {"image": str})
            place = f"image {number} ({entry['image']})"
            json_text.compare(entry, {"annotations": list})
            annotation = parsing.annotation_of(entry["image"], images, file, folder=parsing.folder_below(file, path))
            for index, box in enumerate(entry["annotations"], start=1):
                place = f"image {number} ({annotation.filename}), object {index}"
                json_text.compare(box, _BOX)
                values = [box["coordinates"][key] for key in _BOX["coordinates"]]
                if are_fractions(values):
                    raise ValueError("the coordinates are fractions of the image's sides, expected pixels")
                corners = parsing.corners_xyxy(*map(parsing.number, map(str, values)))
                annotation.objects.append(VocObject(parsing.class_name(box["label"]), *corners))
            annotations.append(annotation)
        except ValueError as error:
            findings.append(error_in(file, "json-value", str(error), "correct the entry", place))
        except DataError as error:
            findings += error.findings
    return annotations, findings
