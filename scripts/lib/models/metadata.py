"""What a converted model says of itself (classes, input, suppression), so that no other file is needed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from scripts.lib.models.non_max_suppression import Settings

COLOR_ORDER = "RGB"
RESIZING = "bilinear, not antialiased, corners not aligned (TensorFlow 1's resize_images)"


@dataclasses.dataclass(frozen=True)
class ModelDescription:
    """What is stored in the model's file.

    Attributes:
        made_from: SHA-256 of the frozen graph.
        class_names: class id -> name.
        global_step: the training step of the checkpoint; None where it is not known.
        height, width: of the model's input, in pixels: float32 [batch, height, width, 3], 0..255, RGB, resized as
            RESIZING says. 0: the graph is whole and resizes by itself; its input is one image of any size, uint8
            [1, height, width, 3].
        suppression: what is to be done with the boxes that come out; None: the graph is whole and has done it.
    """

    made_from: str
    class_names: Mapping[int, str]
    global_step: int | None = None
    height: int = 0
    width: int = 0
    suppression: Settings | None = None

    def to_metadata(self) -> dict[str, str]:
        """Keys and values as ONNX keeps them: text."""
        values = {
            **dataclasses.asdict(self),
            "suppression": self.suppression and self.suppression._asdict(),
            "color_order": COLOR_ORDER,
            "resizing": RESIZING if self.height else "in the graph",
        }
        return {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> ModelDescription:
        """Reads what `to_metadata` gave.

        Raises:
            ValueError: the model was not made by this project.
        """
        missing = [field.name for field in dataclasses.fields(cls) if field.name not in metadata]
        if missing:
            raise ValueError(f"its metadata lack {', '.join(missing)}")
        values = {field.name: json.loads(metadata[field.name]) for field in dataclasses.fields(cls)}
        values["class_names"] = {int(class_id): name for class_id, name in values["class_names"].items()}
        values["suppression"] = values["suppression"] and Settings(**values["suppression"])
        return cls(**values)
