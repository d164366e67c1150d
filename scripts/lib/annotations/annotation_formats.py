"""Annotations of other tools and data sets, read as `voc_xml.Annotation`s.

A format knows which files of a folder are its own and how to read one of them; reading yields an `Annotation` for each
image and a `Finding` for each thing that is wrong (ERROR) or was settled (NOTE). Formats that do not state the image's
size take it, and the spelling of its name, from the folder of the images.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.annotations import voc_xml
from scripts.lib.annotations.voc_xml import Annotation, VocObject
from scripts.lib.core import files
from scripts.lib.core.boxes import round_half_up
from scripts.lib.core.errors import ERROR, NOTE, WARNING, DataError, Finding, UsageError
from scripts.lib.core.text import read_text
from scripts.lib.images import image_names
from scripts.lib.images.image_names import ImageFolder

Items = Iterator[Annotation | Finding]


class Format(NamedTuple):
    """A format.

    Attributes:
        title: what it is called in messages.
        select_files: its own annotation files in (or at) a path; takes it, and all files that are there, by name.
        read_file: yields the annotations of one of them; takes it, the path given to `select_files`, and the images.
        needs_images: it says nothing of the images' sizes.
    """

    title: str
    select_files: Callable[[Path, list[str]], list[str]]
    read_file: Callable[[str, Path, ImageFolder | None], Items]
    needs_images: bool = True


def find_files(path: Path, name: str = "auto") -> tuple[str, list[str]]:
    """The annotation files in (or at) a path, in order of their names.

    Args:
        path: a folder, or one file.
        name: of their format; "auto": the one that there is.

    Returns:
        The format's name, and the files.

    Raises:
        UsageError: there are files of more than one format, and none was named.
        DataError: there are none.
    """
    listed = [os.fspath(path)] if path.is_file() else voc_xml.find_files(path, _SUFFIXES)  # once, for all formats
    names = FORMATS if name == "auto" else [name]
    found = {name: selected for name in names if (selected := FORMATS[name].select_files(path, listed))}
    if not found:
        titles = "; ".join(f"{name}: {FORMATS[name].title}" for name in names)
        which = "a known format" if name == "auto" else "this format"
        raise DataError([f"{files.shown_path(path)}: there is no annotation of {which} ({titles})"])
    first = next(iter(found))
    if len(found) > 1 and first not in _WHOLE_SETS:
        kinds = " and as ".join(f"{name} ({_and_more(selected)})" for name, selected in found.items())
        raise UsageError(f"{files.shown_path(path)} holds annotations as {kinds}; choose one by --format")
    return first, found[first]


def _and_more(listed: Sequence[str]) -> str:
    return files.shown_path(listed[0]) + (f" and {len(listed) - 1} more" if len(listed) > 1 else "")


def read_file(
    name: str, file: str, path: Path, images: ImageFolder | None, class_map: dict[str, str] | None = None
) -> Items:
    """Reads one file of the format of that name, see `Format`, and renames its classes, see `rename_classes`.

    Whatever is wrong with it is a finding.
    """
    try:
        for item in FORMATS[name].read_file(file, path, images):
            if class_map is not None and isinstance(item, Annotation):
                yield from rename_classes(item, class_map)
            yield item
    except DataError as error:
        yield from error.findings
    except OSError as error:
        yield _error(file, "file-unreadable", f"cannot be read: {error.strerror or error}", "check the file")


def check_images_are_distinct(images: Sequence[tuple[str, str]]) -> list[Finding]:
    """An error for each image that two files, or two entries, name: its boxes would count twice, or be another's.

    Args:
        images: name of each image and the file that annotates it.
    """
    first: dict[str, str] = {}
    findings = []
    for position, (name, file) in enumerate(images):
        first.setdefault(name, file)
        if len(first) <= position - len(findings):
            message = f"names the image {name!r}, as {files.shown_path(first[name])} does"
            remedy = "keep one of the two, mend the name, or give --image_dir"
            findings.append(_error(file, "image-annotated-twice", message, remedy))
    return findings


def no_object(path: Path) -> Finding:
    """The error of a set of annotations that would make an empty labels CSV."""
    return _error(path, "no-object", "no annotation has an object", "label the images, or give --include_negatives")


# PASCAL VOC


def _select_voc(path: Path, listed: list[str]) -> list[str]:
    return _with_suffix(listed, ".xml")


def _read_voc(file: str, path: Path, images: ImageFolder | None) -> Items:
    """One XML file. A renamed image is found by the name of its XML file.

    An annotation in a sub-folder means the image in the sub-folder of the same name, else one directly in the folder.
    """
    annotation = voc_xml.read(file)
    if images:
        stem = own_name(file, path)
        folder, slash, _ = stem.rpartition("/")
        mirrored = folder + slash + annotation.filename
        found = images.find(mirrored) or images.find(annotation.filename, stem)
        if found and found not in (annotation.filename, mirrored):
            message = f"<filename> says {annotation.filename!r}, the image is {found!r}, which the CSV therefore names"
            yield Finding(NOTE, "filename-renamed", files.shown_path(file), message)
        elif found and (other := images.find(stem)) not in (None, found):
            message = f"<filename> says {annotation.filename!r}, yet there is an image {other!r}, named as this file is"
            remedy = "look at the boxes on both, and mend <filename> if they belong to the other"
            yield Finding(WARNING, "filename-mismatch", files.shown_path(file), message, remedy)
        elif not found and image_names.without_suffix(mirrored) != stem:  # the name alone would not lead to this file
            message = f"<filename> says {annotation.filename!r}; no image is called that, nor as this file is"
            remedy = "mend <filename>, or put the image into the folder of the images"
            yield Finding(WARNING, "filename-mismatch", files.shown_path(file), message, remedy)
        annotation.filename = found or annotation.filename
    yield annotation


# YOLO


def _select_yolo(path: Path, listed: list[str]) -> list[str]:
    return [file for file in _with_suffix(listed, ".txt") if Path(file).name != "classes.txt"]


def _read_yolo(file: str, path: Path, images: ImageFolder) -> Items:
    """One text file an image, as LabelImg writes it (`libs/yolo_io.py`): a line `class x_center y_center width height`
    for each box, the class as a line number of `classes.txt`, from 0, the others as fractions of the image's sides."""
    class_names = _yolo_classes(Path(file).parent, path)
    image = _Image.find(own_name(file, path), images, file)
    objects, findings = [], []
    for line, text in _lines(file):
        try:
            index, *box = text.split()
            if len(box) != 4:
                raise ValueError(f"has {len(box) + 1} values, expected 5: class x_center y_center width height")
            x, y, width, height = map(_fraction, box)
            objects.append(image.object(_item(class_names, index, "classes.txt"), x, y, width, height, line))
        except ValueError as error:
            findings.append(_error(file, "yolo-line", str(error), "save the image anew in LabelImg", line=line))
    yield from findings or [Annotation(image.name, *image.size, objects, source=file)]


