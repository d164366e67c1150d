"""Readers of what detect.py's --input may name: a file, a folder, a pattern, a list, a web address, stdin."""

from __future__ import annotations

import contextlib
import csv
import functools
import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, DataError, Finding, UsageError
from scripts.lib.core.http import is_web_address
from scripts.lib.images import image_names

STDIN = "-"
PLACE_COLUMNS = ("url", "image_url", "path", "image_path", "file", "filename", "image")
PRODUCT_COLUMNS = ("product", "product_id", "sku")


class InputImage(NamedTuple):
    """An image as an input names it; `product` is empty where the input names none."""

    name: str
    place: Path | str
    product: str = ""


Items = Iterator[InputImage | Finding]


class Input(NamedTuple):
    """One input.

    Attributes:
        read: starts reading; yields images, and findings about lines that name none.
        count: number of images; None where it is known only at the end.
    """

    read: Callable[[], Iterable[InputImage | Finding]]
    count: int | None


def open_input(text: str, image_dir: Path, excluded: Sequence[Path] = ()) -> Input:
    """Return the reader of one value of --input; see `Sources` for the arguments.

    Raises:
        UsageError: the input does not exist or has no image.
        DataError: a list cannot be read.
    """
    if text == STDIN:
        return Input(read_stdin, None)
    if is_web_address(text):
        return _found([InputImage(text, text)])
    if files.is_url(text):
        raise UsageError(f"--input {text}: only http and https; use cloud/detect_beam.py for images on a bucket")
    path = Path(text)
    if path.suffix.lower() in (".csv", ".tsv") and path.is_file():
        opened = _list(functools.partial(read_csv, path, image_dir))
    elif path.suffix.lower() == ".txt" and path.is_file():
        opened = _list(functools.partial(read_text, path))
    elif path.is_file():
        opened = _found([InputImage(path.name, path)])
    elif path.is_dir():
        opened = _found(_without(excluded, read_folder(path)))
    elif glob.has_magic(text):
        opened = _found(_without(excluded, read_pattern(text)))
    else:
        raise UsageError(f"--input {files.shown_path(path)}: no such file or folder")
    if not opened.count:
        raise UsageError(f"--input {text if glob.has_magic(text) else files.shown_path(path)}: no image in it")
    return opened


def _found(images: Sequence[InputImage]) -> Input:
    return Input(lambda: images, len(images))


def _list(read: Callable[[], Items]) -> Input:
    """Return the input of a list, which is read once for its errors and its length."""
    return Input(read, sum(isinstance(item, InputImage) for item in read()))


def _without(folders: Sequence[Path], images: Iterable[InputImage]) -> list[InputImage]:
    """Return the images outside of the folders."""
    resolved = {Path(os.path.abspath(folder)) for folder in folders}  # noqa: PTH100 (Path.absolute keeps `..`)
    return [image for image in images if resolved.isdisjoint(Path(os.path.abspath(image.place)).parents)]  # noqa: PTH100


def read_folder(folder: Path) -> Iterator[InputImage]:
    """Yield the images of a folder and its sub-folders, in order of their names."""
    for name in files.names_below(folder, tuple(image_names.IMAGE_SUFFIXES)):
        yield InputImage(name, folder / name)


def read_pattern(pattern: str) -> Iterator[InputImage]:
    """Yield the images, and those of the folders, that match a pattern; other files are skipped."""
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):  # noqa: PTH207 (Path.glob refuses absolute ones)
        if path.is_dir():
            yield from read_folder(path)
        elif image_names.has_image_suffix(path.name):
            yield InputImage(path.name, path)


def read_stdin() -> Items:
    """Yield the image of each line of stdin, a path or an address."""
    if hasattr(sys.stdin, "reconfigure"):  # Windows would use the console's code page
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    return _read_lines(sys.stdin, Path(STDIN))


