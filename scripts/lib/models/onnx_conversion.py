"""Convert an exported model's frozen graph to ONNX, which ONNX Runtime and OpenVINO run without TensorFlow.

Of an SSD, everything between the resized image and the proposed boxes is converted: convolutions, anchors, decoding,
score conversion. The API resizes and suppresses image by image in loops, which converters turn into something slow;
`resizing` and `non_max_suppression` do the same in numpy. Other models, such as Faster R-CNN, are converted whole.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from google.protobuf.message import Message

from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.dataset import label_map
from scripts.lib.models import exported_model, frozen_graph, metadata
from scripts.lib.models.frozen_graph import DETECTIONS, INTO_RESIZER, PROPOSALS, RESIZED
from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.non_max_suppression import Settings

OPSET = 13  # the first that takes all of an SSD; every ONNX Runtime and OpenVINO since 2021 reads it
# What the API calls the images, by the export's input_type: image_tensor, or encoded_image_string_tensor decoded.
_IMAGES = (frozen_graph.INPUT, "map/TensorArrayStack/TensorArrayGatherV3")
_TOLERANCE = 1e-3  # of normalised coordinates and scores, on noise
# Bytes of a graph that is converted whole: tf2onnx copies it, weights included, for each loop and in each pass. With
# 416 MB, of faster_rcnn_nas, it was still at its first passes after a minute; 52 MB, with Inception v2, are no trouble.
_MAX_BYTES = 2**28


class ConversionError(Exception):
    """The model cannot be converted, or a runtime cannot run it, for the reason that the message gives."""


def find_or_make(folder: Path) -> Path:
    """Return the ONNX file of an exported model, made once where it is missing or older than the frozen graph.

    Where the export cannot be written to, it is made in a temporary folder, for this run.

    Raises:
        ConversionError: it cannot be made.
    """
    made = folder / exported_model.ONNX
    graph = folder / exported_model.FROZEN_GRAPH
    if made.is_file() and (not graph.is_file() or is_made_from(made, graph)):
        return made
    if not graph.is_file():
        raise ConversionError(f"{files.shown_path(folder)} has neither {made.name} nor {graph.name}")
    print(f"Making {files.shown_path(made)} from the frozen graph, once", file=sys.stderr, flush=True)
    content = convert(folder)
    try:
        with files.atomic_write(made) as file:
            file.write(content)
    except OSError as error:
        scratch = Path(tempfile.mkdtemp(prefix="onnx_"))
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        made = scratch / exported_model.ONNX
        made.write_bytes(content)
        reason = f"{files.shown_path(folder)} cannot be written to ({error.strerror})"
        print(f"{reason}: model.onnx is kept only for this run", file=sys.stderr)
    return made


def is_made_from(onnx_model: Path, graph: Path) -> bool:
    """Return whether an ONNX file was made from this frozen graph: the metadata at its end hold the graph's hash."""
    with onnx_model.open("rb") as file:
        file.seek(max(onnx_model.stat().st_size - 2**20, 0))
        return f'"{files.sha256(graph)}"'.encode() in file.read()


