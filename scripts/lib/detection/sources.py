"""The images of one run of detect.py: each once, with a unique name and a unique place for files made from it.

An input is a file, a folder, a pattern, a list (CSV or text file), a web address, or - for a list on stdin.
"""

from __future__ import annotations

import csv
import functools
import glob
import hashlib
import io
import itertools
import os
import posixpath
import re
import sys
import urllib.parse
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.annotations.parsing import error_in
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, Finding, UsageError
from scripts.lib.core.http import is_web_address
from scripts.lib.core.text import read_text
from scripts.lib.core.wording import counted
from scripts.lib.images import image_names

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".m3u8")
VIDEO_SCHEMES = ("rtsp", "rtsps", "rtmp", "udp")
STDIN = "-"
PLACE_COLUMNS = ("url", "image_url", "path", "image_path", "file", "filename", "image")
PRODUCT_COLUMNS = ("product", "product_id", "sku")


class ImageSource(NamedTuple):
    """One image of a run."""

    name: str  # in the results: relative to the folder that was given, or the address; unique
    place: Path | str  # its path, or its address on the web
    output_name: str  # unique relative path of files made from it, with `/`, ending in .jpg or .jpeg


class InputImage(NamedTuple):
    """An image as an input names it; `product` is empty where the input names none."""

    name: str
    place: Path | str
    product: str = ""


Items = Iterable[InputImage | Finding]  # a finding: of a line that names no image


class Sources:
    """Iterates over the images of all inputs; an image that is given twice comes once.

    Args:
        inputs: values of --input: paths of images, folders, CSV and text files, patterns, addresses, "-".
        image_dir: folder of the images of a labels CSV.
        excluded: folders that hold no input images; folders above and patterns skip them.

    Raises:
        UsageError: an input does not exist or has no image in it; all such inputs are named.
        DataError: a list cannot be read.
    """

    def __init__(self, inputs: Sequence[str], image_dir: Path, excluded: Sequence[Path] = ()):
        self.total = 0  # images that the inputs name, repeated ones included
        self.products: dict[str, list[str]] = {}  # image name -> the products that a list gives it to
        self.num_repeated = 0  # entries, so far, that named an image again
        self.findings: list[Finding] = []  # errors in lines of lists, so far
        self._name_of_place: dict[str, str] = {}  # by absolute path or address
        self._taken_names: set[str] = set()
        self._taken_outputs: set[str] = set()  # casefolded, for file systems that ignore case
        self._readers: list[Callable[[], Items]] = []
        problems = []
        for text in inputs:
            try:
                read = reader(text, image_dir, excluded)
                count = sum(isinstance(item, InputImage) for item in read())  # lists are read twice, not kept
                if not count:
                    raise UsageError(f"--input {text}: no image in it")
                self.total += count
                self._readers.append(read)
            except UsageError as error:
                problems.append(str(error))
        if problems:
            raise UsageError("\nerror: ".join(problems))

    @property
    def names(self) -> Collection[str]:
        """The names of all images so far, in order."""
        return self._name_of_place.values()

    def __iter__(self) -> Iterator[ImageSource]:
        for item in itertools.chain.from_iterable(read() for read in self._readers):
            if isinstance(item, Finding):
                self.findings.append(item)
                continue
            place = item.place if isinstance(item.place, str) else os.path.normcase(item.place.absolute())
            name = self._name_of_place.get(place)
            if name is None:
                name = self._name_of_place[place] = self._unique_name(item)
                yield ImageSource(name, item.place, self._unique_output(name))
            else:
                self.num_repeated += 1
            if item.product and item.product not in self.products.setdefault(name, []):
                self.products[name].append(item.product)

    def _unique_name(self, image: InputImage) -> str:
        """Return the image's name; where another image has it, its whole path, if need be with a number."""
        name = _writable(image.name)
        if name in self._taken_names:
            name = _writable(files.shown_path(image.place))
        stem, suffix = posixpath.splitext(name)
        number = 1
        while name in self._taken_names:
            number += 1
            name = f"{stem} ({number}){suffix}"
        self._taken_names.add(name)
        return name

    def _unique_output(self, name: str) -> str:
        path = output_name(name)
        if path.casefold() in self._taken_outputs:
            path = _with_hash(path, name)
        folded = path.casefold()
        self._taken_outputs.add(name if folded == name else folded)  # the same text is kept once
        return path


