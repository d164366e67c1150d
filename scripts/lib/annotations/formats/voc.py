"""PASCAL VOC: one XML file per image, as LabelImg writes it."""

from __future__ import annotations

from pathlib import Path

from scripts.lib.annotations import voc_xml
from scripts.lib.annotations.parsing import stem_below, with_suffix
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.core import files
from scripts.lib.core.errors import NOTE, WARNING, Finding
from scripts.lib.images import image_names
from scripts.lib.images.image_names import ImageFolder

TITLE = "PASCAL VOC .xml, one per image"
NEEDS_IMAGES = False
IS_DATA_SET = False


def select_files(path: Path, listed: list[str]) -> list[str]:
    return with_suffix(listed, ".xml")


def read(file: str, path: Path, images: ImageFolder | None) -> tuple[list[Annotation], list[Finding]]:
    """Read one XML file; a renamed image is found by the name of the XML file.

    An annotation in a sub-folder means the image in the sub-folder of the same name, else one directly in the folder.
    """
    annotation = voc_xml.read(file)
    if not images:
        return [annotation], []
    stem = stem_below(file, path)
    stated = annotation.filename
    folder, slash, _ = stem.rpartition("/")
    mirrored = folder + slash + stated
    found = images.find(mirrored) or images.find(stated, stem)
    annotation.filename = found or stated
    findings = []
    if found and found not in (stated, mirrored):
        message = f"<filename> says {stated!r}, the image is {found!r}; the CSV gets the name on disk"
        findings.append(Finding(NOTE, "filename-renamed", files.shown_path(file), message))
    elif found and (other := images.find(stem)) not in (None, found):
        message = f"<filename> says {stated!r}, but there is also an image {other!r}, named like this file"
        remedy = "look at the boxes on both, and correct <filename> if they belong to the other"
        findings.append(Finding(WARNING, "filename-mismatch", files.shown_path(file), message, remedy))
    elif not found and image_names.without_suffix(mirrored) != stem:  # the name itself would not lead to this file
        message = f"<filename> says {stated!r}; no image has that name, or the name of this file"
        remedy = "correct <filename>, or put the image into the image folder"
        findings.append(Finding(WARNING, "filename-mismatch", files.shown_path(file), message, remedy))
    return [annotation], findings
