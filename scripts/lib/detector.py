"""An exported model, loaded and ready to detect."""

from __future__ import annotations

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
        self._session, self._outputs, self._input = _load(folder / exported_model.FROZEN_GRAPH)

    def detect(self, image_rgb: np.ndarray, min_score: float = 0.0) -> list[Detection]:
        """Detects the objects of one image, after the model's own non-maximum suppression, best first.

        Args:
            image_rgb: uint8 [height, width, 3], channels in the order red, green, blue, upright, of any size.
            min_score: detections below are left out.
        """
        boxes_yxyx_normalized, scores, class_ids = self._session.run(
            self._outputs, {self._input: image_rgb[np.newaxis]}
        )
        height, width = image_rgb.shape[:2]
        boxes = boxes_yxyx_normalized[0] * (height, width, height, width)
        return [
            Detection(self.class_names[int(class_id)], float(score), xmin, ymin, xmax, ymax)
            for (ymin, xmin, ymax, xmax), score, class_id in zip(boxes.tolist(), scores[0], class_ids[0], strict=True)
            if score >= min_score and int(class_id) in self.class_names
        ]


def _load(frozen_graph: Path):
    """A session on the frozen graph, its outputs (boxes, scores, classes) and its input."""
    from scripts.lib import object_detection_api

    tf = object_detection_api.tensorflow()
    graph_def = tf.GraphDef.FromString(frozen_graph.read_bytes())
    names = {node.name for node in graph_def.node}
    if "image_tensor" not in names:
        raise UsageError(
            f"{files.display(frozen_graph)} takes no image_tensor; export it with --input_type image_tensor"
        )
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    outputs = [f"{name}:0" for name in ("detection_boxes", "detection_scores", "detection_classes")]
    return tf.Session(graph=graph), outputs, "image_tensor:0"
