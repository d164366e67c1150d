"""Crops: each detection as an image of its own, in a folder of its class."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from scripts.lib.core import files
from scripts.lib.core.boxes import Detection, clip_to_pixels


def write(
    folder: Path, output_name: str, image: Image.Image, detections: Iterable[Detection], class_names: Iterable[str]
) -> None:
    """Write the crops of an image, best first, e.g. Tops/photo_1.jpg; remove further ones of an earlier run.

    Args:
        folder: of all crops.
        output_name: of the image, with `/`, ending in .jpg or .jpeg.
        image: in full size.
        detections: whose boxes are cut out, clipped to the image; those without a pixel on it are left out.
        class_names: of all classes.
    """
    for name, boxes in _boxes_by_folder(detections, *image.size, class_names).items():
        paths = _paths(folder / name, output_name)
        for box, path in zip(boxes, paths, strict=False):
            with files.atomic_write(path, durable=False) as file:
                image.crop(box).save(file, "JPEG", quality=95, subsampling=0)
        for path in itertools.takewhile(Path.is_file, _paths(folder / name, output_name, len(boxes) + 1)):
            files.remove(path)


def are_there(
    folder: Path,
    output_name: str,
    detections: Iterable[Detection],
    width: int,
    height: int,
    class_names: Iterable[str],
) -> bool:
    """Return whether all crops of an image of this size in pixels were written."""
    return all(
        path.is_file()
        for name, boxes in _boxes_by_folder(detections, width, height, class_names).items()
        for path in itertools.islice(_paths(folder / name, output_name), len(boxes))
    )


def _boxes_by_folder(
    detections: Iterable[Detection], width: int, height: int, class_names: Iterable[str]
) -> dict[str, list[tuple[int, int, int, int]]]:
    """Return the folder of each class -> what is cut out for it: left, top, right, bottom in pixels."""
    folders = _folders(class_names)
    boxes = {folder: [] for folder in folders.values()}
    for class_name, _, *box_xyxy in detections:
        if box := clip_to_pixels(box_xyxy, width, height):
            boxes[folders[class_name]].append(box)
    return boxes


def _paths(folder: Path, output_name: str, first: int = 1) -> Iterator[Path]:
    stem, suffix = output_name.rsplit(".", 1)
    return (folder / f"{stem}_{number}.{suffix}" for number in itertools.count(first))


def _folders(class_names: Iterable[str]) -> dict[str, str]:
    """Return the folder of each class: one for names that differ only in case, as Windows would see them."""
    names = {name: _folder_name(name) for name in class_names}
    first = {folder.casefold(): folder for folder in reversed(names.values())}
    return {name: first[folder.casefold()] for name, folder in names.items()}


def _folder_name(class_name: str) -> str:
    """Return a class's name with what some file system does not accept replaced; Windows takes `aux` for a device."""
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f]|[. ]$', "_", class_name)
    return re.sub(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", r"\1_", name)