@functools.lru_cache(maxsize=64)
def _yolo_classes(folder: Path, root: Path) -> list[str]:
    for candidate in (folder / "classes.txt", root / "classes.txt"):
        if candidate.is_file():
            return [name.strip() for name in read_text(candidate).strip("\r\n").split("\n")]
    message = "there is no classes.txt beside the annotations, which names their classes"
    raise DataError([_error(folder, "yolo-classes", message, "copy it there from where LabelImg wrote it")])


# CreateML


def _select_create_ml(path: Path, listed: list[str]) -> list[str]:
    return [file for file in _with_suffix(listed, ".json") if _begins_with(file, "[")]


def _read_create_ml(file: str, path: Path, images: ImageFolder) -> Items:
    """A JSON list for all images, as LabelImg writes it (`libs/create_ml_io.py`):
    `[{"image": "a.jpg", "annotations": [{"label": "Tops", "coordinates": {"x", "y", "width", "height"}}]}]`,
    x and y being the box's centre, all in pixels."""
    try:
        entries = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        yield _error(file, "json-malformed", f"is no JSON: {error.msg}", "export it anew", line=error.lineno)
        return
    except RecursionError:
        yield _error(file, "json-malformed", "is nested too deeply", "export it anew")
        return
    if not isinstance(entries, list):
        yield _error(file, "json-malformed", "holds no list of images", "export it anew")
        return
    for number, entry in enumerate(entries, start=1):
        place = f"image {number}"
        try:
            place = f"image {number} ({_value(entry, 'image', str)})"
            image = _Image.find(_value(entry, "image", str), images, file)
            objects = []
            for index, box in enumerate(_value(entry, "annotations", list), start=1):
                place = f"image {number} ({image.name}), object {index}"
                coordinates = _value(box, "coordinates", dict)
                numbers = [_json_number(coordinates, key) for key in ("x", "y", "width", "height")]
                objects.append(VocObject(_label(_value(box, "label", str)), *_corners(*numbers)))
            yield Annotation(image.name, *image.size, objects, source=file)
        except ValueError as error:
            yield _error(file, "json-value", str(error), "mend the entry", place)
        except DataError as error:
            yield from error.findings


