"""Many photos through a detector: reading, decoding, inference and drawing at the same time, a few photos of each.

Everything is a generator: what is in memory is a few photos for each worker and a batch, however many there are.

Photos are decoded in full. JPEG can be decoded at a half or a quarter of the size, which still is more than the model
takes in; but the model has learnt from photos that were shrunk otherwise. On 120 photos, the detections above 0.3 of 23
were others than before, and the scores of the rest moved by up to 0.19.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from scripts.lib.core import files, http
from scripts.lib.core.errors import ERROR, Finding
from scripts.lib.core.http import DownloadError, DownloadLimits
from scripts.lib.core.parallel import ordered_map
from scripts.lib.detection import contact_sheet, detections
from scripts.lib.detection.journal import ImageResult
from scripts.lib.detection.sources import Source
from scripts.lib.images import decode, drawing
from scripts.lib.models.detector import DetectionArrays, Detector, PreparedImage

DOWNLOADS_AT_ONCE = 8
HELD_PIXELS = 2**22  # a larger photo waits for its picture as the file that it is, and is decoded once more: 12 MB each


class Folders(NamedTuple):
    """Where pictures go; None: there are none.

    Attributes:
        pictures: of photos with their boxes, in full size.
        thumbnails: the same, small.
    """

    pictures: Path | None = None
    thumbnails: Path | None = None

    def are_complete(self, output_name: str) -> bool:
        """Whether all pictures of a photo are there."""
        return all(folder is None or (folder / output_name).is_file() for folder in self)


class _Loaded(NamedTuple):
    """A photo, ready for the detector, or why it is not."""

    source: Source
    version: str
    size: tuple[int, int] = (0, 0)  # height, width
    prepared: PreparedImage | None = None
    picture: np.ndarray | bytes | None = None  # where pictures are wanted: pixels, or a large photo's file
    error: Finding | None = None


class Pipeline:
    """Args:
    detector: what looks at the photos.
    min_scores: class id -> least score; other classes are left out.
    nms_iou: see `detections.select`.
    folders: where pictures go.
    limits: of downloads.
    batch_size: photos a run of the model.
    num_workers: threads that decode, and as many that draw; 1: no thread at all.
    fetch: reads a photo whose place is an address; raises DownloadError.
    """

    def __init__(
        self,
        detector: Detector,
        min_scores: dict[int, float],
        nms_iou: float | None = None,
        folders: Folders = Folders(),  # noqa: B008 (immutable)
        limits: DownloadLimits = DownloadLimits(),  # noqa: B008
        batch_size: int = 8,
        num_workers: int = 2,
        fetch: Callable[[str, DownloadLimits], bytes] = http.fetch,
    ):
        self.detector, self.min_scores, self.nms_iou = detector, min_scores, nms_iou
        self.folders, self.limits = folders, limits
        self.batch_size, self.num_workers, self.fetch = batch_size, num_workers, fetch
        self._wants_pictures = any(folders)

    def look_at(self, sources: Iterable[Source]) -> Iterator[ImageResult]:
        """Yields what was found on each photo, in order, once its pictures are written."""
        num_downloads = 1 if self.num_workers == 1 else DOWNLOADS_AT_ONCE
        fetched = ordered_map(self._fetched, sources, num_downloads)
        loaded = ordered_map(self._load, fetched, self.num_workers)
        return ordered_map(self._finish, self._detect(loaded), self.num_workers)

    def _fetched(self, source: Source) -> tuple[Source, bytes | Finding | None]:
        """A photo with its content if it has an address; files on the disk are read when it is their turn."""
        if isinstance(source.place, Path):
            return source, None
        try:
            return source, self.fetch(source.place, self.limits)
        except DownloadError as error:
            return source, Finding(ERROR, "image-download", source.place, str(error), "check the address, or try again")

    def _load(self, fetched: tuple[Source, bytes | Finding | None]) -> _Loaded:
        source, content = fetched
        file, version = str(source.place), ""
        if content is None:
            file, version = files.shown_path(source.place), version_of(source)
            content, findings = decode.read_bytes(source.place, file)
            if content is None:
                return _Loaded(source, version, error=findings[0])
        if isinstance(content, Finding):
            return _Loaded(source, version, error=content)
        pixels, findings = decode.decode(content, file)
        if pixels is None:
            return _Loaded(source, version, error=findings[0])
        prepared = self.detector.prepare(pixels)
        picture = content if pixels.shape[0] * pixels.shape[1] > HELD_PIXELS else pixels
        return _Loaded(source, version, pixels.shape[:2], prepared, picture if self._wants_pictures else None)

    def _detect(self, loaded: Iterator[_Loaded]) -> Iterator[tuple[_Loaded, DetectionArrays | None]]:
        least = min(self.min_scores.values())
        while batch := list(itertools.islice(loaded, self.batch_size)):
            found = self.detector.detect_prepared([one.prepared for one in batch if not one.error], least)
            for one in batch:
                yield one, None if one.error else next(found)

    def _finish(self, looked_at: tuple[_Loaded, DetectionArrays | None]) -> ImageResult:
        (source, version, (height, width), _, picture, error), found = looked_at
        names = self.detector.class_names
        kept = [] if found is None else detections.named(detections.select(found, self.min_scores, self.nms_iou), names)
        if picture is not None:
            image = Image.fromarray(decode.pixels(picture) if isinstance(picture, bytes) else picture)
            for folder, draw in zip(self.folders, (drawing.draw_detections, contact_sheet.thumbnail), strict=True):
                if folder:
                    _save(draw, folder / source.output_name, image, kept, list(names.values()))
        return ImageResult(source.name, source.output_name, version, width, height, kept, error)


def _save(draw: Callable[..., Image.Image], path: Path, *arguments) -> None:
    with files.atomic_write(path, durable=False) as file:
        draw(*arguments).save(file, "JPEG", quality=90)


def version_of(source: Source) -> str:
    """What changes when a file is replaced: size and time; empty for an address, and where there is no file."""
    if isinstance(source.place, str):
        return ""
    try:
        status = source.place.stat()
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"
