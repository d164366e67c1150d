"""The photos that detect.py is told to look at: files, folders, patterns, lists, addresses on the web."""

from __future__ import annotations

import contextlib
import csv
import glob
import hashlib
import os
import posixpath
import re
import sys
import urllib.parse
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


class Source(NamedTuple):
    """One photo.

    Attributes:
        name: in the results: relative to the folder that was given, or the address; unique in the run.
        place: its path, or its address on the web.
        output_name: unique relative path of files made from it, with `/`, ending in .jpg or .jpeg.
    """

    name: str
    place: Path | str
    output_name: str


class _Entry(NamedTuple):
    """A photo as an input names it."""

    name: str
    place: Path | str
    product: str = ""


class _Input(NamedTuple):
    """Attributes:
    entries: begins to read the photos of one input.
    count: how many there are; None where that is known only at the end.
    """

    entries: Callable[[], Iterable[_Entry]]
    count: int | None


class Sources:
    """All photos of a run, one after another; a photo that is given twice comes once.

    Attributes:
        total: how many the inputs name; None where stdin is one of them.
        products: name of a photo -> the products that a list gives it to.
        repeated: how many entries, so far, named a photo that had come before.
        findings: what is wrong with lines of lists, so far.

    Args:
        inputs: what --input was given: paths of images, folders, CSV and text files, patterns, addresses, "-".
        image_dir: where the images of a labels CSV are.
        left_out: folders of pictures that are no photos: neither a folder above nor a pattern finds them.

    Raises:
        UsageError: an input does not exist or has no image in it; all such are named.
        DataError: a list cannot be read.
    """

    def __init__(self, inputs: Sequence[str], image_dir: Path, left_out: Iterable[Path] = ()):
        self._left_out = tuple(os.path.join(_absolute(folder), "") for folder in left_out)  # noqa: PTH118 (a prefix)
        self.products: dict[str, list[str]] = {}
        self.repeated = 0
        self.findings: list[Finding] = []
        self._names: dict[int, str] = {}  # by hash of the place: half the memory of the places themselves
        self._taken: set[int] = set()
        wrong: list[str] = []
        self._inputs: list[_Input] = []
        for text in inputs:
            try:
                self._inputs.append(self._input(text, image_dir))
            except UsageError as error:
                wrong.append(str(error))
        if wrong:
            raise UsageError("\nerror: ".join(wrong))
        counts = [one.count for one in self._inputs]
        self.total = None if None in counts else sum(counts)

    def __iter__(self) -> Iterator[Source]:
        for one in self._inputs:
            for entry in one.entries():
                key = hash(entry.place if isinstance(entry.place, str) else os.path.normcase(entry.place.absolute()))
                name = self._names.get(key)
                if name is None:
                    name = self._names[key] = self._unique(entry)
                    yield Source(name, entry.place, self._unique_output(name))
                else:
                    self.repeated += 1
                if entry.product and entry.product not in self.products.setdefault(name, []):
                    self.products[name].append(entry.product)

    def _unique(self, entry: _Entry) -> str:
        """The photo's name, or what tells it from another one of that name: its whole path, or a number."""
        name = _writable(entry.name)
        if self._take(name):
            return name
        name = _writable(files.shown_path(entry.place))
        stem, suffix = posixpath.splitext(name)
        number = 1
        while not self._take(name):
            number += 1
            name = f"{stem} ({number}){suffix}"
        return name

    def _unique_output(self, name: str) -> str:
        path = output_name(name)
        if not self._take(f"{path}\0".casefold()):  # file systems that ignore case
            path = _with_hash(path, name)
            self._take(f"{path}\0".casefold())
        return path

    def _take(self, text: str) -> bool:
        """Whether the text is a new one."""
        key = hash(text)
        if key in self._taken:
            return False
        self._taken.add(key)
        return True

    def _input(self, text: str, image_dir: Path) -> _Input:
        if text == STDIN:
            return _Input(_stdin, None)
        if is_web_address(text):
            return _listed([_Entry(text, text)])
        if files.is_url(text):
            raise UsageError(f"--input {text}: only http and https; photos on a bucket are for cloud/detect_beam.py")
        path = Path(text)
        if path.is_dir():
            found = self._photos(_of_folder(path))
        elif path.is_file():
            suffix = path.suffix.lower()
            if suffix in (".csv", ".tsv"):
                return self._list(path, lambda: self._rows(path, image_dir))
            if suffix == ".txt":
                return self._list(path, lambda: _text_lines(path))
            found = [_Entry(path.name, path)]
        elif glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
            found = self._photos(entry for match in map(Path, matches) for entry in _of_match(match))
        else:
            raise UsageError(f"--input {files.shown_path(path)}: there is no such file or folder")
        if not found:
            raise UsageError(f"--input {text if glob.has_magic(text) else files.shown_path(path)}: no image in it")
        return _listed(found)

    def _photos(self, found: Iterable[_Entry]) -> list[_Entry]:
        return [entry for entry in found if not _absolute(entry.place).startswith(self._left_out)]

    def _list(self, path: Path, entries: Callable[[], Iterable[_Entry]]) -> _Input:
        """A list, read once for its errors and its length."""
        known = len(self.findings)
        count = sum(1 for _ in entries())
        del self.findings[known:]  # they come again
        if not count:
            raise UsageError(f"--input {files.shown_path(path)}: no image in it")
        return _Input(entries, count)

    def _rows(self, path: Path, image_dir: Path) -> Iterator[_Entry]:
        """The photos of a CSV file: a labels CSV, or any with a column of paths or addresses."""
        with _decoding(path), path.open(encoding="utf-8-sig", newline="") as file:
            delimiter, header = _header(path, file.readline())
            if not header:
                file.seek(0)
                yield from _lines(file, path.parent)
                return
            place = next(header.index(column) for column in PLACE_COLUMNS if column in header)
            product = next((header.index(column) for column in PRODUCT_COLUMNS if column in header), None)
            has_boxes = {"xmin", "ymin", "xmax", "ymax"} <= set(header)
            lines = csv.reader(file, delimiter=delimiter)
            for fields in lines:
                if not any(fields):
                    continue
                if len(fields) <= place:
                    message = f"has {len(fields)} fields, the first line has {len(header)}"
                    self._report(path, lines.line_num + 1, message)
                elif text := fields[place].strip():
                    try:
                        entry = _of_labels(text, image_dir) if has_boxes else _of_path(text, path.parent)
                    except ValueError as error:
                        self._report(path, lines.line_num + 1, str(error))
                        continue
                    given_to = product is not None and product < len(fields)
                    yield entry._replace(product=fields[product].strip() if given_to else "")

    def _report(self, path: Path, line: int, message: str) -> None:
        self.findings.append(Finding(ERROR, "csv-fields", files.shown_path(path), message, "mend the line", line=line))


