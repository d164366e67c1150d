"""A stand-in for an exported model, only of ONNX: no TensorFlow, made at once.

It proposes one box, always the same one; its score as Green is how green the image is on average, as Blue how blue.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.lib.models import exported_model
from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.non_max_suppression import Settings

SIDE = 8
BOX_YXYX = (0.25, 0.1, 0.75, 0.6)
MAX_DETECTIONS = 5


def write(folder: Path, **thresholds: float) -> Path:
    """Writes model.onnx, and score_thresholds.json where thresholds are given; returns the folder."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True, exist_ok=True)
    constants = {
        "scale": np.float32(1 / 255),
        "shape": np.array([-1, 1, 3]),
        "box": np.array([[BOX_YXYX]], np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("Mul", ["mean", "scale"], ["share"]),
            helper.make_node("Reshape", ["share", "shape"], ["scores"]),
            helper.make_node("Identity", ["box"], ["boxes"]),
        ],
        "made",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", SIDE, SIDE, 3])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 1, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1, 3]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    metadata = ModelMetadata(
        "made", {1: "Green", 2: "Blue"}, 7, SIDE, SIDE, Settings(0.01, 0.6, MAX_DETECTIONS, MAX_DETECTIONS)
    )
    helper.set_model_props(model, metadata.to_text())
    onnx.save(model, str(folder / exported_model.ONNX))
    if thresholds:
        (folder / exported_model.SCORE_THRESHOLDS).write_text(json.dumps(thresholds), encoding="utf-8")
    return folder


def encoded_image(color=(0, 230, 0), size=(200, 100), format="PNG", **options) -> bytes:
    """Return an image file of one colour (red, green, blue)."""
    encoded = io.BytesIO()
    Image.new("RGB", size, color).save(encoded, format, **options)
    return encoded.getvalue()
