"""Names of images in annotations and CSV files: kept inside the image folder, and found there in any spelling."""

from __future__ import annotations

import contextlib
import functools
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from scripts.lib.core import files

# What can be read as an image; and HEIC, which phones write: it is refused, but not overlooked.
IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".jp2", ".ppm")
    + (".heic", ".heif")
)

# Folders that hold one kind of files of a data set: VOC, YOLO, CVAT, Label Studio, and what people call them.
_KINDS_OF_FILES = frozenset(
    ("images", "jpegimages", "img", "imgs", "photos", "labels", "annotations", "ann", "anns", "xml", "xmls", "txt")
)

MAX_LENGTH = 1000  # characters; file systems stop at 255 a part

_PLAIN_NAME = re.compile(r"[^\W.][\w \-.]*").fullmatch  # what needs no closer look: the names of nearly all images
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_ABSOLUTE = re.compile(r"/|[A-Za-z]:")


def inside_folder(name: str) -> str:
    r"""Return the name of an image relative to its folder, with `/` on every platform.

    Names come from files that others made: one that would lead out of the image folder by the rules of Windows or of
    POSIX is refused, so that a data set means the same everywhere.

    Raises:
        ValueError: the name is empty, is absolute, goes up by `..`, is too long, or has control characters; says which.
    """
    if len(name) > MAX_LENGTH:
        raise ValueError(f"the image name {name[:40]!r}... has {len(name)} characters")
    if _PLAIN_NAME(name):
        return name
    if _CONTROL_CHARACTER.search(name):
        raise ValueError(f"the image name {name!r} has a control character")
    name = name.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts:
        raise ValueError(f"the image name {name!r} names no file")
    if _ABSOLUTE.match(name) or ".." in parts:
        raise ValueError(f"the image name {name!r} leads out of the image folder")
    return "/".join(parts)


def last_part_inside_folder(name: str) -> tuple[str, bool]:
    """Return `inside_folder` of a name, or of its last part where that fails, or ""; and whether it failed."""
    for part in (name, name.replace("\\", "/").rpartition("/")[2]):
        with contextlib.suppress(ValueError):
            return inside_folder(part), part is not name
    return "", True


class ImageFolder:
    """The images below a folder, listed once, to find the one that an annotation means.

    A name is looked up in the listing, not on the disk, so that it is found on Linux exactly if it is found on Windows
    and macOS, which ignore case (macOS composes accents differently, too).
    """

    def __init__(self, folder: Path | str, names: Iterable[str] | None = None):
        """List the folder, unless it is in a bucket and the names of its images are given."""
        self.folder = Path(folder)
        self.names: set[str] = set()  # relative to the folder, with `/`
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self.unnameable: list[str] = []  # Linux file names that are not UTF-8, which no annotation or CSV can name
        for name in files.names_below(folder, tuple(IMAGE_SUFFIXES)) if names is None else names:
            if any("\ud800" <= character <= "\udfff" for character in name):
                self.unnameable.append(name)
                continue
            self.names.add(name)
            self._by_name[_spelling(name)].append(name)
            self._by_stem[_spelling(without_suffix(name))].append(name)

    def find(self, name: str, annotation_stem: str | None = None) -> str | None:
        """Find the image of that name in any spelling; else the image named like the annotation file.

        Args:
            name: as `inside_folder` returns it; upper and lower case, a missing or another suffix do not matter where
                only one image matches. An image beside the folder of annotations is found, too: train/images/a.jpg
                for train/labels/a or train/a, JPEGImages/a.jpg for Annotations/a.
            annotation_stem: the annotation file's own name without its suffix, relative to the annotation folder, for
                images that were renamed together with their annotation.

        Returns:
            The name relative to the folder, as spelled on the disk, or None: no image, or more than one.
        """
        if name in self.names:
            return name
        candidates = [self._by_name.get(_spelling(name)), self._by_stem.get(_spelling(name))]
        if has_image_suffix(name):
            candidates.append(self._by_stem.get(_spelling(without_suffix(name))))
        candidates.append(self._by_place.get(_place(without_suffix(name) if has_image_suffix(name) else name)))
        if annotation_stem:
            candidates += [self._by_stem.get(_spelling(annotation_stem)), self._by_place.get(_place(annotation_stem))]
        return next((found[0] for found in candidates if found and len(found) == 1), None)

    @functools.cached_property
    def _by_place(self) -> dict[str, list[str]]:
        """The names by `_place`; made when the first image is not where its annotation says."""
        by_place = defaultdict(list)
        for name in sorted(self.names):
            by_place[_place(without_suffix(name))].append(name)
        return by_place


def has_image_suffix(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def without_suffix(name: str) -> str:
    return posixpath.splitext(name)[0]


def _place(stem: str) -> str:
    """Return the place of an image or annotation in its data set, whatever the folders of the two are called."""
    *folders, last = _spelling(stem).split("/")
    return "/".join([*(folder for folder in folders if folder not in _KINDS_OF_FILES), last])


def _spelling(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
