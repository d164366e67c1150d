"""One labelled image -> one `tf.train.Example`, as the Object Detection API reads it.

The features are those that object_detection/data_decoders/tf_example_decoder.py asks for and that
object_detection/g3doc/using_your_own_dataset.md lists.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from google.protobuf.message import Message

from scripts.lib.core import files
from scripts.lib.core.errors import ERROR, NOTE, Finding, errors
from scripts.lib.dataset import box_checks
from scripts.lib.dataset.labels_csv import Row
from scripts.lib.images import decode, image_names, prepare
from scripts.lib.images.prepare import StoredImage
from scripts.lib.records import tf_example


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledImage:
    """The labels of one image.

    Attributes:
        filename: its name relative to the image folder.
        annotated_size: width and height in pixels as the annotation states them; 0 where it does not.
        class_names, boxes_xyxy: of its objects, in pixels; empty for a negative.
    """

    filename: str
    annotated_size: box_checks.Size
    class_names: tuple[str, ...]
    boxes_xyxy: tuple[box_checks.Box, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class ImageExample:
    """What became of one image.

    Attributes:
        image: the labels it was made from.
        example: the message, or None where a finding is an error.
        findings: what was found.
        sha256: of the image file's bytes; empty where it could not be read.
        name: of the image file, relative to the image folder; empty where there is none.
        upright_size: width and height in pixels, where the image can be read.
        boxes_xyxy: in pixels of the upright image; good only where no finding is an error.
    """

    image: LabelledImage
    example: Message | None
    findings: list[Finding]
    sha256: bytes = b""
    name: str = ""
    upright_size: box_checks.Size | None = None
    boxes_xyxy: Sequence[box_checks.Box] = ()


def labelled_images(rows: Iterable[Row]) -> list[LabelledImage]:
    """The rows of a labels CSV by image, images in order of their names, boxes in order of the rows."""
    rows_of: dict[str, list[Row]] = {}
    for row in rows:
        rows_of.setdefault(row.filename, []).append(row)
    return [_labelled_image(filename, rows_of[filename]) for filename in sorted(rows_of)]


def _labelled_image(filename: str, rows: list[Row]) -> LabelledImage:
    boxes = [row for row in rows if row.xmin is not None]
    return LabelledImage(
        filename,
        annotated_size=(rows[0].width, rows[0].height),
        class_names=tuple(row.class_name for row in boxes),
        boxes_xyxy=tuple((row.xmin, row.ymin, row.xmax, row.ymax) for row in boxes),
    )


def nothing_to_record(place: Path | str) -> Finding:
    """The error of a set of labels of which no Example can be made."""
    return Finding(
        ERROR, "nothing-to-record", files.shown_path(place), "no image is left to record", "label some images"
    )


class ExampleMaker:
    """Makes the Example of an image; the result depends on the image, its labels and these settings alone.

    Args:
        image_dir: the folder of the images.
        class_ids: class name -> id, from the label map.
        verify: decode every pixel (see `prepare.prepare`).
        max_image_side: shrink images whose longer side has more pixels.
    """

    def __init__(
        self,
        image_dir: Path | str,
        class_ids: Mapping[str, int],
        verify: bool = True,
        max_image_side: int | None = None,
    ):
        self.image_dir = Path(image_dir)
        self.class_ids = class_ids
        self.verify = verify
        self.max_image_side = max_image_side
        self._folder: image_names.ImageFolder | None = None
        self._images_of_others: dict[str, str] = {}
        self._shown_dir = files.shown_path(image_dir)

    @property
    def folder(self) -> image_names.ImageFolder:
        """The images of the folder, listed once they are asked for."""
        if self._folder is None:
            self._folder = self._list_folder()
        return self._folder

    def refuse_shared_images(self, images: Iterable[LabelledImage]) -> None:
        """From now on refuses a name that means an image for want of a better one, where another name means it, too.

        Which boxes belong to that image, and where the other image is, nobody but the user can tell.

        Args:
            images: all images of the data set.
        """
        names_of: dict[str, list[str]] = defaultdict(list)
        for image in images:
            names_of[self.find(image.filename)[0]].append(image.filename)
        for found, names in names_of.items():
            if found is not None and len(names) > 1:
                for name in names:
                    if name != found:
                        self._images_of_others[name] = found if found in names else next(n for n in names if n != name)

    def __call__(self, image: LabelledImage) -> ImageExample:
        return self.make(image, *self.find(image.filename))

    def make(self, image: LabelledImage, name: str | None, name_findings: Iterable[Finding]) -> ImageExample:
        """Makes the Example of an image that `find` has looked for; needs no listing of the folder."""
        findings = [*box_checks.check_classes(image.filename, image.class_names, self.class_ids), *name_findings]
        if name is None:
            return ImageExample(image, None, findings)
        data, read_findings = self._read(name)
        findings += read_findings
        if data is None:
            return ImageExample(image, None, findings)
        sha256 = hashlib.sha256(data).digest()

        prepared, image_findings = prepare.prepare(
            data, image.filename, verify=self.verify, max_side=self.max_image_side
        )
        findings += image_findings
        if prepared is None:
            return ImageExample(image, None, findings, sha256, name)

        checked = box_checks.check_boxes(
            image.filename,
            image.class_names,
            image.boxes_xyxy,
            image.annotated_size,
            prepared.raw_size,
            prepared.orientation,
        )
        findings += checked.findings
        example = None
        if not errors(findings):
            class_ids = [self.class_ids[class_name] for class_name in image.class_names]
            example = _example(name, prepared, image.class_names, class_ids, checked.boxes_xyxy)
        return ImageExample(image, example, findings, sha256, name, prepared.upright_size, checked.boxes_xyxy)

    def find(self, filename: str) -> tuple[str | None, list[Finding]]:
        """The image's name below the folder, and what there is to say of it."""
        try:
            name = image_names.inside_folder(filename)
        except ValueError as error:
            remedy = "write the name of the image below the image folder"
            return None, [Finding(ERROR, "filename-outside-folder", filename, str(error), remedy)]
        found = self.folder.find(name)
        if found is None and self._is_file(name):  # an image without an image's ending
            found = name
        if found == name:
            return name, []
        folder = self._shown_dir
        if found is None:
            remedy = "put it there, mend the name, or remove the annotation"
            message = f"there is no such image in {folder}, nor a single one of that name with another ending"
            return None, [Finding(ERROR, "image-missing", filename, message, remedy)]
        if other := self._images_of_others.get(filename):
            message = f"there is no such image in {folder}; {found!r}, the only one of that name, is meant by {other!r}"
            remedy = "put the image there, mend the name, or remove the annotation"
            return None, [Finding(ERROR, "image-annotated-twice", filename, message, remedy)]
        message = f"there is no such image in {folder}; {found!r}, the only one of that name, is taken"
        return found, [Finding(NOTE, "filename-renamed", filename, message)]

    def _read(self, name: str) -> tuple[bytes | None, list[Finding]]:
        try:
            size, data = self._content(name)
        except OSError as error:
            message = f"the image cannot be read: {error.strerror or error}"
            remedy = "check the file's permissions, and on Windows whether its path has more than 259 characters"
            return None, [Finding(ERROR, "image-unreadable", name, message, remedy)]
        if size <= decode.MAX_BYTES:
            return data, []
        message = f"the image file has {size / 2**20:.0f} MB, the limit is {decode.MAX_BYTES / 2**20:.0f} MB"
        return None, [Finding(ERROR, "image-too-large", name, message, "shrink it in an image editor")]

    # How files are reached: what a maker for another place than a disk does in its own way.

    def _list_folder(self) -> image_names.ImageFolder:
        return image_names.ImageFolder(self.image_dir)

    def _is_file(self, name: str) -> bool:
        return os.path.isfile(self._path(name))  # noqa: PTH113  False, not an error, for a name that is too long

    def _content(self, name: str) -> tuple[int, bytes]:
        """The file's size, and its bytes unless it has more than `decode.MAX_BYTES`."""
        with io.FileIO(self._path(name)) as file:
            size = os.fstat(file.fileno()).st_size
            return size, file.readall() if size <= decode.MAX_BYTES else b""

    def _path(self, name: str) -> str:
        return f"{self.image_dir}/{name}"


def _example(
    name: str,
    image: StoredImage,
    class_names: Iterable[str],
    class_ids: Iterable[int],
    boxes_xyxy: Iterable[box_checks.Box],
) -> Message:
    width, height = image.size
    upright_width, upright_height = image.upright_size
    boxes = list(boxes_xyxy)
    return tf_example.example(
        bytes_features={
            "image/filename": [name.encode()],
            "image/source_id": [name.encode()],
            "image/encoded": [image.encoded],
            "image/format": [image.format.encode()],
            "image/object/class/text": [class_name.encode() for class_name in class_names],
        },
        float_features={  # normalised: 0 is the left or top edge of the image, 1 the right or bottom one
            "image/object/bbox/xmin": [xmin / upright_width for xmin, _, _, _ in boxes],
            "image/object/bbox/xmax": [xmax / upright_width for _, _, xmax, _ in boxes],
            "image/object/bbox/ymin": [ymin / upright_height for _, ymin, _, _ in boxes],
            "image/object/bbox/ymax": [ymax / upright_height for _, _, _, ymax in boxes],
        },
        int64_features={
            "image/height": [height],
            "image/width": [width],
            "image/object/class/label": class_ids,
        },
    )
