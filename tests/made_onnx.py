"""A stand-in for an exported model, only of ONNX: no TensorFlow, made at once.

It proposes one box, always the same one; its score as Green is how green the image is on average, as Blue how blue.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

from PIL import Image

from scripts.lib.models import exported_model, onnx_graph
from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.non_max_suppression import Settings

SIDE = 8
BOX_YXYX = (0.25, 0.1, 0.75, 0.6)
MAX_DETECTIONS = 5


NETWORK = f"""
<ir_version: 8, opset_import: ["": 13]>
made (float[n, {SIDE}, {SIDE}, 3] pixels) => (float[n, 1, 4] raw_boxes, float[n, 1, 3] raw_scores)
{{
  mean = ReduceMean <axes = [1, 2], keepdims = 0> (pixels)
  scale = Constant <value_float = {1 / 255:.9f}> ()
  share = Mul (mean, scale)
  shape = Constant <value_ints = [-1, 1, 3]> ()
  raw_scores = Reshape (share, shape)
  box = Constant <value_floats = [{", ".join(map(str, BOX_YXYX))}]> ()
  box_shape = Constant <value_ints = [1, 1, 4]> ()
  one_box = Reshape (box, box_shape)
  first = Constant <value_ints = [0, 1]> ()
  scores_shape = Shape (raw_scores)
  count = Gather (scores_shape, first)
  four = Constant <value_ints = [4]> ()
  boxes_shape = Concat <axis = 0> (count, four)
  raw_boxes = Expand (one_box, boxes_shape)
}}
"""


def write(folder: Path, **thresholds: float) -> Path:
    """Writes model.onnx, and score_thresholds.json where thresholds are given; returns the folder."""
    import onnx

    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(0.01, 0.6, MAX_DETECTIONS, MAX_DETECTIONS)
    model = onnx_graph.stand_alone(onnx.parser.parse_model(NETWORK), SIDE, SIDE, settings)
    metadata = ModelMetadata("made", {1: "Green", 2: "Blue"}, 7, SIDE, SIDE, settings)
    onnx.helper.set_model_props(model, metadata.to_text())
    onnx.save(model, str(folder / exported_model.ONNX))
    if thresholds:
        (folder / exported_model.SCORE_THRESHOLDS).write_text(json.dumps(thresholds), encoding="utf-8")
    return folder


def encoded_image(color=(0, 230, 0), size=(200, 100), format="PNG", **options) -> bytes:
    """Return an image file of one colour (red, green, blue)."""
    encoded = io.BytesIO()
    Image.new("RGB", size, color).save(encoded, format, **options)
    return encoded.getvalue()