def _listed(entries: Sequence[_Entry]) -> _Input:
    return _Input(lambda: entries, len(entries))


def _of_folder(folder: Path) -> list[_Entry]:
    names = files.names_below(folder, tuple(image_names.IMAGE_SUFFIXES))
    return [_Entry(name, folder / name) for name in names]


def _of_match(path: Path) -> list[_Entry]:
    """What a pattern has matched: an image, a folder of images, or something else, which is passed over."""
    if path.is_dir():
        return _of_folder(path)
    return [_Entry(path.name, path)] if image_names.has_image_suffix(path.name) else []


def _absolute(path: Path) -> str:
    """A path as text that tells what lies in which folder."""
    return os.path.normcase(os.path.abspath(path))  # noqa: PTH100 (Path.absolute leaves `..` as it is)


def _of_labels(text: str, image_dir: Path) -> _Entry:
    name = image_names.inside_folder(text)
    return _Entry(name, image_dir / name)


def _of_path(text: str, folder: Path) -> _Entry:
    """A path or an address in a list; relative paths start at a folder."""
    if files.is_url(text):
        return _Entry(text, text)
    if "\0" in text:
        raise ValueError(f"the path {text!r} has a control character")
    path = folder / text
    if "\\" in text and not path.exists():  # a list that was made on Windows
        path = folder / text.replace("\\", "/")
    return _Entry(Path(text.replace("\\", "/")).as_posix(), path)


