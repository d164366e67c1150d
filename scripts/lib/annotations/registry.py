"""Find the annotation files of a folder, recognise their format, and read them by the modules of `formats/`."""

from __future__ import annotations

import dataclasses
import importlib
import os
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.lib.annotations import class_map, formats
from scripts.lib.annotations.parsing import error_in, stem_below
from scripts.lib.annotations.voc_xml import Annotation
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, Finding, UsageError, errors
from scripts.lib.core.progress import progress
from scripts.lib.images.image_names import ImageFolder

FORMATS = {
    module.name: importlib.import_module(f"{formats.__name__}.{module.name}")
    for module in pkgutil.iter_modules(formats.__path__)
}
HELP = "Formats:\n" + "\n".join(f"  {name:<13} {FORMATS[name].TITLE}" for name in FORMATS)
AUTO = "auto"  # the value of --format that means: recognise it
FORMAT_HELP = f"annotation format: {', '.join(FORMATS)}; {AUTO}: recognise it"


@dataclasses.dataclass(frozen=True)
class AnnotationFolder:
    """A folder of annotations, or a file that holds all of them."""

    path: Path
    format_name: str
    files: Sequence[str]  # the annotation files, in order of their names


def require_existing(paths: Sequence[Path]) -> None:
    """Raise UsageError if a value of --annotations_dir is not there."""
    if missing := [path for path in paths if not path.exists()]:
        raise UsageError(f"--annotations_dir {files.shown_paths(missing)}: no such folder")


def find_folders(paths: Sequence[Path], name: str = AUTO) -> list[AnnotationFolder]:
    """Find the annotation files of several folders, each in a format of its own.

    Raises:
        UsageError: a folder has files of several formats, and `name` is AUTO.
        DataError: with a finding for each folder that has none.
    """
    folders, findings = [], []
    for path in paths:
        try:
            folders.append(AnnotationFolder(path, *find_files(path, name)))
        except DataError as error:
            findings += error.findings
    if findings:
        raise DataError(findings)
    return folders


def find_files(path: Path, name: str = AUTO) -> tuple[str, list[str]]:
    """Return the name of the format and the annotation files in a folder (or at a path), in order of their names.

    Raises:
        UsageError: there are files of several formats, and `name` is AUTO.
        DataError: there are none.
    """
    listed = [os.fspath(path)] if path.is_file() else [f"{path}/{below}" for below in files.names_below(path)]
    names = [name] if name != AUTO else sorted(FORMATS, key=lambda name: not FORMATS[name].IS_DATA_SET)
    found = {name: selected for name in names if (selected := FORMATS[name].select_files(path, listed))}
    if not found:
        titles = "; ".join(f"{name}: {FORMATS[name].TITLE}" for name in names)
        remedy = "give the folder that holds them as --annotations_dir"
        raise DataError([error_in(path, "no-annotation", f"no annotations; looked for {titles}", remedy)])
    first = next(iter(found))
    if len(found) > 1 and not FORMATS[first].IS_DATA_SET:
        kinds = " and as ".join(f"{name} ({files.shown_path(selected[0])})" for name, selected in found.items())
        raise UsageError(f"{files.shown_path(path)} holds annotations as {kinds}; choose one with --format")
    return first, found[first]


def read_file(name: str, file: str, path: Path, images: ImageFolder | None) -> tuple[list[Annotation], list[Finding]]:
    """Read one file of the format of that name, see `formats`; everything wrong with it is a finding."""
    try:
        return FORMATS[name].read(file, path, images)
    except DataError as error:
        return [], error.findings
    except OSError as error:
        return [], [error_in(file, "file-unreadable", f"cannot be read: {error.strerror or error}", "check the file")]


def read_folders(
    folders: Sequence[AnnotationFolder], images: ImageFolder | None, renames: Mapping[str, str] | None = None
) -> tuple[list[Annotation], list[Finding], set[str]]:
    """Read all annotation files, and rename the classes by a class map.

    Returns:
        The annotations in the order of the files; each finding once; the files with an error, as the names of their
        images without suffix.
    """
    annotations, findings, damaged = [], [], set()
    listed = [(folder, file) for folder in folders for file in folder.files]
    for folder, file in progress(listed, "reading", unit="file"):
        of_file, findings_of_file = read_file(folder.format_name, file, folder.path, images)
        if renames is not None:
            of_file, unknown = class_map.rename(of_file, renames)
            findings_of_file += unknown
        annotations += of_file
        findings += findings_of_file
        if errors(findings_of_file):
            damaged.add(stem_below(file, folder.path))
    return annotations, [*dict.fromkeys(findings), *check_images_are_distinct(annotations)], damaged


def check_images_are_distinct(annotations: Sequence[Annotation]) -> list[Finding]:
    """Return an error for each image annotated again: its boxes would count twice, or belong to another image."""
    first: dict[str, Annotation] = {}
    findings = []
    for annotation in annotations:
        if (earlier := first.setdefault(annotation.filename, annotation)) is not annotation:
            message = f"names the image {annotation.filename!r}, as {files.shown_path(earlier.source)} does"
            remedy = "keep one of the two, correct the name, or give --image_dir"
            findings.append(error_in(annotation.source, "image-annotated-twice", message, remedy))
    return findings


def no_object(paths: Sequence[Path]) -> Finding:
    """Return the error of annotations that would make an empty labels CSV."""
    remedy = "label the images, or give --include_negatives"
    return error_in(files.shown_paths(paths), "no-object", "no annotation has an object", remedy)
