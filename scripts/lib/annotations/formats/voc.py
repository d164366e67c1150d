"""PASCAL VOC: one XML file per image, as LabelImg writes it."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

from scripts.lib.annotations import parsing, voc_xml
from scripts.lib.annotations.parsing import stem_below, with_suffix
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.core import files
from scripts.lib.core.errors import NOTE, WARNING, DataError, Finding
from scripts.lib.images import image_names
from scripts.lib.images.image_names import ImageFolder

TITLE = "PASCAL VOC .xml, one per image"
NEEDS_IMAGES = False
IS_DATA_SET = False


def select_files(path: Path, listed: list[str]) -> list[str]:
    return with_suffix(listed, ".xml")


def read(file: str, path: Path, images: ImageFolder | None) -> tuple[list[Annotation], list[Finding]]:
    """Read one XML file; an image whose name is wrong or missing is found by the name of the XML file.

    An annotation in a sub-folder means the image in the sub-folder of the same name, else one directly in the folder.
    A size that is missing is the image's, unless EXIF turns that: then the boxes may be in the raw frame.
    """
    annotation = voc_xml.read(file)
    note = functools.partial(Finding, NOTE, file=files.shown_path(file))
    findings = [note("size-missing", message="states no size; the image's is used")] if _lacks_size(annotation) else []
    stated, refused = annotation.filename, annotation.refused_filename
    says = f"<filename> says {stated if refused is None else refused!r}" if refused != "" else "has no <filename>"
    if not images:
        if refused is not None:
            findings.append(note("filename-renamed", message=f"{says}; the CSV gets {stated!r}"))
        return [annotation], findings
    stem = stem_below(file, path)
    folder, slash, _ = stem.rpartition("/")
    mirrored = folder + slash + stated
    found = images.find(mirrored) or images.find(stated, stem)
    annotation.filename = found or stated
    if found and _lacks_size(annotation):
        with contextlib.suppress(DataError):  # an image that cannot be read is another step's error
            size, orientation = parsing.upright_size(images.folder / found)
            annotation.width, annotation.height = size if orientation == 1 else (0, 0)
    if found in (stated, mirrored) and (other := images.find(stem)) not in (None, found):
        message = f"{says}, but there is also an image {other!r}, named like this file"
        remedy = "look at the boxes on both, and correct <filename> if they belong to the other"
        findings.append(Finding(WARNING, "filename-mismatch", files.shown_path(file), message, remedy))
    elif found and (refused is not None or found not in (stated, mirrored)):
        message = f"{says}, the image is {found!r}; the CSV gets the name on disk"
        findings.append(note("filename-renamed", message=message))
    elif not found and (refused is not None or image_names.without_suffix(mirrored) != stem):  # not led to by the name
        message = f"{says}; no image has that name, or the name of this file"
        remedy = "correct <filename>, or put the image into the image folder"
        findings.append(Finding(WARNING, "filename-mismatch", files.shown_path(file), message, remedy))
    return [annotation], findings


def _lacks_size(annotation: Annotation) -> bool:
    return 0 in (annotation.width, annotation.height)