def _value(mapping: object, key: str, kind: type) -> object:
    value = mapping.get(key) if isinstance(mapping, dict) else None
    if not isinstance(value, kind):
        names = {str: "a text", list: "a list", dict: "an object"}
        raise ValueError(f"{key!r} is {str(value)[:60]!r}, expected {names[kind]}")
    return value


def _json_number(mapping: dict, key: str) -> float:
    value = mapping.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < _LARGEST:
        raise ValueError(f"{key!r} is {str(value)[:60]!r}, expected a number of pixels")
    return value


# FIAT


def _select_rotated_rect(path: Path, listed: list[str]) -> list[str]:
    return [file for file in _with_suffix(listed, ".csv") if _RECT_LINE(_first_line(file))]


_RECT_LINE = re.compile(r"\ufeff?(?:path,class,|.+(?:,\s*[-+.0-9eE]+){5}(?:,|$))").match


def _read_rotated_rect(file: str, path: Path, images: ImageFolder) -> Items:
    """FIAT's RotatedRect CSV (christopher5106/FastAnnotationTool): `path,class,center_x,center_y,w,h,o`, in pixels, `o`
    in degrees as in OpenCV's RotatedRect; with or without that first line; columns of noise may follow.
    A box becomes the smallest upright one that encloses it, as far as the image reaches."""
    boxes_of: dict[str, list[VocObject]] = defaultdict(list)
    found: dict[str, _Image] = {}
    reader = csv.reader(io.StringIO(read_text(file), newline=""), strict=True)
    try:
        for fields in reader:
            line = reader.line_num
            if not fields or (line == 1 and fields[:3] == ["path", "class", "center_x"]):
                continue
            try:
                if len(fields) not in (7, 11):
                    raise ValueError(f"has {len(fields)} fields, expected path,class,center_x,center_y,w,h,o")
                if fields[0] not in found:
                    found[fields[0]] = _Image.find(fields[0], images, file, line)
                image = found[fields[0]]
                corners = _enclosing_corners(*map(_number, fields[2:7]), image.size)
                boxes_of[image.name].append(VocObject(_label(fields[1]), *corners, line=line))
            except ValueError as error:
                yield _error(file, "csv-value", str(error), "mend the line", line=line)
            except DataError as error:
                yield from error.findings
    except csv.Error as error:
        yield _error(file, "csv-malformed", f"is no CSV: {error}", "mend the line", line=reader.line_num)
    for image in {image.name: image for image in found.values()}.values():
        yield Annotation(image.name, *image.size, boxes_of[image.name], source=file)


def _enclosing_corners(x: float, y: float, width: float, height: float, degrees: float, size: tuple[int, int]):
    """Corners, in pixels, of the upright box around a rotated one, clipped to the image."""
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    corners = _corners(x, y, width * cosine + height * sine, width * sine + height * cosine)
    return [min(max(corner, 0), side) for corner, side in zip(corners, (*size, *size), strict=True)]


# Apparel Classification with Style


def _select_style(path: Path, listed: list[str]) -> list[str]:
    if not (path / "labels.json").is_file():
        return []
    return [os.fspath(path / name) for name in ("test.txt", "train.txt") if (path / name).is_file()]


def _read_style(file: str, path: Path, images: ImageFolder) -> Items:
    """The Style data set (Bossard et al., "Apparel Classification with Style", ACCV 2012), folder `fashion-data`:
    `labels.json` has a line `number: 'name'` for each of 15 classes, `train.txt` and `test.txt` a line `number/image`
    for `images/number/image.jpg` (as its public converters read it, e.g. choas/Apparel-Dataset-Creator). The set was
    made for classification and states no boxes: the whole image is taken as the box. Look at some before relying on it.
    """
    names = dict(_STYLE_LABEL.findall(read_text(path / "labels.json")))
    for line, text in _lines(file):
        number = text.partition("/")[0].strip()
        if number not in names:
            yield _error(file, "style-class", f"labels.json has no class {number[:60]!r}", "mend the line", line=line)
            continue
        try:
            image = _Image.find(f"{text.strip()}.jpg", images, file, line)
        except DataError as error:
            yield from error.findings
            continue
        yield Annotation(image.name, *image.size, [VocObject(names[number], 0, 0, *image.size, line=line)], source=file)


_STYLE_LABEL = re.compile(r"""["']?\b(\d+)["']?\s*:\s*["'](.*?)["']\s*(?:[,}]|$)""", re.MULTILINE)  # not quite JSON


# DeepFashion


