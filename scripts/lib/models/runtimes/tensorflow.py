"""TensorFlow: the frozen graph itself, with which the other runtimes are compared."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from scripts.lib.core import files
from scripts.lib.core.errors import UsageError
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.dataset import label_map
from scripts.lib.models import exported_model, frozen_graph
from scripts.lib.models.frozen_graph import DETECTIONS, RESIZED
from scripts.lib.models.runtimes import NormalizedDetections, unpadded

_INPUT = f"{frozen_graph.INPUT}:0"
_OUTPUTS = [f"{name}:0" for name in DETECTIONS]


class Model:
    """The frozen graph in a session.

    Images differ in size, and the graph takes only images of one size together. Each is therefore put through the
    graph's own resizer first; what comes out has one size with a fixed_shape_resizer, and is put through the rest of
    the graph together. The detections are those of one image at a time, to float32's last digit.
    """

    def __init__(self, folder: Path):
        classes = label_map.read(folder / exported_model.LABEL_MAP)
        self.class_names = {class_id: name for name, class_id in classes.items()}
        self._folder = folder
        self._session = _load(folder)
        self._batch_inputs = [f"{name}:0" for name in RESIZED] if _can_batch(self._session.graph) else [_INPUT]

    @functools.cached_property
    def global_step(self) -> int | None:
        return exported_model.global_step(self._folder)

    def prepare(self, image_rgb: np.ndarray) -> tuple[np.ndarray, ...]:
        image = image_rgb[np.newaxis]
        if self._batch_inputs == [_INPUT]:
            return (image,)
        return tuple(self._session.run(self._batch_inputs, {_INPUT: image}))

    def run(self, prepared: Sequence[tuple[np.ndarray, ...]], min_score: float = 0.0) -> Iterator[NormalizedDetections]:
        for _, group in itertools.groupby(prepared, key=lambda values: values[0].shape):
            batches = [np.concatenate(values) for values in zip(*group, strict=True)]
            yield from unpadded(*self._session.run(_OUTPUTS, dict(zip(self._batch_inputs, batches, strict=True))))


def _can_batch(graph) -> bool:
    """Return whether the graph has the resizer's outputs and nothing behind them looks at its input any more."""
    names = {operation.name for operation in graph.get_operations()}
    if not names.issuperset(RESIZED):
        return False
    waiting = [graph.get_tensor_by_name(name).op for name in _OUTPUTS]
    seen = {*waiting}
    while waiting:
        operation = waiting.pop()
        if operation.name == frozen_graph.INPUT:
            return False
        if operation.name not in RESIZED:
            before = {tensor.op for tensor in operation.inputs} | {*operation.control_inputs}
            waiting += before - seen
            seen |= before
    return True


def _load(folder: Path):
    """Return a session on the frozen graph."""
    tf = import_tensorflow()
    graph_def = frozen_graph.read(folder)
    if frozen_graph.INPUT not in {node.name for node in graph_def.node}:
        path = files.shown_path(folder / exported_model.FROZEN_GRAPH)
        raise UsageError(f"{path} takes no image_tensor; export it with --input_type image_tensor")
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return tf.Session(graph=graph)
