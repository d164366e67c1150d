"""Detect with an exported model, in any runtime: the Python API.

detector = Detector("exported_model")
for found in detector.detect("photo.jpg"):
    print(found.class_name, found.score, found.xmin, found.ymin, found.xmax, found.ymax)
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import DataError
from scripts.lib.images import decode
from scripts.lib.models import exported_model

DEFAULT_SCORE = 0.5  # score threshold where report.py --update_thresholds has written none


class DetectionArrays(NamedTuple):
    """All detections of one image, best score first.

    Attributes:
        boxes_yxyx: float32 [num_detections, 4], pixels of the image.
        scores: float32 [num_detections].
        class_ids: int64 [num_detections], as in the model's label map.
    """

    boxes_yxyx: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray

    def named(self, class_names: Mapping[int, str]) -> list[Detection]:
        """Return the detections with their class names, without those whose class id has no name."""
        return [
            Detection(class_names[class_id], score, xmin, ymin, xmax, ymax)
            for (ymin, xmin, ymax, xmax), score, class_id in zip(*(values.tolist() for values in self), strict=True)
            if class_id in class_names
        ]


@dataclasses.dataclass(frozen=True)
class Detections:
    """The detections on one image, best score first. Iterating gives one `Detection` after the other.

    Attributes:
        boxes_xyxy: float32 [num_detections, 4], pixels of the upright image.
        scores: float32 [num_detections].
        class_ids: int64 [num_detections], as in the model's label map.
        class_names: as many names.
        image_width, image_height: pixels.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray
    class_names: list[str]
    image_width: int
    image_height: int

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Detection]:
        for name, score, box in zip(self.class_names, self.scores.tolist(), self.boxes_xyxy.tolist(), strict=True):
            yield Detection(name, score, *box)

    def to_dict(self) -> dict[str, Any]:
        """Return the image's size and the detections in JSON's types, as `detect.py --formats json` writes them."""
        found = [detection.to_dict() for detection in self]
        return {"width": self.image_width, "height": self.image_height, "detections": found}

    def to_supervision(self):
        """Return them as `supervision.Detections`; needs the package supervision."""
        import supervision

        return supervision.Detections(
            xyxy=self.boxes_xyxy,
            confidence=self.scores,
            class_id=self.class_ids,
            data={"class_name": np.array(self.class_names, dtype=str)},
        )


class PreparedImage(NamedTuple):
    """An image as the model takes it, and its original size in pixels."""

    values: Any
    height: int
    width: int


class Detector:
    """An exported model, ready to detect. Several threads may use it at once.

    Args:
        folder: what export_inference_graph.py or export_model.py wrote.
        runtime: one of `runtimes.RUNTIMES`, or "auto"; see `runtimes.load`.
        threads: that run the model; 0: one per core.
        providers: ONNX Runtime's execution providers, such as CUDAExecutionProvider; none: the CPU's.

    Raises:
        UsageError: the folder is not an exported model, or the runtime cannot run it.

    Attributes:
        class_names: class id -> the name that people read.
        label_names: that name -> the one in annotations; empty where the export has no label map.
        score_thresholds: class name -> score from which on a detection counts by default; of others, DEFAULT_SCORE.
        runtime: the name of the runtime that runs it.
    """

    label_names: Mapping[str, str] = {}
    score_thresholds: Mapping[str, float] = {}

    def __init__(self, folder: Path | str, runtime: str = "auto", threads: int = 0, providers: Sequence[str] = ()):
        from scripts.lib.models import metadata, runtimes  # here, since they import the API's protos

        folder = Path(folder)
        exported_model.check(folder)
        self._model, self.runtime = runtimes.load(folder, runtime, threads, providers)
        # The label map in the folder, whatever the runtime: a model's own names are those of its conversion.
        has_label_map = (folder / exported_model.LABEL_MAP).is_file()
        self.class_names = metadata.class_names(folder) if has_label_map else dict(self._model.class_names)
        self.label_names = metadata.label_names(folder) if has_label_map else {}
        self.score_thresholds = exported_model.score_thresholds(folder)

    def global_step(self) -> int | None:
        """Return the training step of the checkpoint that was exported, or None where it is not known."""
        return self._model.global_step

    def detect(
        self, image: Path | str | bytes | np.ndarray | Image.Image, min_score: float | None = None
    ) -> Detections:
        """Return the detections on one image, best first.

        Args:
            image: a path, an image file's content, uint8 [height, width, 3] in RGB (OpenCV's BGR: `image[..., ::-1]`),
                or an image of Pillow. Files are turned upright by their EXIF data.
            min_score: leave out detections below. None: by class, as report.py --update_thresholds wrote, or 0.5.

        Raises:
            DataError: the file cannot be read.
            ValueError: the array is none of an image.
        """
        image_rgb = _pixels(image)
        height, width = image_rgb.shape[:2]
        by_class = self.score_thresholds if min_score is None else {}
        general = DEFAULT_SCORE if min_score is None else min_score
        (found,) = self.detect_each([image_rgb], 1, min([general, *by_class.values()]))
        names = np.array([self.class_names.get(class_id, "") for class_id in found.class_ids.tolist()], dtype=object)
        kept = (names != "") & (found.scores >= np.array([by_class.get(name, general) for name in names]))
        boxes_xyxy = found.boxes_yxyx[kept][:, [1, 0, 3, 2]]
        return Detections(boxes_xyxy, found.scores[kept], found.class_ids[kept], names[kept].tolist(), width, height)

    def detect_each(
        self, images_rgb: Iterable[np.ndarray], batch_size: int = 16, min_score: float = 0.0
    ) -> Iterator[DetectionArrays]:
        """Yield the arrays of each of many images, run in batches; equal to `detect` to float32's last digits."""
        prepared = map(self.prepare, images_rgb)
        while batch := list(itertools.islice(prepared, batch_size)):
            yield from self.detect_prepared(batch, min_score)

    def prepare(self, image_rgb: np.ndarray) -> PreparedImage:
        """Resize an image as the model takes it; to do that in one thread and detect in another."""
        return PreparedImage(self._model.prepare(image_rgb), *image_rgb.shape[:2])

    def detect_prepared(self, batch: Sequence[PreparedImage], min_score: float = 0.0) -> Iterator[DetectionArrays]:
        """Yield the detections on each image of a batch that `prepare` made."""
        try:
            found_each = list(self._model.run([image.values for image in batch], min_score))
        except Exception as error:  # a graph that another program made may fail in any way
            reason = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
            raise DataError([f"the model fails on an image in {self.runtime} ({reason}); export it again."]) from error
        for image, found in zip(batch, found_each, strict=True):
            kept = found.scores >= min_score
            to_pixels = np.array([image.height, image.width] * 2, np.float32)
            boxes_yxyx = found.boxes_yxyx_normalized[kept] * to_pixels
            yield DetectionArrays(boxes_yxyx, found.scores[kept], found.class_ids[kept])


def _pixels(image: Path | str | bytes | np.ndarray | Image.Image) -> np.ndarray:
    """Return an image as uint8 [height, width, 3] in RGB, upright."""
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"an image is uint8 [height, width, 3], not {image.dtype} {list(image.shape)}")
        return image
    if isinstance(image, Image.Image):
        return np.asarray(decode.upright_rgb(image)[0])
    pixels, findings = decode.decode(image, "the image") if isinstance(image, bytes) else decode.read(Path(image))
    if pixels is None:
        raise DataError(findings)
    return pixels