def _select_deep_fashion(path: Path, listed: list[str]) -> list[str]:
    folders = (path, path / "Anno", path / "Anno_coarse")
    return [os.fspath(folder / "list_bbox.txt") for folder in folders if (folder / "list_bbox.txt").is_file()][:1]


def _read_deep_fashion(file: str, path: Path, images: ImageFolder) -> Items:
    """DeepFashion, Category and Attribute Prediction Benchmark (Liu et al., CVPR 2016), as its own README lays it out:
    each list has its length in the first line and column names in the second; `list_bbox.txt` has
    `image x_1 y_1 x_2 y_2` (pixels), `list_category_img.txt` `image category` (from 1, a line of the following), and
    `list_category_cloth.txt` `name type`."""
    names = [text.rsplit(None, 1)[0] for _, text in _listed(file, "list_category_cloth.txt")]
    categories = {}
    for _, text in _listed(file, "list_category_img.txt"):
        name, *number = text.rsplit(None, 1)
        categories[name] = number[0] if number else ""
    for line, text in _listed(file, "list_bbox.txt"):
        try:
            name, *corners = text.rsplit(None, 4)
            if len(corners) != 4 or name not in categories:
                expected = "image x_1 y_1 x_2 y_2, the image being one of list_category_img.txt"
                raise ValueError(f"is {text[:80]!r}, expected {expected}")
            label = _item(names, categories[name], "list_category_cloth.txt", first=1)
            image = _Image.find(name, images, file, line)
            box = VocObject(label, *map(voc_xml.parse_pixels, corners), line=line)
            yield Annotation(image.name, *image.size, [box], source=file)
        except ValueError as error:
            yield _error(file, "deepfashion-line", str(error), "unpack the data set anew", line=line)
        except DataError as error:
            yield from error.findings


def _listed(file: str, name: str) -> Iterator[tuple[int, str]]:
    """The lines of one of DeepFashion's lists, without the two at its head."""
    path = Path(file).parent / name
    lines = list(_lines(path))
    stated = lines[0][1].strip() if lines else ""
    if stated != str(len(lines) - 2):
        message = f"has {max(len(lines) - 2, 0)} lines below the two of its head, the first says {stated[:20]!r}"
        raise DataError([_error(path, "deepfashion-list", message, "unpack the data set anew", line=1)])
    return iter(lines[2:])


# What they share


class _Image(NamedTuple):
    """An image on the disk: its name relative to the folder, and its upright size in pixels."""

    name: str
    size: tuple[int, int]

    @classmethod
    def find(cls, name: str, images: ImageFolder, file: str, line: int | None = None) -> _Image:
        """Looks for the name, then for what is left of it without its first folder, and so on."""
        try:
            parts = image_names.inside_folder(name).split("/")
        except ValueError as error:
            remedy = "write the bare name of the image"
            raise DataError([_error(file, "filename-outside-folder", str(error), remedy, line=line)]) from error
        found = next(filter(None, (images.find("/".join(parts[start:])) for start in range(len(parts)))), None)
        if found is None:
            message = f"the image {name!r} is not in {files.shown_path(images.folder)}, or there is more than one"
            raise DataError([_error(file, "image-missing", message, "copy it there, or give --image_dir", line=line)])
        return cls(found, upright_size(images.folder / found))

    def object(self, name: str, x: float, y: float, width: float, height: float, line: int) -> VocObject:
        """A box from fractions of the image's sides; x and y are its centre."""
        columns, rows = self.size
        return VocObject(name, *_corners(x * columns, y * rows, width * columns, height * rows), line=line)


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels of an image as viewers show it, by its header and EXIF orientation.

    Raises:
        DataError: it cannot be read.
    """
    from PIL import Image  # here, since VOC XML does without

    try:
        with Image.open(path) as image:
            transposed = image.getexif().get(0x0112) in (5, 6, 7, 8)
            return image.size[::-1] if transposed else image.size
    except Exception as error:  # Pillow's plugins raise whatever a broken header leads them to
        message = f"is no image that can be read: {error}"
        raise DataError([_error(path, "image-unreadable", message, "replace the file")]) from error


def _corners(x: float, y: float, width: float, height: float) -> tuple[int, int, int, int]:
    """xmin, ymin, xmax, ymax of a box given by its centre; pixels, rounded to the nearest."""
    return tuple(map(round_half_up, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)))


_LARGEST = 10**9
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def _number(text: str) -> float:
    text = text.strip()
    if len(text) > 40 or not _NUMBER.fullmatch(text) or not abs(float(text)) < _LARGEST:
        raise ValueError(f"{text[:60]!r} is no number of pixels")
    return float(text)


def _fraction(text: str) -> float:
    value = _number(text)
    if not -0.001 <= value <= 1.001:  # a tool's rounding, not another unit
        raise ValueError(f"{text!r} is no fraction of the image's side, 0 to 1")
    return value


def _label(text: str) -> str:
    label = text.strip()
    if not label or len(label) > voc_xml.MAX_TEXT or any(ord(character) < 32 for character in label):
        raise ValueError(f"{text[:60]!r} is no class name")
    return label


def _item(names: list[str], index: str, list_name: str, first: int = 0) -> str:
    """The name on the line that an index means."""
    number = int(index) - first if index.isascii() and index.isdecimal() and len(index) < 9 else -1
    if not 0 <= number < len(names):
        raise ValueError(f"{index[:20]!r} is no class of {list_name}, which has {first} to {len(names) - 1 + first}")
    return _label(names[number])


def _lines(path: Path | str) -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of each line that is not blank."""
    for number, text in enumerate(read_text(path).split("\n"), start=1):
        if text.strip():
            yield number, text.rstrip("\r")


