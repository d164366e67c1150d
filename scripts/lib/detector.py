"""An exported model, loaded and ready to detect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.lib import exported_model, files, label_map
from scripts.lib.command_line import UsageError


class Detection(NamedTuple):
    """One detected object.

    Attributes:
        class_name: as in the model's label map.
        score: 0..1.
        xmin, ymin, xmax, ymax: the box in pixels of the image, origin at its upper left corner, as floats.
    """

    class_name: str
    score: float
    xmin: float
    ymin: float
    xmax: float
    ymax: float


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


class Detector:
    """Runs the frozen graph of an exported model.

    Args:
        folder: what export_inference_graph.py wrote: frozen_inference_graph.pb and label_map.pbtxt.

    Raises:
        UsageError: the folder is not an exported model.
    """

    def __init__(self, folder: Path | str):
        folder = Path(folder)
        missing = [
            name for name in (exported_model.FROZEN_GRAPH, exported_model.LABEL_MAP) if not (folder / name).is_file()
        ]
        if missing:
            raise UsageError(
                f"{files.display(folder)} is no exported model: {' and '.join(missing)} missing; "
                "give the output_directory of export_inference_graph.py"
            )
        classes = label_map.read(folder / exported_model.LABEL_MAP)
        self.class_names = {class_id: name for name, class_id in classes.items()}
        self._checkpoint = folder / exported_model.CHECKPOINT
        self._session = _load(folder / exported_model.FROZEN_GRAPH)
        self._can_batch = _can_batch(self._session.graph)

    def global_step(self) -> int | None:
        """The training step of the checkpoint that was exported, or None where the export does not hold it."""
        if not self._checkpoint.with_name(f"{self._checkpoint.name}.index").is_file():
            return None
        from scripts.lib import object_detection_api

        variables = object_detection_api.tensorflow().train.load_checkpoint(str(self._checkpoint))
        return int(variables.get_tensor("global_step")) if variables.has_tensor("global_step") else None

    def detect(self, image_rgb: np.ndarray, min_score: float = 0.0) -> list[Detection]:
        """Detects the objects of one image, after the model's own non-maximum suppression, best first.

        Args:
            image_rgb: uint8 [height, width, 3], channels in the order red, green, blue, upright, of any size.
            min_score: detections below are left out.
        """
        (found,) = self.detect_each([image_rgb], batch_size=1)
        return [
            Detection(self.class_names[class_id], score, xmin, ymin, xmax, ymax)
            for (ymin, xmin, ymax, xmax), score, class_id in zip(*(values.tolist() for values in found), strict=True)
            if score >= min_score and class_id in self.class_names
        ]

    def detect_each(self, images_rgb: Iterable[np.ndarray], batch_size: int = 16) -> Iterator[DetectionArrays]:
        """Detects the objects of many images, several a run of the graph; yields their detections in the same order.

        Photos differ in size, and the graph takes only images of one size together. Each is therefore put through the
        graph's own resizer first; what comes out has one size with a fixed_shape_resizer, and is put through the rest
        of the graph together. The detections are those of one image a run, to float32's last digit.

        Args:
            images_rgb: uint8 [height, width, 3] each, as in `detect`.
            batch_size: images a run.
        """
        if batch_size == 1 or not self._can_batch:
            for image in images_rgb:
                yield from self._detections({_INPUT: image[np.newaxis]}, [image.shape])
            return
        resized, sizes = [], []
        for image in images_rgb:
            one = self._session.run([f"{name}:0" for name in _RESIZED], {_INPUT: image[np.newaxis]})
            if resized and (len(resized) == batch_size or resized[0][0].shape != one[0].shape):
                yield from self._detections(_together(resized), sizes)
                resized, sizes = [], []
            resized.append(one)
            sizes.append(image.shape)
        if resized:
            yield from self._detections(_together(resized), sizes)

    def _detections(self, feed: dict[str, np.ndarray], shapes: list[tuple[int, ...]]) -> Iterator[DetectionArrays]:
        """One run of the graph on images of these shapes (height, width, ...)."""
        for boxes, scores, class_ids, count, (height, width, *_) in zip(
            *self._session.run(_OUTPUTS, feed), shapes, strict=True
        ):
            kept = slice(int(count))  # the rest is padding
            boxes_yxyx = boxes[kept] * np.array([height, width, height, width], np.float32)
            yield DetectionArrays(boxes_yxyx, scores[kept], class_ids[kept].astype(np.int64))


_INPUT = "image_tensor:0"
_OUTPUTS = [f"{name}:0" for name in ("detection_boxes", "detection_scores", "detection_classes", "num_detections")]
# What the API's SSD models make of their input: images of the model's size, and how much of each is not padding.
_RESIZED = tuple(f"Preprocessor/map/{name}/TensorArrayGatherV3" for name in ("TensorArrayStack", "TensorArrayStack_1"))


def _together(resized: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """Resized images as one batch, to be fed in the place of the resizer's outputs."""
    return {
        f"{name}:0": np.concatenate(values) for name, values in zip(_RESIZED, zip(*resized, strict=True), strict=True)
    }


def _can_batch(graph) -> bool:
    """Whether the graph has the resizer's outputs and nothing behind them looks at its input any more."""
    names = {operation.name for operation in graph.get_operations()}
    if not names.issuperset(_RESIZED):
        return False
    waiting = [graph.get_tensor_by_name(name).op for name in _OUTPUTS]
    seen = {*waiting}
    while waiting:
        operation = waiting.pop()
        if f"{operation.name}:0" == _INPUT:
            return False
        if operation.name not in _RESIZED:
            before = {tensor.op for tensor in operation.inputs} | {*operation.control_inputs}
            waiting += before - seen
            seen |= before
    return True


def _load(frozen_graph: Path):
    """A session on the frozen graph."""
    from scripts.lib import object_detection_api

    tf = object_detection_api.tensorflow()
    graph_def = tf.GraphDef.FromString(frozen_graph.read_bytes())
    if "image_tensor" not in {node.name for node in graph_def.node}:
        raise UsageError(
            f"{files.display(frozen_graph)} takes no image_tensor; export it with --input_type image_tensor"
        )
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return tf.Session(graph=graph)