def reader(text: str, image_dir: Path, excluded: Sequence[Path]) -> Callable[[], Items]:
    """Return the reader of one value of --input; see `Sources` for the arguments and errors."""
    path = Path(text)
    if _is_video(text):
        raise UsageError(
            f"--input {text} is a video or a camera; take images from it first, e.g. "
            f"ffmpeg -i {text} -vf fps=1 frames/%06d.jpg for one a second, and give their folder"
        )
    if text == STDIN:
        if hasattr(sys.stdin, "reconfigure"):  # Windows would use the console's code page; PowerShell may send a BOM
            sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape")
        return functools.partial(read_lines, list(sys.stdin), path)
    if is_web_address(text):
        images = [InputImage(text, text)]
    elif files.is_url(text):
        raise UsageError(f"--input {text}: only http and https; use cloud/detect_beam.py for images on a bucket")
    elif path.suffix.lower() in (".csv", ".tsv") and path.is_file():
        return functools.partial(read_csv, path, image_dir)
    elif path.suffix.lower() == ".txt" and path.is_file():
        return lambda: read_lines(io.StringIO(read_text(path), newline=None), path)
    elif path.is_file():
        images = [InputImage(path.name, path)]
    elif path.is_dir():
        images = _without(excluded, read_folder(path))
    elif glob.has_magic(text):
        images = _without(excluded, read_pattern(text))
    else:
        raise UsageError(f"--input {files.shown_path(path)}: no such file or folder")
    return lambda: images


def _is_video(text: str) -> bool:
    """Return True for a video file or address, a stream, or the number of a camera, as OpenCV counts them."""
    if text.isdecimal() and not Path(text).exists():
        return True
    try:
        address = urllib.parse.urlsplit(text)
    except ValueError:  # brackets that hold no IPv6 address
        return False
    path = address.path if "://" in text else text
    return address.scheme in VIDEO_SCHEMES or path.lower().endswith(VIDEO_SUFFIXES)


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


def read_lines(lines: Iterable[str], path: Path) -> Iterator[InputImage | Finding]:
    """Yield the image of each line, a path or an address; relative paths start at the folder of the list `path`."""
    for number, line in enumerate(lines, start=1):
        try:
            if text := line.strip().strip('\0"'):
                yield _image_at(text, path.parent)
        except ValueError as error:
            yield error_in(path, "list-line", str(error), "correct the line", line=number)


def read_csv(path: Path, image_dir: Path) -> Iterator[InputImage | Finding]:
    """Yield the image of each row of a CSV file; relative paths start at its folder, of a labels CSV at `image_dir`.

    Raises:
        DataError: the file is not UTF-8, not a CSV, or lacks a column of paths or addresses.
    """
    text = read_text(path)
    try:
        for delimiter in ",;\t":
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            header = [name.strip().lower() for name in next(rows, [])]
            if place_columns := [header.index(name) for name in PLACE_COLUMNS if name in header]:
                break
        else:
            message = f"the first line is {text[:200].partition(chr(10))[0].strip()!r}, which names no column of images"
            remedy = f"call the column of paths or addresses one of {', '.join(PLACE_COLUMNS)}"
            raise DataError([error_in(path, "csv-columns", message, remedy, line=1)])
        place_column = place_columns[0]
        product_column = next((header.index(name) for name in PRODUCT_COLUMNS if name in header), len(header))
        is_labels_csv = {"xmin", "ymin", "xmax", "ymax"} <= set(header)
        for row in filter(any, rows):
            try:
                if len(row) <= place_column:
                    raise ValueError(f"has {counted(len(row), 'field')}, the first line has {len(header)}")
                if place := row[place_column].strip():
                    place = image_names.inside_folder(place) if is_labels_csv else place
                    image = _image_at(place, image_dir if is_labels_csv else path.parent)
                    yield image._replace(product="".join(row[product_column : product_column + 1]).strip())
            except ValueError as error:
                yield error_in(path, "list-line", str(error), "correct the line", line=rows.line_num)
    except csv.Error as error:
        message = f"is not a valid CSV: {error}"
        raise DataError([error_in(path, "csv-malformed", message, "save it again", line=rows.line_num)]) from error


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


def _writable(name: str) -> str:
    """Return a name that UTF-8 can hold: other bytes of Linux file names appear as `\\udc80` and the like."""
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()


def output_name(name: str) -> str:
    """Return the path, relative to an output folder, of a file made from an image; it never leads out of the folder.

    The suffix is added, since a.png and a.jpg may both be there. An address becomes folder and file: its host, then its
    path with the slashes replaced, and a hash of what that leaves out.
    """
    if is_web_address(name):
        rest = name.partition("://")[2]
        host, _, path = re.split("[?#]", rest)[0].partition("/")
        plain = _as_jpeg(f"{_plain(host)}/{_plain(urllib.parse.unquote(path).strip('/'))[-100:]}")
        return plain if plain == rest else _with_hash(plain, name)
    try:
        return _as_jpeg(image_names.inside_folder(name))
    except ValueError:  # an absolute path, or one that goes up
        return _with_hash(_as_jpeg(_plain(name)[-100:]), name)


def _plain(text: str) -> str:
    """Keep only characters that every file system accepts, and no leading dot."""
    return re.sub(r"[^\w.-]+", "_", text, flags=re.ASCII).lstrip("._") or "image"


def _as_jpeg(name: str) -> str:
    return name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg"


def _with_hash(path: str, name: str) -> str:
    stem, suffix = posixpath.splitext(path)
    return f"{stem}-{hashlib.sha256(name.encode()).hexdigest()[:8]}{suffix}"
