"""The images of one run of detect.py: each once, with a unique name and a unique place for files made from it."""

from __future__ import annotations

import hashlib
import itertools
import os
import posixpath
import re
import urllib.parse
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.core import files
from scripts.lib.core.errors import Finding, UsageError
from scripts.lib.core.http import is_web_address
from scripts.lib.detection.inputs import Input, InputImage, open_input
from scripts.lib.images import image_names


class ImageSource(NamedTuple):
    """One image.

    Attributes:
        name: in the results: relative to the folder that was given, or the address; unique in the run.
        place: its path, or its address on the web.
        output_name: unique relative path of files made from it, with `/`, ending in .jpg or .jpeg.
    """

    name: str
    place: Path | str
    output_name: str


class Sources:
    """Iterates over the images of all inputs; an image that is given twice comes once.

    Attributes:
        total: number of images that the inputs name, repeated ones included; None where stdin is an input.
        products: image name -> the products that a list gives it to.
        num_repeated: number of entries, so far, that named an image again.
        findings: errors in lines of lists, so far.

    Args:
        inputs: values of --input: paths of images, folders, CSV and text files, patterns, addresses, "-".
        image_dir: folder of the images of a labels CSV.
        excluded: folders that hold no input images; folders above and patterns skip them.

    Raises:
        UsageError: an input does not exist or has no image in it; all such inputs are named.
        DataError: a list cannot be read.
    """

    def __init__(self, inputs: Sequence[str], image_dir: Path, excluded: Sequence[Path] = ()):
        self.products: dict[str, list[str]] = {}
        self.num_repeated = 0
        self.findings: list[Finding] = []
        self._name_of_place: dict[str, str] = {}  # by absolute path or address
        self._taken_names: set[str] = set()
        self._taken_outputs: set[str] = set()  # casefolded, for file systems that ignore case
        self._inputs = _open_all(inputs, image_dir, excluded)
        counts = [one.count for one in self._inputs]
        self.total = None if None in counts else sum(counts)

    @property
    def names(self) -> Collection[str]:
        """The names of all images so far, in order."""
        return self._name_of_place.values()

    def __iter__(self) -> Iterator[ImageSource]:
        for item in itertools.chain.from_iterable(one.read() for one in self._inputs):
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


def _open_all(inputs: Sequence[str], image_dir: Path, excluded: Sequence[Path]) -> list[Input]:
    opened, problems = [], []
    for text in inputs:
        try:
            opened.append(open_input(text, image_dir, excluded))
        except UsageError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\nerror: ".join(problems))
    return opened


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
