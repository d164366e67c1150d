"""DeepFashion, Category and Attribute Prediction Benchmark (Liu et al., CVPR 2016), as its own README lays it out.

Each list has its length in the first line and column names in the second. `list_bbox.txt` has `image x_1 y_1 x_2 y_2`
(pixels), `list_category_img.txt` has `image category` (from 1, a line of the following list), and
`list_category_cloth.txt` has `name type`.
"""

from __future__ import annotations

import os
from pathlib import Path

from scripts.lib.annotations import parsing
from scripts.lib.annotations.parsing import error_in
from scripts.lib.annotations.voc_xml import Annotation, VocObject, parse_pixels
from scripts.lib.core.errors import DataError, Finding
from scripts.lib.images.image_names import ImageFolder

TITLE = "DeepFashion: Anno/list_bbox.txt, list_category_img.txt, list_category_cloth.txt"
NEEDS_IMAGES = True
IS_DATA_SET = True


def select_files(path: Path, listed: list[str]) -> list[str]:
    lists = [folder / "list_bbox.txt" for folder in (path, path / "Anno", path / "Anno_coarse")]
    return [os.fspath(file) for file in lists if file.is_file()][:1]


def read(file: str, path: Path, images: ImageFolder) -> tuple[list[Annotation], list[Finding]]:
    folder = Path(file).parent
    names = [text.rsplit(None, 1)[0] for _, text in _listed(folder / "list_category_cloth.txt")]
    category_of = {}
    for _, text in _listed(folder / "list_category_img.txt"):
        name, *number = text.rsplit(None, 1)
        category_of[name] = number[0] if number else ""
    annotations, findings = [], []
    for line, text in _listed(Path(file)):
        try:
            name, *corners = text.rsplit(None, 4)
            if len(corners) != 4 or name not in category_of:
                raise ValueError(f"is {text[:80]!r}, expected image x_1 y_1 x_2 y_2, one of list_category_img.txt")
            class_name = parsing.class_at(category_of[name], names, "list_category_cloth.txt", first=1)
            annotation = parsing.annotation_of(name, images, file, line)
            annotation.objects = [VocObject(class_name, *map(parse_pixels, corners), line=line)]
            annotations.append(annotation)
        except ValueError as error:
            findings.append(error_in(file, "deepfashion-line", str(error), "unpack the data set again", line=line))
        except DataError as error:
            findings += error.findings
    return annotations, findings


def _listed(path: Path) -> list[tuple[int, str]]:
    """Return the lines of one of the lists, with their numbers, without the two at its head."""
    lines = parsing.numbered_lines(path)
    stated = lines[0][1].strip() if lines else ""
    if stated != str(len(lines) - 2):
        message = f"has {max(len(lines) - 2, 0)} lines below its two header lines, the first says {stated[:20]!r}"
        raise DataError([error_in(path, "deepfashion-list", message, "unpack the data set again", line=1)])
    return lines[2:]
