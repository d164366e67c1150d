"""LiteRT (TensorFlow Lite): export_model.py checks with it what it makes for phones; detect.py does not offer it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from scripts.lib.core.tensorflow import without_chatter
from scripts.lib.models import exported_model, metadata, tflite_conversion
from scripts.lib.models.runtimes import NormalizedDetections, unpadded


class Model:
    """The TensorFlow Lite file of an exported model. For one thread at a time.

    It runs on one thread: LiteRT 2.3 with N threads loses class N + 1 of N + 1 or more in TFLite_Detection_PostProcess
    with its regular suppression, which goes class by class (tensorflow/tensorflow issue 56058).
    """

    def __init__(self, folder: Path, file: str = exported_model.TFLITE):
        from ai_edge_litert.interpreter import Interpreter

        values = metadata.read_json(folder)
        self.class_names = metadata.class_names(folder)
        self.global_step = values["global_step"]
        self._input = values["input"]
        with without_chatter():
            self._interpreter = Interpreter(str(folder / file), num_threads=1)
            self._interpreter.allocate_tensors()

    def prepare(self, image_rgb: np.ndarray) -> np.ndarray:
        return tflite_conversion.as_input(image_rgb, self._input)

    def run(self, prepared: Sequence[np.ndarray], min_score: float = 0.0) -> Iterator[NormalizedDetections]:
        for image in prepared:
            self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], image[np.newaxis])
            self._interpreter.invoke()
            outputs = sorted(self._interpreter.get_output_details(), key=lambda output: output["name"])
            boxes, classes, scores, count = (self._interpreter.get_tensor(output["index"]) for output in outputs)
            (one,) = unpadded(boxes, scores, classes + 1, count)
            clipped = np.clip(one.boxes_yxyx_normalized, 0, 1)  # as the API clips them
            has_area = (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
            yield NormalizedDetections(clipped[has_area], one.scores[has_area], one.class_ids[has_area])
