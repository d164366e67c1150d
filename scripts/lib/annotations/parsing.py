"""Images, lines, numbers and class names of annotation files, checked as they are read; shared by the formats."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.annotations.voc_xml import MAX_TEXT, Annotation
from scripts.lib.core import files
from scripts.lib.core.boxes import round_half_up
from scripts.lib.core.errors import ERROR, DataError, Finding
from scripts.lib.core.text import read_text
from scripts.lib.images import image_names
from scripts.lib.images.image_names import ImageFolder

LARGEST = 10**9  # pixels; anything beyond is a mistake
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def annotation_of(name: str, images: ImageFolder, file: str, line: int | None = None, folder: str = "") -> Annotation:
    """Return an annotation without objects of the image that a line of a file names; raise DataError without it.

    The image is looked for in `folder`, that of the annotation file below the folder of annotations; then by its name,
    by the name without its first folder, and so on; of a name that leads out of the folder, by the last part.
    """
    inside, _ = image_names.last_part_inside_folder(name)
    parts = inside.split("/")
    names = [f"{folder}/{inside}", *("/".join(parts[start:]) for start in range(len(parts)))]
    found = next(filter(None, map(images.find, names)), None)
    if found is None:
        message = f"the image {name[:200]!r} is not in {files.shown_path(images.folder)}, or there is more than one"
        raise DataError([error_in(file, "image-missing", message, "copy it there, or give --image_dir", line=line)])
    (width, height), _ = upright_size(images.folder / found)
    return Annotation(found, width, height, source=file)


def upright_size(path: Path) -> tuple[tuple[int, int], int]:
    """Return width and height (pixels) of an image as viewers show it, and its EXIF orientation.

    Raises:
        DataError: it cannot be read.
    """
    from scripts.lib.images import decode  # here, since it imports Pillow, and VOC XML mostly does without

    try:
        with decode.open_image(path) as image:
            orientation = decode.orientation(image)
            return image.size[::-1] if orientation >= 5 else image.size, orientation
    except Exception as error:  # Pillow's plugins raise whatever a broken header leads them to
        message = f"cannot be read as an image: {error}"
        raise DataError([error_in(path, "image-unreadable", message, "replace the file")]) from error


def corners_xyxy(x_center: float, y_center: float, width: float, height: float) -> tuple[int, int, int, int]:
    """Return xmin, ymin, xmax, ymax, rounded to the nearest pixel, of a box in pixels."""
    sides = x_center - width / 2, y_center - height / 2, x_center + width / 2, y_center + height / 2
    return tuple(map(round_half_up, sides))


def number(text: str) -> float:
    """Return a number of pixels; raise ValueError if the text is not one, or not a sensible one."""
    text = text.strip()
    if len(text) > 40 or not _NUMBER.fullmatch(text) or not abs(float(text)) < LARGEST:
        raise ValueError(f"{text[:60]!r} is not a number of pixels")
    return float(text)


def class_name(text: str) -> str:
    """Return a class name without the space around it; raise ValueError if it is empty, too long or has controls."""
    name = text.strip()
    if not name or len(name) > MAX_TEXT or any(ord(character) < 32 for character in name):
        raise ValueError(f"{text[:60]!r} is not a class name")
    return name


def class_at(index: str, names: Sequence[str], list_name: str, first: int = 0) -> str:
    """Return the name of an index, of which `first` is the lowest; raise ValueError if the list has no such index."""
    position = int(index) - first if index.isascii() and index.isdecimal() and len(index) < 9 else -1
    if not 0 <= position < len(names):
        raise ValueError(f"{index[:20]!r} is not a class of {list_name}, which has {first} to {len(names) - 1 + first}")
    return class_name(names[position])


def numbered_lines(path: Path | str) -> list[tuple[int, str]]:
    """Return the number, from 1, and the text of each line that is not blank."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [(line_number, text.rstrip("\r")) for line_number, text in lines if text.strip()]


def with_suffix(listed: list[str], suffix: str) -> list[str]:
    return [file for file in listed if file.lower().endswith(suffix)]


def first_line(file: str) -> str:
    """Return the first line that is not blank."""
    with Path(file).open(encoding="utf-8-sig", errors="replace") as lines:
        return lines.read(2000).strip().partition("\n")[0].rstrip()


def stem_below(file: str, path: Path) -> str:
    """Return an annotation file's name without its suffix, relative to the folder of annotations: "shop/dress"."""
    folder, name = os.fspath(path), file.replace(os.sep, "/")
    name = name[len(folder) + 1 :] if file != folder else name.rpartition("/")[2]
    return name.rpartition(".")[0]


def folder_below(file: str, path: Path) -> str:
    """Return the folder of an annotation file relative to the folder of annotations: "shop", or ""."""
    return stem_below(file, path).rpartition("/")[0]


def error_in(
    file: Path | str, code: str, message: str, remedy: str, object: str = "", line: int | None = None
) -> Finding:
    """Return an error of an annotation file, see `Finding`."""
    return Finding(ERROR, code, files.shown_path(file), message, remedy, object, line)