def session(model: Path | bytes, num_threads: int = 0):
    """Return a quiet `onnxruntime.InferenceSession` on the CPU.

    Args:
        model: the file or its content.
        num_threads: that work on one image; 0: all cores; 1: the caller's.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = num_threads
    model = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def convert(folder: Path) -> bytes:
    """Return an exported model as ONNX, with its metadata, compared with the original on an image of noise.

    Args:
        folder: with frozen graph, pipeline config and label map.

    Raises:
        ConversionError: a library or operation is missing, the graph is too large, or the result differs.
    """
    try:
        import onnx
    except ImportError as error:
        raise ConversionError(f"{error.name} is not installed; python -m pip install onnx tf2onnx") from None
    graph_def = frozen_graph.read(folder)
    ssd = _ssd(folder, graph_def)
    if ssd:
        size = ssd["height"], ssd["width"]
        image = f"{_image_as_float(graph_def).name}:0"
        graph = _Graph(_without_resizer(graph_def, *size), image, PROPOSALS, PROPOSALS, (1, *size, 3), np.float32)
    else:
        num_bytes = (folder / exported_model.FROZEN_GRAPH).stat().st_size
        if num_bytes > _MAX_BYTES:
            raise ConversionError(f"its graph has {num_bytes / 1e6:.0f} MB, too many to convert in reasonable time")
        # Only the sorted scores are compared: detections of equal score may change places.
        compared = ("detection_scores", "num_detections")
        graph = _Graph(graph_def, f"{frozen_graph.INPUT}:0", DETECTIONS, compared, (1, 96, 96, 3), np.uint8)
    model = _convert_and_compare(graph)
    model_metadata = ModelMetadata(
        made_from=files.sha256(folder / exported_model.FROZEN_GRAPH),
        class_names={class_id: name for name, class_id in label_map.read(folder / exported_model.LABEL_MAP).items()},
        global_step=exported_model.global_step(folder),
        **ssd,
    )
    onnx.helper.set_model_props(model, model_metadata.to_text())
    return model.SerializeToString()


class _Graph(NamedTuple):
    """A graph to convert, from one input to its outputs."""

    graph_def: Message
    input: str
    outputs: tuple[str, ...]
    compared: tuple[str, ...]  # of the outputs
    input_shape: tuple[int, ...]
    dtype: type


def _ssd(folder: Path, graph_def: Message) -> dict:
    """Return height, width and suppression of an SSD whose resizer and suppression numpy can do; else nothing."""
    path = folder / exported_model.PIPELINE_CONFIG
    nodes = {node.name for node in graph_def.node}
    if not path.is_file() or not nodes.issuperset((*PROPOSALS, INTO_RESIZER, RESIZED[0])):
        return {}
    config = pipeline_config.read(path)
    size = metadata.fixed_input_size(config)
    resizer = config.model.ssd.image_resizer.fixed_shape_resizer
    suppression = config.model.ssd.post_processing.batch_non_max_suppression
    if (
        not size
        or resizer.resize_method != 0  # BILINEAR
        or resizer.convert_to_grayscale
        or suppression.soft_nms_sigma
        or suppression.use_class_agnostic_nms
        or suppression.use_partitioned_nms
        or suppression.use_combined_nms
    ):
        return {}
    return {
        "height": size[0],
        "width": size[1],
        "suppression": Settings(
            suppression.score_threshold,
            suppression.iou_threshold,
            suppression.max_detections_per_class,
            suppression.max_total_detections,
        ),
    }


def _image_as_float(graph_def: Message) -> Message:
    return next(node for node in graph_def.node if node.op == "Cast" and node.input[0] in _IMAGES)


def _without_resizer(graph_def: Message, height: int, width: int) -> Message:
    """Return the graph from resized images, float32 of 0..255, to proposals.

    The API scales the values (to -1..1, for a MobileNet) before it resizes. The scaling stays in the graph, behind what
    is now its input: it is the same for all pixels, so that the order makes no difference.
    """
    tf = import_tensorflow()
    graph_def = tf.GraphDef.FromString(graph_def.SerializeToString())
    image, resized = _image_as_float(graph_def), frozen_graph.node(graph_def, RESIZED[0])
    scaled = frozen_graph.scaled_image(graph_def)
    image.CopyFrom(type(image)(name=image.name, op="Placeholder"))
    image.attr["dtype"].type = tf.float32.as_datatype_enum
    image.attr["shape"].shape.CopyFrom(tf.TensorShape([None, height, width, 3]).as_proto())
    resized.CopyFrom(type(image)(name=resized.name, op="Identity", input=[scaled]))
    resized.attr["T"].type = tf.float32.as_datatype_enum
    return tf.graph_util.extract_sub_graph(graph_def, list(PROPOSALS))


def _convert_and_compare(graph: _Graph) -> Message:
    """Return the graph as ONNX.

    Raises:
        ConversionError: an operation has no ONNX form, or the outputs differ from the original's.
    """
    from tf2onnx import convert

    tf = import_tensorflow()
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    noise = np.random.default_rng(0).integers(0, 256, graph.input_shape).astype(graph.dtype)
    outputs = [f"{name}:0" for name in graph.outputs]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            model, _ = convert.from_graph_def(
                graph.graph_def, input_names=[graph.input], output_names=outputs, opset=OPSET
            )
        found = session(model.SerializeToString()).run(outputs, {graph.input: noise})
    except Exception as error:  # tf2onnx and ONNX Runtime raise all kinds
        raise ConversionError(f"{type(error).__name__}: {str(error).splitlines()[0][:200]}") from error
    with tf.Graph().as_default(), tf.Session() as tf_session:
        tf.import_graph_def(graph.graph_def, name="")
        expected = tf_session.run(outputs, {graph.input: noise})
    pairs = [(a, b) for name, a, b in zip(graph.outputs, found, expected, strict=True) if name in graph.compared]
    difference = max(np.abs(a - b).max() if a.shape == b.shape else np.inf for a, b in pairs)
    if not difference < _TOLERANCE:
        raise ConversionError(f"the converted model differs from the original by {difference:.2g}")
    return model