def _lines(lines: Iterable[str], folder: Path = Path()) -> Iterator[_Entry]:
    return (_of_path(text, folder) for line in lines if (text := line.strip().strip('\0"')))


def _stdin() -> Iterator[_Entry]:
    if hasattr(sys.stdin, "reconfigure"):  # Windows would take the console's code page
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    return _lines(sys.stdin)


def _text_lines(path: Path) -> Iterator[_Entry]:
    with _decoding(path), path.open(encoding="utf-8-sig") as file:
        yield from _lines(file, path.parent)


def _header(path: Path, line: str) -> tuple[str, list[str]]:
    """A list's delimiter and the names of its columns in lower case; no names where it is one column without a head.

    Raises:
        DataError: no column says where the photos are.
    """
    for delimiter in ",;\t":
        columns = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
        if set(PLACE_COLUMNS) & set(columns):
            return delimiter, columns
    text = line.strip().strip('"')
    if files.is_url(text) or image_names.has_image_suffix(text):
        return ",", []
    message = f"the first line is {text[:200]!r}; no column is named {', '.join(PLACE_COLUMNS[:-1])} or image"
    remedy = "name the column that holds paths or addresses, or give a list of them without a head"
    raise DataError([Finding(ERROR, "csv-columns", files.shown_path(path), message, remedy, line=1)])


@contextlib.contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turns what is wrong with a list as text into a DataError."""
    try:
        yield
    except UnicodeDecodeError as error:
        message = f"is not UTF-8: byte 0x{error.object[error.start]:02x}"
        remedy = "save it as UTF-8 (Excel: CSV UTF-8)"
        raise DataError([Finding(ERROR, "text-encoding", files.shown_path(path), message, remedy)]) from error
    except csv.Error as error:
        raise DataError([Finding(ERROR, "csv-malformed", files.shown_path(path), f"is no CSV: {error}")]) from error


def _writable(name: str) -> str:
    """A name that UTF-8 can hold: bytes of Linux file names that are no UTF-8 appear as `\\udc80` and the like."""
    return name.encode("utf-8", "backslashreplace").decode()


def output_name(name: str) -> str:
    """Where below an output folder a file made from a photo goes: never outside of it, on any platform.

    The suffix is added, since a.png and a.jpg may both be there. An address becomes folder and file: its host, then its
    path with the slashes replaced, and a hash of what that leaves out.
    """
    if is_web_address(name):
        rest = name.partition("://")[2]
        host, _, path = re.split("[?#]", rest)[0].partition("/")
        plain = _as_jpeg(f"{_plain(host)}/{_plain(urllib.parse.unquote(path).strip('/'))[-100:]}")
        return plain if plain == rest else _with_hash(plain, name)
    try:
        inside = image_names.inside_folder(name)
    except ValueError:  # an absolute path, or one that goes up
        return _with_hash(_as_jpeg(_plain(name)[-100:]), name)
    return _as_jpeg(inside)


def _plain(text: str) -> str:
    """Only characters that every file system takes, and no leading dot."""
    return re.sub(r"[^\w.-]+", "_", text, flags=re.ASCII).lstrip("._") or "image"


def _as_jpeg(name: str) -> str:
    return name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg"


def _with_hash(path: str, name: str) -> str:
    stem, suffix = posixpath.splitext(path)
    return f"{stem}-{hashlib.sha256(name.encode()).hexdigest()[:8]}{suffix}"
