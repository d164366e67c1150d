"""Many images through a detector: reading, decoding, inference and drawing run at the same time, a few images each.

Everything is a generator: memory holds a few images per worker and a batch, however many images there are.

Images are decoded in full size. JPEG can be decoded at a half or a quarter of it, but the model was trained on images
that were shrunk otherwise: on 120 photos, 23 had other detections above 0.3, and scores moved by up to 0.19.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from scripts.lib.core import files, http
from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import ERROR, Finding
from scripts.lib.core.http import DownloadError, DownloadLimits
from scripts.lib.core.parallel import AHEAD, ordered_map
from scripts.lib.detection import contact_sheet, crops, detections
from scripts.lib.detection.detections import Suppression
from scripts.lib.detection.journal import ImageResult
from scripts.lib.detection.sources import ImageSource
from scripts.lib.images import decode, drawing
from scripts.lib.models.detector import DetectionArrays, Detector, PreparedImage

DOWNLOADS_AT_ONCE = 8
HELD_PIXELS = 2**26  # of all images that wait to be drawn; a larger share waits as its file, to be decoded once more


class DrawingFolders(NamedTuple):
    """Folders of images with boxes, of thumbnails with boxes, and of crops; None: not written."""

    images: Path | None = None
    thumbnails: Path | None = None
    crops: Path | None = None


class _Loaded(NamedTuple):
    """An image that is ready for the detector, or the error."""

    source: ImageSource
    version: str
    error: Finding | None = None
    prepared: PreparedImage | None = None
    drawable: np.ndarray | bytes | None = None  # pixels, or the file of a large image


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """Detects the objects of many images."""

    detector: Detector
    score_thresholds: dict[int, float]  # by class id; other classes are left out
    suppression: Suppression | None = None
    folders: DrawingFolders = DrawingFolders()
    limits: DownloadLimits = DownloadLimits()
    batch_size: int = 8  # images per inference batch
    num_workers: int = 2  # threads that decode, and as many that draw; 1: no further thread
    fetch: Callable[[str, DownloadLimits], bytes] = http.fetch  # reads an address; raises DownloadError
    notes: list[Finding] = dataclasses.field(default_factory=list, init=False)  # on images that were read

    def run(self, sources: Iterable[ImageSource]) -> Iterator[ImageResult]:
        """Yield each image's result, in order, once it is drawn."""
        downloaded = ordered_map(self._download, sources, 1 if self.num_workers == 1 else DOWNLOADS_AT_ONCE)
        loaded = ordered_map(self._load, downloaded, self.num_workers)
        return ordered_map(self._finish, self._detect(loaded), self.num_workers)

    def is_done(self, source: ImageSource, earlier: ImageResult | None) -> bool:
        """Return whether an earlier run has read and drawn this very image."""
        return (
            earlier is not None
            and not earlier.error
            and (earlier.output_name, earlier.version) == (source.output_name, version_of(source))
            and all(folder is None or (folder / source.output_name).is_file() for folder in self.folders[:2])
            and (
                self.folders.crops is None
                or crops.are_there(
                    self.folders.crops,
                    earlier.output_name,
                    earlier.detections,
                    earlier.width,
                    earlier.height,
                    self.detector.class_names.values(),
                )
            )
        )

    def _download(self, source: ImageSource) -> tuple[ImageSource, bytes | None, list[Finding]]:
        """Fetch the content of an address; `_load` reads files on the disk."""
        if isinstance(source.place, Path):
            return source, None, []
        try:
            return source, self.fetch(source.place, self.limits), []
        except DownloadError as error:
            return source, None, [Finding(ERROR, "image-download", source.place, str(error), "check it, or try again")]

    def _load(self, downloaded: tuple[ImageSource, bytes | None, list[Finding]]) -> _Loaded:
        source, content, findings = downloaded
        version, file = version_of(source), files.shown_path(source.place)
        if isinstance(source.place, Path):
            content, findings = decode.read_bytes(source.place, file)
        if content is None:
            return _Loaded(source, version, findings[0])
        with decode.in_turn(decode.num_pixels(content)):
            pixels, findings = decode.decode(content, file)
            if pixels is None:
                return _Loaded(source, version, findings[0])
            self.notes.extend(findings)
            share = HELD_PIXELS // (2 * AHEAD * self.num_workers + self.batch_size)
            is_large = pixels.shape[0] * pixels.shape[1] > share
            drawable = (content if is_large else pixels) if any(self.folders) else None
            return _Loaded(source, version, None, self.detector.prepare(pixels), drawable)

    def _detect(self, loaded: Iterator[_Loaded]) -> Iterator[tuple[_Loaded, DetectionArrays | None]]:
        lowest = min(self.score_thresholds.values())
        while batch := list(itertools.islice(loaded, self.batch_size)):
            found = self.detector.detect_prepared([image.prepared for image in batch if image.prepared], lowest)
            for image in batch:
                yield image, next(found) if image.prepared else None

    def _finish(self, detected: tuple[_Loaded, DetectionArrays | None]) -> ImageResult:
        (source, version, error, prepared, drawable), found = detected
        if prepared is None:
            return ImageResult(source.name, source.output_name, version, 0, 0, [], error)
        kept = detections.select(found, self.score_thresholds, self.suppression).named(self.detector.class_names)
        if drawable is not None:
            with decode.in_turn(prepared.width * prepared.height):
                self._draw(source.output_name, drawable, kept)
        return ImageResult(source.name, source.output_name, version, prepared.width, prepared.height, kept)

    def _draw(self, output_name: str, drawable: np.ndarray | bytes, kept: list[Detection]) -> None:
        """Write the files that are made from an image."""
        image = Image.fromarray(decode.pixels(drawable) if isinstance(drawable, bytes) else drawable)
        names = list(self.detector.class_names.values())
        if self.folders.crops:  # before boxes are drawn
            crops.write(self.folders.crops, output_name, image, kept, names)
        for folder, draw in zip(self.folders[:2], (drawing.draw_detections, contact_sheet.thumbnail), strict=True):
            if folder:
                with files.atomic_write(folder / output_name, durable=False) as file:
                    draw(image, kept, names).save(file, "JPEG", quality=90, subsampling=0)


def version_of(source: ImageSource) -> str:
    """Return a file's size and time, which change when it is replaced; empty for an address or a missing file."""
    if isinstance(source.place, Path):
        with contextlib.suppress(OSError):
            status = source.place.stat()
            return f"{status.st_size}-{status.st_mtime_ns}"
    return ""
