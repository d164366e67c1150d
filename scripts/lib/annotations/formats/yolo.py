"""YOLO: one text file per image and a classes.txt, as LabelImg writes them (`libs/yolo_io.py`).

Each line is a box, `class x_center y_center width height`: the class as a line number of classes.txt, from 0, the
others as fractions of the image's sides.
"""

from __future__ import annotations

import functools
from pathlib import Path

from scripts.lib.annotations import parsing
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core.errors import DataError, Finding
from scripts.lib.core.text import read_text
from scripts.lib.images.image_names import ImageFolder

TITLE = "LabelImg's YOLO .txt with classes.txt"
NEEDS_IMAGES = True
IS_DATA_SET = False


def select_files(path: Path, listed: list[str]) -> list[str]:
    return [file for file in parsing.with_suffix(listed, ".txt") if Path(file).name != "classes.txt"]


def read(file: str, path: Path, images: ImageFolder) -> tuple[list[Annotation], list[Finding]]:
    class_names = _class_names(Path(file).parent, path)
    annotation = parsing.annotation_of(parsing.stem_below(file, path), images, file)
    columns, rows, findings = annotation.width, annotation.height, []
    for line, text in parsing.numbered_lines(file):
        try:
            index, *box = text.split()
            if len(box) != 4:
                raise ValueError(f"has {len(box) + 1} values, expected 5: class x_center y_center width height")
            x, y, width, height = map(_fraction, box)
            corners = parsing.corners_xyxy(x * columns, y * rows, width * columns, height * rows)
            name = parsing.class_at(index, class_names, "classes.txt")
            annotation.objects.append(VocObject(name, *corners, line=line))
        except ValueError as error:
            findings.append(parsing.error_in(file, "yolo-line", str(error), "save it again in LabelImg", line=line))
    return [] if findings else [annotation], findings


@functools.lru_cache(maxsize=64)
def _class_names(folder: Path, root: Path) -> list[str]:
    for candidate in (folder / "classes.txt", root / "classes.txt"):
        if candidate.is_file():
            return [name.strip() for name in read_text(candidate).strip("\r\n").split("\n")]
    message = "no classes.txt beside the annotations, which names their classes"
    raise DataError([parsing.error_in(folder, "yolo-classes", message, "copy it there from where LabelImg wrote it")])


def _fraction(text: str) -> float:
    value = parsing.number(text)
    if not -0.001 <= value <= 1.001:  # a tool's rounding, not another unit
        raise ValueError(f"{text!r} is not a fraction of the image's side, 0 to 1")
    return value
