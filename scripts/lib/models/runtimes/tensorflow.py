"""TensorFlow: the frozen graph, with which the other runtimes are compared, and the SavedModel."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from scripts.lib.core import files
from scripts.lib.core.errors import UsageError
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.models import exported_model, frozen_graph, metadata
from scripts.lib.models.runtimes import NormalizedDetections, unpadded


class Model:
    """The frozen graph or the SavedModel in a session, one image at a time, since images differ in size.

    Args:
        folder: of the exported model.
        form: `exported_model.SAVED_MODEL`: what takes the bytes of image files, as TensorFlow Serving runs it.
    """

    def __init__(self, folder: Path, form: str = exported_model.FROZEN_GRAPH, threads: int = 0):
        self.class_names = metadata.class_names(folder)
        self.global_step = exported_model.global_step(folder)
        self._takes_files = form == exported_model.SAVED_MODEL
        load = _load_saved_model if self._takes_files else _load_frozen_graph
        self._session, self._input, self._outputs = load(folder, threads)

    def prepare(self, image_rgb: np.ndarray) -> np.ndarray | bytes:
        if not self._takes_files:
            return image_rgb
        encoded = io.BytesIO()
        Image.fromarray(image_rgb).save(encoded, "PNG")  # loses nothing
        return encoded.getvalue()

    def run(self, prepared: Sequence[np.ndarray | bytes], min_score: float = 0.0) -> Iterator[NormalizedDetections]:
        for image in prepared:
            yield from unpadded(*self._session.run(self._outputs, {self._input: [image]}))


def _load_frozen_graph(folder: Path, threads: int) -> tuple[Any, str, list[str]]:
    """Return a session on the graph, and the names of its input and outputs."""
    tf = import_tensorflow()
    graph_def = frozen_graph.read(folder)
    path = files.shown_path(folder / exported_model.FROZEN_GRAPH)
    nodes = {node.name for node in graph_def.node}
    if frozen_graph.INPUT not in nodes:
        raise UsageError(f"{path} takes no image_tensor; export it with --input_type image_tensor")
    if missing := [name for name in frozen_graph.DETECTIONS if name not in nodes]:
        raise UsageError(f"{path} has no output {', '.join(missing)}; export the model again")
    with tf.Graph().as_default() as graph:
        try:
            tf.import_graph_def(graph_def, name="")
        except (ValueError, TypeError) as error:
            reason = str(error).strip().partition("\n")[0][:200]
            raise UsageError(f"{path} is no graph that TensorFlow {tf.__version__} reads: {reason}") from None
    return _session(tf, graph, threads), f"{frozen_graph.INPUT}:0", [f"{name}:0" for name in frozen_graph.DETECTIONS]


def _load_saved_model(folder: Path, threads: int) -> tuple[Any, str, list[str]]:
    """Return a session on the signature serving_default, and the names of its input and outputs."""
    tf = import_tensorflow()
    session = _session(tf, tf.Graph(), threads)
    with session.graph.as_default():
        loaded = tf.saved_model.load(session, ["serve"], str(folder / exported_model.SAVED_MODEL))
    signature = loaded.signature_def["serving_default"]
    return session, signature.inputs["inputs"].name, [signature.outputs[name].name for name in frozen_graph.DETECTIONS]


def _session(tf: Any, graph: Any, threads: int) -> Any:
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
    return tf.Session(graph=graph, config=config)
