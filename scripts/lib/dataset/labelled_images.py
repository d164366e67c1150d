"""Labelled images: each found in the image folder, decoded, and its boxes checked against it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, NOTE, Finding, errors
from scripts.lib.dataset import box_checks
from scripts.lib.dataset.box_checks import Box, Size
from scripts.lib.dataset.labels_csv import LabelRow
from scripts.lib.images import decode, image_names
from scripts.lib.images.prepare import StoredImage, prepare


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledImage:
    """The labels of one image; classes and boxes are empty for a negative."""

    filename: str  # relative to the image folder
    annotated_size: Size  # as the annotation states it; 0 where it does not
    class_names: tuple[str, ...]
    boxes_xyxy: tuple[Box, ...]  # in pixels


@dataclasses.dataclass(frozen=True, slots=True)
class CheckedImage:
    """A labelled image after the checks; the boxes are good only where no finding is an error."""

    labels: LabelledImage
    findings: list[Finding]
    sha256: bytes = b""  # of the image file's bytes, if it could be read
    name: str = ""  # of the image file, relative to the image folder; empty where there is none
    stored: StoredImage | None = None  # as it goes into a record, if it can be read
    boxes_xyxy: Sequence[Box] = ()  # in pixels of the upright image

    @property
    def is_sound(self) -> bool:
        return not errors(self.findings)


def labelled_images(rows: Iterable[LabelRow]) -> list[LabelledImage]:
    """Group the rows of a labels CSV by image: images in order of their names, boxes in order of the rows."""
    rows_of: dict[str, list[LabelRow]] = defaultdict(list)
    for row in rows:
        rows_of[row.filename].append(row)
    images = []
    for filename, group in sorted(rows_of.items()):
        boxes = [row for row in group if row.xmin is not None]
        class_names = tuple(row.class_name for row in boxes)
        corners = tuple((row.xmin, row.ymin, row.xmax, row.ymax) for row in boxes)
        images.append(LabelledImage(filename, (group[0].width, group[0].height), class_names, corners))
    return images


def nothing_to_record(place: Path | str) -> Finding:
    """Return the error of a set of labels without any image to record."""
    place = files.shown_path(place)
    return Finding(ERROR, "nothing-to-record", place, "no image is left to record", "label some images")


@dataclasses.dataclass
class ImageChecker:
    """Checks images with their labels; the result depends only on the image, its labels and these settings."""

    image_dir: Path | str
    class_ids: Mapping[str, int]  # of the label map
    verify: bool = True  # decode every pixel, see `prepare.prepare`
    max_image_side: int | None = None  # in pixels; larger images are shrunk
    _images_of_others: dict[str, str] = dataclasses.field(default_factory=dict, init=False)

    @functools.cached_property
    def folder(self) -> image_names.ImageFolder:
        """The images of the folder, listed when they are first asked for."""
        return image_names.ImageFolder(self.image_dir)

    def refuse_shared_images(self, images: Iterable[LabelledImage]) -> None:
        """From now on refuse a name that only resembles an image's name where another name means that image, too.

        Only the user can tell which boxes belong to that image, and where the other image is.
        """
        names_of: dict[str, list[str]] = defaultdict(list)
        for image in images:
            names_of[self.find(image.filename)[0]].append(image.filename)
        for found, names in names_of.items():
            if found is not None and len(names) > 1:
                for name in names:
                    if name != found:
                        self._images_of_others[name] = found if found in names else next(n for n in names if n != name)

    def __call__(self, image: LabelledImage) -> CheckedImage:
        return self.check_found(image, *self.find(image.filename))

    def check_found(self, image: LabelledImage, name: str | None, name_findings: Iterable[Finding]) -> CheckedImage:
        """Check an image that `find` has looked for; needs no listing of the folder."""
        findings = [*box_checks.check_classes(image.filename, image.class_names, self.class_ids), *name_findings]
        if name is None:
            return CheckedImage(image, findings)
        data, read_findings = self._read(name)
        findings += read_findings
        if data is None:
            return CheckedImage(image, findings)

        sha256 = hashlib.sha256(data).digest()
        stored, image_findings = prepare(data, image.filename, verify=self.verify, max_side=self.max_image_side)
        findings += image_findings
        if stored is None:
            return CheckedImage(image, findings, sha256, name)

        labels = image.class_names, image.boxes_xyxy, image.annotated_size
        boxes, box_findings = box_checks.check_boxes(image.filename, *labels, stored.raw_size, stored.orientation)
        return CheckedImage(image, findings + box_findings, sha256, name, stored, boxes)

    def find(self, filename: str) -> tuple[str | None, list[Finding]]:
        """Return the image's name below the folder, or None, and what is wrong or odd with the name."""
        try:
            name = image_names.inside_folder(filename)
        except ValueError as error:
            remedy = "write the name of the image below the image folder"
            return None, [Finding(ERROR, "filename-outside-folder", filename, str(error), remedy)]
        found = self.folder.find(name)
        if found is None and self._is_file(name):  # an image without an image's suffix
            found = name
        if found == name:
            return name, []
        missing = f"there is no such image in {files.shown_path(self.image_dir)}"
        remedy = "put the image there, correct the name, or remove the annotation"
        if found is None:
            message = f"{missing}, nor a single one of that name with another suffix"
            return None, [Finding(ERROR, "image-missing", filename, message, remedy)]
        if other := self._images_of_others.get(filename):
            message = f"{missing}; {found!r}, the only one of that name, is meant by {other!r}"
            return None, [Finding(ERROR, "image-annotated-twice", filename, message, remedy)]
        message = f"{missing}; {found!r}, the only one of that name, is taken"
        return found, [Finding(NOTE, "filename-renamed", filename, message)]

    # How files are reached; cloud/generate_tfrecord_beam.py overrides these and `folder` for buckets.

    def _is_file(self, name: str) -> bool:
        return os.path.isfile(self._path(name))  # noqa: PTH113  False, not an error, for a name that is too long

    def _read(self, name: str) -> tuple[bytes | None, list[Finding]]:
        return decode.read_bytes(self._path(name), name)

    def _path(self, name: str) -> str:
        return f"{self.image_dir}/{name}"
