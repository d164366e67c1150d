"""The Style data set (Bossard et al., "Apparel Classification with Style", ACCV 2012), folder `fashion-data`.

`labels.json` has a line `number: 'name'` for each of 15 classes, `train.txt` and `test.txt` a line `number/image` for
`images/number/image.jpg` (as its public converters read it, e.g. choas/Apparel-Dataset-Creator). The set was made for
classification and states no boxes: the whole image is taken as the box. Look at some before relying on it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from scripts.lib.annotations import parsing
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core.errors import DataError, Finding
from scripts.lib.core.text import read_text
from scripts.lib.images.image_names import ImageFolder

TITLE = '"Apparel Classification with Style": labels.json, train.txt, test.txt; the box is the whole image'
NEEDS_IMAGES = True
IS_DATA_SET = True

_LABEL = re.compile(r"""["']?\b(\d+)["']?\s*:\s*["'](.*?)["']\s*(?:[,}]|$)""", re.MULTILINE)  # not quite JSON


def select_files(path: Path, listed: list[str]) -> list[str]:
    if not (path / "labels.json").is_file():
        return []
    return [os.fspath(path / name) for name in ("test.txt", "train.txt") if (path / name).is_file()]


def read(file: str, path: Path, images: ImageFolder) -> tuple[list[Annotation], list[Finding]]:
    annotations, findings = [], []
    names = dict(_LABEL.findall(read_text(path / "labels.json")))
    for line, text in parsing.numbered_lines(file):
        number = text.partition("/")[0].strip()
        if number not in names:
            message = f"labels.json has no class {number[:60]!r}"
            findings.append(parsing.error_in(file, "style-class", message, "correct the line", line=line))
            continue
        try:
            annotation = parsing.annotation_of(f"{text.strip()}.jpg", images, file, line)
            annotation.objects = [VocObject(names[number], 0, 0, annotation.width, annotation.height, line=line)]
            annotations.append(annotation)
        except DataError as error:
            findings += error.findings
    return annotations, findings
