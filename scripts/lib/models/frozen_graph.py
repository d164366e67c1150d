"""The frozen graph that the Object Detection API's exporter writes: reading it, and its nodes by name."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError, Message

from scripts.lib.core import files
from scripts.lib.core.errors import UsageError
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.models import exported_model

INPUT = "image_tensor"
DETECTIONS = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
PROPOSALS = ("raw_detection_boxes", "raw_detection_scores")  # an SSD's, before its suppression
# An SSD resizes its images one by one, in a loop. In go images scaled to the feature extractor's range.
RESIZED = "Preprocessor/map/TensorArrayStack/TensorArrayGatherV3"
INTO_RESIZER = "Preprocessor/map/TensorArrayUnstack/TensorArrayScatter/TensorArrayScatterV3"


def read(folder: Path) -> Message:
    """Return an exported model's frozen graph, a TensorFlow GraphDef; raise UsageError where the file is not one."""
    path = folder / exported_model.FROZEN_GRAPH
    try:
        return import_tensorflow().GraphDef.FromString(path.read_bytes())
    except DecodeError:
        shown = files.shown_path(path)
        raise UsageError(f"{shown} is damaged, or not a frozen graph; export the model again") from None


def node(graph_def: Message, name: str) -> Message:
    """Return the node of that name."""
    return next(node for node in graph_def.node if node.name == name)


def scaled_image(graph_def: Message) -> str:
    """Return the name of an SSD's node with the images scaled to the feature extractor's range, before resizing."""
    return node(graph_def, INTO_RESIZER).input[2]