def _with_suffix(listed: list[str], suffix: str) -> list[str]:
    length = len(suffix)  # the end alone is lowered: the path before it is long, and the files are many
    return [file for file in listed if file[-length:].lower() == suffix]


def own_name(file: str, path: Path) -> str:
    """The annotation file's name without its suffix, relative to the folder of annotations: "shop/dress"."""
    folder, name = os.fspath(path), file.replace(os.sep, "/")
    name = name[len(folder) + 1 :] if file != folder else name.rpartition("/")[2]
    return name.rpartition(".")[0]


def _first_line(file: str) -> str:
    with Path(file).open(encoding="utf-8", errors="replace") as lines:
        return lines.readline(2000).rstrip()


def _begins_with(file: str, character: str) -> bool:
    return _first_line(file).lstrip("\ufeff \t").startswith(character)


def _error(
    file: Path | str, code: str, message: str, remedy: str, object: str = "", line: int | None = None
) -> Finding:
    return Finding(ERROR, code, files.shown_path(file), message, remedy, object, line)


FORMATS = {
    "deepfashion": Format("DeepFashion's list_bbox.txt", _select_deep_fashion, _read_deep_fashion),
    "style": Format("the Style data set's labels.json with train.txt and test.txt", _select_style, _read_style),
    "voc": Format("PASCAL VOC .xml", _select_voc, _read_voc, needs_images=False),
    "yolo": Format("LabelImg's YOLO .txt with classes.txt", _select_yolo, _read_yolo),
    "createml": Format("CreateML .json", _select_create_ml, _read_create_ml),
    "rotated_rect": Format("FIAT's RotatedRect .csv", _select_rotated_rect, _read_rotated_rect),
}
_SUFFIXES = (".xml", ".txt", ".json", ".csv")
_WHOLE_SETS = ("deepfashion", "style")  # their lists have the suffixes of other formats


# Classes


def read_class_map(path: Path) -> dict[str, str]:
    """The CSV `theirs,ours`, one line a class; an empty `ours` leaves the class out.

    Raises:
        DataError: a line is wrong.
    """
    lines = list(csv.reader(io.StringIO(read_text(path), newline="")))
    rows = [(number, [field.strip() for field in fields]) for number, fields in enumerate(lines, 1) if fields]
    if not rows or rows[0][1] != ["theirs", "ours"]:
        raise DataError([_error(path, "class-map", "the first line is not 'theirs,ours'", "begin with it", line=1)])
    counts = Counter(fields[0] for _, fields in rows)
    wrong = [number for number, fields in rows if len(fields) != 2 or not fields[0] or counts[fields[0]] > 1]
    if wrong:
        message = "is not 'theirs,ours', or names a class again"
        raise DataError([_error(path, "class-map", message, "mend the line", line=number) for number in wrong])
    return {theirs: ours for _, (theirs, ours) in rows[1:]}


def rename_classes(annotation: Annotation, class_map: dict[str, str]) -> list[Finding]:
    """Gives the objects our names, and leaves out those whose class is mapped to nothing.

    Returns:
        An error for each class that the map lacks.
    """
    unknown = sorted({box.name for box in annotation.objects} - class_map.keys())
    if unknown:
        message = f"the class map has no line for {', '.join(map(repr, unknown))}"
        remedy = "add it to --class_map; an empty second field leaves the class out"
        return [_error(annotation.source, "class-map", message, remedy, annotation.filename)]
    for box in annotation.objects:
        box.name = class_map[box.name]
    annotation.objects = [box for box in annotation.objects if box.name]
    return []
