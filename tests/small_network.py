"""A stand-in for an exported SSD with model.onnx: four convolutions with random weights, made at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from scripts.lib.models import exported_model, onnx_graph
from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.non_max_suppression import Settings

SETTINGS = Settings(0.01, 0.6, 9, 9)
NETWORK = """
<ir_version: 8, opset_import: ["": 13]>
made (float[n, 8, 8, 3] pixels) => (float[n, 64, 4] boxes, float[n, 64, 3] scores) {
  planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
  small = Mul (planes, scale)
  one = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (small, weights1, biases1)
  two = Relu (one)
  three = Conv <kernel_shape = [1, 1]> (two, weights2)
  four = Relu (three)
  five = Conv <kernel_shape = [1, 1]> (four, weights3)
  six = Relu (five)
  logits = Conv <kernel_shape = [1, 1]> (six, weights4)
  last = Transpose <perm = [0, 2, 3, 1]> (logits)
  flat = Reshape (last, shape)
  scores = Sigmoid (flat)
  zero = Mul (scores, nothing)
  some = Slice (zero, start, end, axis)
  four_zeros = Concat <axis = 2> (some, some, some, some)
  boxes = Add (four_zeros, anchors)
}
"""


def write(folder: Path) -> None:
    """Write model.onnx, which finds the classes A and B."""
    random = np.random.default_rng(4)
    network = onnx.parser.parse_model(NETWORK)
    constants = {
        "scale": np.float32(1 / 255),
        "weights1": random.normal(0, 0.5, (8, 3, 3, 3)).astype(np.float32),
        "biases1": random.normal(0, 1, 8).astype(np.float32),
        "weights2": random.normal(0, 0.5, (8, 8, 1, 1)).astype(np.float32),
        "weights3": random.normal(0, 0.5, (8, 8, 1, 1)).astype(np.float32),
        "weights4": random.normal(0, 0.5, (3, 8, 1, 1)).astype(np.float32),
        "shape": np.array([-1, 64, 3]),
        "nothing": np.float32(0),
        "start": np.array([0]),
        "end": np.array([1]),
        "axis": np.array([2]),
        "anchors": np.sort(random.uniform(0, 1, (1, 64, 2, 2)), axis=2).reshape(1, 64, 4).astype(np.float32),
    }
    network.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items())
    for number, node in enumerate(network.graph.node):
        node.name = f"node{number}"
    model = onnx_graph.stand_alone(network, 8, 8, SETTINGS)
    onnx.helper.set_model_props(model, ModelMetadata("made", {1: "A", 2: "B"}, 7, 8, 8, SETTINGS).to_text())
    onnx.save(model, folder / exported_model.ONNX)


def images(count: int, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, 11, 9, 3), np.uint8))
