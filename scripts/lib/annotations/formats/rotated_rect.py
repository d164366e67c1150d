"""RotatedRect CSV of FIAT (christopher5106/FastAnnotationTool): `path,class,center_x,center_y,w,h,o`.

Pixels; `o` in degrees, as in OpenCV's RotatedRect. The line of column names may be missing, and columns of noise may
follow. A box becomes the smallest upright one that encloses it, clipped to the image.
"""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path

from scripts.lib.annotations import parsing
from scripts.lib.annotations.parsing import error_in
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core.errors import DataError, Finding
from scripts.lib.core.text import read_text
from scripts.lib.images.image_names import ImageFolder

TITLE = "FIAT's .csv path,class,center_x,center_y,w,h,o; the upright box around the rotated one is taken"
NEEDS_IMAGES = True
IS_DATA_SET = False

_LINE = re.compile(r"path,class,|.+(?:,\s*[-+.0-9eE]+){5}(?:,|$)")


def select_files(path: Path, listed: list[str]) -> list[str]:
    return [file for file in parsing.with_suffix(listed, ".csv") if _LINE.match(parsing.first_line(file))]


def read(file: str, path: Path, images: ImageFolder) -> tuple[list[Annotation], list[Finding]]:
    annotations: dict[str, Annotation] = {}  # by the image's own name
    annotation_of: dict[str, Annotation] = {}  # by the name in the file
    findings = []
    reader = csv.reader(io.StringIO(read_text(file), newline=""), strict=True)
    try:
        for fields in reader:
            line = reader.line_num
            if not fields or (line == 1 and fields[:3] == ["path", "class", "center_x"]):
                continue
            try:
                if len(fields) not in (7, 11):
                    raise ValueError(f"has {len(fields)} fields, expected path,class,center_x,center_y,w,h,o")
                if fields[0] not in annotation_of:
                    new = parsing.annotation_of(fields[0], images, file, line, parsing.folder_below(file, path))
                    annotation_of[fields[0]] = annotations.setdefault(new.filename, new)
                annotation = annotation_of[fields[0]]
                corners = _enclosing_xyxy(*map(parsing.number, fields[2:7]), annotation.width, annotation.height)
                annotation.objects.append(VocObject(parsing.class_name(fields[1]), *corners, line=line))
            except ValueError as error:
                findings.append(error_in(file, "csv-value", str(error), "correct the line", line=line))
            except DataError as error:
                findings += error.findings
    except csv.Error as error:
        findings.append(error_in(file, "csv-malformed", f"is not CSV: {error}", "correct it", line=reader.line_num))
    return list(annotations.values()), findings


def _enclosing_xyxy(
    x_center: float, y_center: float, width: float, height: float, degrees: float, columns: int, rows: int
) -> list[int]:
    """Return the upright box around a rotated one, clipped to the image, in pixels."""
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    corners = parsing.corners_xyxy(x_center, y_center, width * cosine + height * sine, width * sine + height * cosine)
    return [min(max(corner, 0), side) for corner, side in zip(corners, (columns, rows) * 2, strict=True)]
