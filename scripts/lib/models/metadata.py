"""The metadata in a converted model (classes, input, suppression), so that it needs no other file."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scripts.lib.config import pipeline_config
from scripts.lib.core import files, json_text
from scripts.lib.core.errors import UsageError
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.dataset import label_map
from scripts.lib.models import exported_model, frozen_graph
from scripts.lib.models.non_max_suppression import Settings

COLOR_ORDER = "RGB"
RESIZING = "bilinear, not antialiased, corners not aligned (TensorFlow 1's resize_images)"


_MAX_SIDE = 8192  # pixels; a lie would take the memory
_SHAPES = {
    "made_from": str,
    "class_names": {str: str},
    "global_step": (int, type(None)),
    "height": int,
    "width": int,
    "suppression": (
        {
            "score_threshold": float,
            "iou_threshold": float,
            "max_detections_per_class": int,
            "max_total_detections": int,
        },
        type(None),
    ),
}


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """The metadata in an ONNX or OpenVINO file.

    Attributes:
        made_from: SHA-256 of the frozen graph.
        class_names: class id -> name.
        global_step: the training step of the checkpoint; None where it is not known.
        height, width: of the model's input, float32 [batch, height, width, 3], 0..255, RGB, resized as RESIZING says.
            0: the graph resizes by itself; its input is one image of any size, uint8 [1, height, width, 3].
        suppression: to apply to the boxes that come out; None: the graph has done it.
    """

    made_from: str
    class_names: Mapping[int, str]
    global_step: int | None = None
    height: int = 0
    width: int = 0
    suppression: Settings | None = None

    def to_text(self) -> dict[str, str]:
        """Return keys and values as ONNX keeps them."""
        values = {
            **dataclasses.asdict(self),
            "suppression": self.suppression and self.suppression._asdict(),
            "color_order": COLOR_ORDER,
            "resizing": RESIZING if self.height else "in the graph",
        }
        return {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}

    @classmethod
    def from_text(cls, texts: Mapping[str, str]) -> ModelMetadata:
        """Return what `to_text` was called on.

        Raises:
            ValueError: the model was not made by this project.
        """
        if missing := [name for name in _SHAPES if name not in texts]:
            raise ValueError(f"its metadata lack {', '.join(missing)}")
        values = {}
        for name, shape in _SHAPES.items():
            try:
                values[name] = json_text.parse(texts[name], shape)
            except ValueError as error:
                raise ValueError(f"the {name} of its metadata {error}") from None
        names, suppression = values["class_names"], values["suppression"]
        has_ids = all(re.fullmatch("[1-9][0-9]{0,8}", class_id) for class_id in names)
        if not names or not has_ids or "" in names.values() or len(set(names.values())) < len(names):
            raise ValueError("the class_names of its metadata are not different names with the ids 1, 2, 3...")
        sides = values["height"], values["width"]
        if not (all(1 <= side <= _MAX_SIDE for side in sides) if suppression else sides == (0, 0)):
            raise ValueError(f"its metadata say that it takes images of {sides[1]}x{sides[0]} pixels")
        values["class_names"] = {int(class_id): name for class_id, name in names.items()}
        if suppression:
            values["suppression"] = settings = Settings(*(suppression[name] for name in Settings._fields))
            if not 0 <= settings.iou_threshold <= 1 or min(settings[2:]) < 1:
                raise ValueError(f"its metadata say to suppress by {settings}")
        return cls(**values)


def fixed_input_size(config: pipeline_config.Message) -> tuple[int, int] | None:
    """Return height and width of the images to which an SSD resizes all others; None for any other model."""
    resizer = config.model.ssd.image_resizer
    if not config.model.HasField("ssd") or not resizer.HasField("fixed_shape_resizer"):
        return None
    return resizer.fixed_shape_resizer.height, resizer.fixed_shape_resizer.width


def class_names(folder: Path) -> dict[int, str]:
    """Return class id -> the name that people read, by an exported model's label map."""
    return label_map.display_names(folder / exported_model.LABEL_MAP)


def label_names(folder: Path) -> dict[str, str]:
    """Return the name that people read -> the name in annotations, by an exported model's label map."""
    return label_map.names_by_display(folder / exported_model.LABEL_MAP)


def write_json(config: pipeline_config.Message, folder: Path) -> None:
    """Write model.json into an exported model's folder, for formats whose files hold no metadata."""
    model_input: dict[str, Any] = {"color_order": COLOR_ORDER}
    if size := fixed_input_size(config):
        model_input |= {"height": size[0], "width": size[1], "resizing": RESIZING, **_scaling(folder)}
    values = {
        "class_names": class_names(folder),
        "global_step": exported_model.global_step(folder),
        "input": model_input,
    }
    text = json.dumps(values, ensure_ascii=False, indent=2)
    (folder / exported_model.METADATA).write_text(f"{text}\n", encoding="utf-8")


def read_json(folder: Path) -> dict[str, Any]:
    """Return what `write_json` wrote; raise UsageError where it did not.

    Its "input" holds color_order, and of an SSD height, width, resizing, and for each channel scale and offset:
    value = pixel * scale + offset, with pixels of 0..255.
    """
    path = folder / exported_model.METADATA
    try:
        return json_text.read(path, {name: _SHAPES[name] for name in ("class_names", "global_step")} | {"input": dict})
    except ValueError as error:
        raise UsageError(f"{files.shown_path(path)} {error}; export the model again") from None


def _scaling(folder: Path) -> dict[str, list[float]]:
    """Return scale and offset of the feature extractor's channels, by asking the frozen graph for black and white."""
    tf = import_tensorflow()
    graph_def = frozen_graph.read(folder)
    pixels = np.zeros((2, 1, 1, 3), np.uint8)
    pixels[1] = 255
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        scaled = f"{frozen_graph.scaled_image(graph_def)}:0"
        black, white = session.run(scaled, {f"{frozen_graph.INPUT}:0": pixels}).reshape(2, 3)
    return {"scale": ((white - black) / 255).tolist(), "offset": black.tolist()}
