"""The SavedModel that takes the bytes of image files, as TensorFlow Serving runs it: for export_model.py's check."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.models import exported_model, frozen_graph, metadata
from scripts.lib.models.runtimes import NormalizedDetections, unpadded


class Model:
    """A SavedModel with the signature serving_default: "inputs", string [batch] -> the API's outputs."""

    def __init__(self, folder: Path):
        tf = import_tensorflow()
        values = metadata.read_json(folder)
        self.class_names = values["class_names"]
        self.global_step = values["global_step"]
        self._session = tf.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.saved_model.load(self._session, ["serve"], str(folder / exported_model.SAVED_MODEL))
        signature = loaded.signature_def["serving_default"]
        self._input = signature.inputs["inputs"].name
        self._outputs = [signature.outputs[name].name for name in frozen_graph.DETECTIONS]

    def prepare(self, image_rgb: np.ndarray) -> bytes:
        encoded = io.BytesIO()
        Image.fromarray(image_rgb).save(encoded, "PNG")  # loses nothing
        return encoded.getvalue()

    def run(self, prepared: Sequence[bytes], min_score: float = 0.0) -> Iterator[NormalizedDetections]:
        for image in prepared:
            yield from unpadded(*self._session.run(self._outputs, {self._input: [image]}))