def read_text(path: Path) -> Items:
    """Yield the image of each line of a text file; relative paths start at its folder."""
    with _text_errors(path), path.open(encoding="utf-8-sig") as file:
        yield from _read_lines(file, path)


def _read_lines(lines: Iterable[str], path: Path) -> Items:
    for number, line in enumerate(lines, start=1):
        try:
            if text := line.strip().strip('\0"'):
                yield _image_at(text, path.parent)
        except ValueError as error:
            yield _line_error(path, number, error)


def _line_error(path: Path, line: int, error: ValueError) -> Finding:
    return Finding(ERROR, "list-line", files.shown_path(path), str(error), "correct the line", line=line)


def read_csv(path: Path, image_dir: Path) -> Items:
    """Yield the image of each row of a CSV file, and a finding for each row that names none.

    The images of a labels CSV are in `image_dir`. Any other CSV has one of `PLACE_COLUMNS`, or one column without a
    header; its relative paths start at its folder.

    Raises:
        DataError: the file is not UTF-8, not a CSV, or lacks a column of paths or addresses.
    """
    with _text_errors(path), path.open(encoding="utf-8-sig", newline="") as file:
        delimiter, header = _header(path, file.readline())
        if not header:
            file.seek(0)
            yield from _read_lines(file, path)
            return
        place_column = next(header.index(name) for name in PLACE_COLUMNS if name in header)
        product_column = next((header.index(name) for name in PRODUCT_COLUMNS if name in header), len(header))
        is_labels_csv = {"xmin", "ymin", "xmax", "ymax"} <= set(header)
        rows = csv.reader(file, delimiter=delimiter)
        for row in filter(any, rows):
            try:
                if len(row) <= place_column:
                    raise ValueError(f"has {len(row)} fields, the first line has {len(header)}")
                if place := row[place_column].strip():
                    place = image_names.inside_folder(place) if is_labels_csv else place
                    image = _image_at(place, image_dir if is_labels_csv else path.parent)
                    yield image._replace(product="".join(row[product_column : product_column + 1]).strip())
            except ValueError as error:
                yield _line_error(path, rows.line_num + 1, error)


def _header(path: Path, line: str) -> tuple[str, list[str]]:
    """Return a list's delimiter and its column names in lower case; no names for one column without a header."""
    for delimiter in ",;\t":
        columns = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
        if set(PLACE_COLUMNS) & set(columns):
            return delimiter, columns
    text = line.strip().strip('"')
    if files.is_url(text) or image_names.has_image_suffix(text):
        return ",", []
    message = f"the first line is {text[:200]!r}; no column is named {', '.join(PLACE_COLUMNS[:-1])} or image"
    remedy = "name the column that holds paths or addresses, or give a list of them without a header"
    raise DataError([Finding(ERROR, "csv-columns", files.shown_path(path), message, remedy, line=1)])


def _image_at(text: str, folder: Path) -> InputImage:
    """Return the image at a path or an address; relative paths start at the folder."""
    if files.is_url(text):
        return InputImage(text, text)
    if "\0" in text:
        raise ValueError(f"the path {text!r} has a control character")
    path = folder / text
    if "\\" in text and not path.exists():  # a list that was made on Windows
        path = folder / text.replace("\\", "/")
    return InputImage(Path(text.replace("\\", "/")).as_posix(), path)


@contextlib.contextmanager
def _text_errors(path: Path) -> Iterator[None]:
    """Raise a DataError where a list is not UTF-8 or not a CSV."""
    try:
        yield
    except UnicodeDecodeError as error:
        message = f"is not UTF-8: byte 0x{error.object[error.start]:02x}"
        remedy = "save it as UTF-8 (Excel: CSV UTF-8)"
        raise DataError([Finding(ERROR, "text-encoding", files.shown_path(path), message, remedy)]) from error
    except csv.Error as error:
        message = f"is not a valid CSV: {error}"
        raise DataError([Finding(ERROR, "csv-malformed", files.shown_path(path), message)]) from error
