"""TensorFlow: the frozen graph itself, by which the other runtimes are measured."""

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
from scripts.lib.models import exported_model
from scripts.lib.models.onnx_conversion import DETECTIONS
from scripts.lib.models.runtimes import Found
from scripts.lib.models.runtimes.converted import found

_INPUT = "image_tensor:0"
_OUTPUTS = [f"{name}:0" for name in DETECTIONS]
# What the API's SSD models make of their input: images of the model's size, and how much of each is not padding.
_RESIZED = tuple(f"Preprocessor/map/{name}/TensorArrayGatherV3" for name in ("TensorArrayStack", "TensorArrayStack_1"))


class Model:
    """The frozen graph in a session.

    Photos differ in size, and the graph takes only images of one size together. Each is therefore put through the
    graph's own resizer first; what comes out has one size with a fixed_shape_resizer, and is put through the rest of
    the graph together. The detections are those of one image a run, to float32's last digit.
    """

    def __init__(self, folder: Path):
        classes = label_map.read(folder / exported_model.LABEL_MAP)
        self.class_names = {class_id: name for name, class_id in classes.items()}
        self._folder = folder
        self._session = _load(folder)
        self._can_batch = _can_batch(self._session.graph)

    @functools.cached_property
    def global_step(self) -> int | None:
        return exported_model.global_step(self._folder)

    def prepare(self, image_rgb: np.ndarray) -> tuple[np.ndarray, ...]:
        image = image_rgb[np.newaxis]
        if not self._can_batch:
            return (image,)
        return tuple(self._session.run([f"{name}:0" for name in _RESIZED], {_INPUT: image}))

    def run(self, prepared: Sequence[tuple[np.ndarray, ...]], min_score: float = 0.0) -> Iterator[Found]:
        names = self._input_names
        for _, group in itertools.groupby(prepared, key=lambda values: values[0].shape):
            together = [np.concatenate(values) for values in zip(*group, strict=True)]
            feed = {f"{name}:0": values for name, values in zip(names, together, strict=True)}
            yield from found(*self._session.run(_OUTPUTS, feed))

    @property
    def _input_names(self) -> tuple[str, ...]:
        return _RESIZED if self._can_batch else (_INPUT.removesuffix(":0"),)


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


def _load(folder: Path):
    """A session on the frozen graph."""
    tf = import_tensorflow()
    graph_def = exported_model.frozen_graph(folder)
    if "image_tensor" not in {node.name for node in graph_def.node}:
        path = files.shown_path(folder / exported_model.FROZEN_GRAPH)
        raise UsageError(f"{path} takes no image_tensor; export it with --input_type image_tensor")
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return tf.Session(graph=graph)
