"""YOLO: one text file per image, and the class names in classes.txt, obj.names or data.yaml.

Each line is a box, `class x_center y_center width height`: the class as its place in the list of names, from 0, the
others as fractions of the image's sides. LabelImg (`libs/yolo_io.py`) and Label Studio write the names into
classes.txt, Darknet and CVAT into obj.names, Ultralytics and Roboflow into data.yaml, which lies above `train/labels`.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from scripts.lib.annotations import parsing
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core import files
from scripts.lib.core.errors import NOTE, DataError, Finding
from scripts.lib.core.text import read_text
from scripts.lib.images.image_names import ImageFolder

TITLE = "YOLO .txt with classes.txt, obj.names or data.yaml"
NEEDS_IMAGES = True
IS_DATA_SET = False

NAME_FILES = ("classes.txt", "obj.names", "data.yaml", "data.yml", "dataset.yaml", "labels.txt", "_darknet.labels")
_OTHER_TEXT = re.compile(r"(classes|labels)\.txt|(readme|licen[cs]e|requirements)\b.*\.txt", re.IGNORECASE)
_NUMBER = re.compile(r"[-+.\d]+")
_FOLDERS_ABOVE = 2  # where class names are looked for, too: data.yaml lies above train/labels


def select_files(path: Path, listed: list[str]) -> list[str]:
    return [file for file in parsing.with_suffix(listed, ".txt") if _may_hold_boxes(Path(file))]


def _may_hold_boxes(file: Path) -> bool:
    """Return False for texts that come with data sets: read-me files, class names, lists of images."""
    if _OTHER_TEXT.fullmatch(file.name) or "ImageSets" in file.parts:
        return False
    fields = parsing.first_line(str(file)).split()
    return len(fields) > 2 or not fields or bool(_NUMBER.fullmatch(fields[0]))  # a list has a name, and perhaps 1 or -1


def read(file: str, path: Path, images: ImageFolder) -> tuple[list[Annotation], list[Finding]]:
    names, names_file = _class_names(Path(file).parent, path)
    annotation = parsing.annotation_of(parsing.stem_below(file, path), images, file)
    columns, rows, findings, unknown = annotation.width, annotation.height, [], set()
    for line, text in parsing.numbered_lines(file):
        try:
            index, *box = text.split()
            if len(box) != 4:
                raise ValueError(f"has {len(box) + 1} values, expected 5: class x_center y_center width height")
            x, y, width, height = map(_fraction, box)
            if index.isascii() and index.isdecimal() and int(index[:9]) >= len(names):
                unknown.add(int(index[:9]))
                continue
            name = parsing.class_at(index, names, names_file.name)
            corners = parsing.corners_xyxy(x * columns, y * rows, width * columns, height * rows)
            annotation.objects.append(VocObject(name, *corners, line=line))
        except ValueError as error:
            remedy = "correct the line, or export boxes only, without polygons, keypoints and scores"
            findings.append(parsing.error_in(file, "yolo-line", str(error), remedy, line=line))
    if unknown:
        findings.append(_unknown_classes(file, sorted(unknown), names, names_file))
    elif not names_file.is_relative_to(path):
        findings.append(Finding(NOTE, "yolo-classes", files.shown_path(names_file), "names the classes"))
    return [annotation] if not unknown and all(one.severity == NOTE for one in findings) else [], findings


def _unknown_classes(file: str, ids: list[int], names: list[str], names_file: Path) -> Finding:
    """Return the error of class ids beyond the list, as LabelImg leaves them when it writes classes.txt anew."""
    listed = f"lists 0 to {len(names) - 1}" if names else "lists none"
    message = f"has class {', '.join(map(str, ids))}, but {files.shown_path(names_file)} {listed}"
    remedy = f"write the names of all classes there, in the order of their ids; {names_file.name} begins with class 0"
    if names_file.name == "classes.txt":
        remedy += "; LabelImg replaces this file by the classes of its last session: an older copy is right"
    return parsing.error_in(file, "yolo-class", message, remedy)


@functools.lru_cache(maxsize=64)
def _class_names(folder: Path, root: Path) -> tuple[list[str], Path]:
    """Return the class names that lie nearest, and their file: in the folder, up to the root, or a little further up.

    Raises:
        DataError: there are none, a list cannot be read, or two lists in a folder contradict each other.
    """
    top = root.parent if root.is_file() else root
    above = Path(top).absolute().parents[:_FOLDERS_ABOVE]
    inside = [parent for parent in (folder, *folder.parents) if parent.is_relative_to(top)]
    empty = None
    for place in (*inside, *above):
        lists = [(_read_names(file), file) for name in NAME_FILES if (file := place / name).is_file()]
        filled = [one for one in lists if one[0]]
        if any(names != filled[0][0] for names, _ in filled):
            message = f"{' and '.join(file.name for _, file in filled)} name different classes"
            raise DataError([parsing.error_in(place, "yolo-classes", message, "remove the one that is wrong")])
        if filled:
            return filled[0]
        empty = empty or next(iter(lists), None)
    if empty:
        return empty
    message = f"no {', '.join(NAME_FILES[:2])} or {NAME_FILES[2]} here or above, which names the classes"
    remedy = "write classes.txt there: a class name a line, that of class 0 first"
    raise DataError([parsing.error_in(folder, "yolo-classes", message, remedy)])


def _read_names(file: Path) -> list[str]:
    text = read_text(file)
    if file.suffix not in (".yaml", ".yml"):
        names = [name.strip() for name in text.strip("\r\n").split("\n")]
        return names if any(names) else []
    import yaml  # here, since most annotations need none

    try:
        names = (yaml.load(text, yaml.BaseLoader) or {}).get("names", [])  # all as texts: `no` is a class, not False
        if isinstance(names, dict):
            names = [names[str(index)] for index in range(len(names))]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError
        return names
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        message = f"does not hold names, a list or 0: first, 1: second, ... ({' '.join(str(error).split())[:100]})"
        raise DataError([parsing.error_in(file, "yolo-classes", message, "correct it")]) from error


def _fraction(text: str) -> float:
    value = parsing.number(text)
    if not -0.001 <= value <= 1.001:  # a tool's rounding, not another unit
        raise ValueError(f"{text!r} is not a fraction of the image's side, 0 to 1")
    return value
