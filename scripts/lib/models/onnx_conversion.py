"""An exported model's frozen graph as an ONNX file, which ONNX Runtime and OpenVINO run without TensorFlow.

Of an SSD, all between the resized image and the proposed boxes is converted: convolutions, anchors, decoding, score
conversion. The API maps the resizer and the suppression over the images one by one in loops, of which converters make
something slow; `resizing` and `non_max_suppression` do the same in numpy. Other models, Faster R-CNN above all, are
converted whole, loops included.
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
from scripts.lib.models import exported_model
from scripts.lib.models.metadata import ModelDescription
from scripts.lib.models.non_max_suppression import Settings

OPSET = 13  # the first that takes all of an SSD; every ONNX Runtime and OpenVINO since 2021 reads it
PROPOSALS = ("raw_detection_boxes", "raw_detection_scores")
DETECTIONS = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
# What the API calls the images, by the export's input_type: image_tensor, or encoded_image_string_tensor decoded.
_IMAGES = ("image_tensor", "map/TensorArrayStack/TensorArrayGatherV3")
# The API's resizer: a loop over the images, what goes in and what comes out.
_INTO_LOOP = "Preprocessor/map/TensorArrayUnstack/TensorArrayScatter/TensorArrayScatterV3"
_OUT_OF_LOOP = "Preprocessor/map/TensorArrayStack/TensorArrayGatherV3"
_TOLERANCE = 1e-3  # of normalised coordinates and scores, on noise
# Bytes of a graph that is converted whole: tf2onnx copies it, weights included, for each loop and in each pass. With
# 416 MB, of faster_rcnn_nas, it was still at its first passes after a minute; 52 MB, with Inception v2, are no trouble.
_MOST_BYTES = 2**28


class ConversionError(Exception):
    """The model cannot be converted, for the reason that it says."""


def find_or_make(folder: Path) -> Path:
    """The ONNX file of an exported model: the one beside the frozen graph, made once where it is missing or outdated.

    Where the export cannot be written to, it is made in a temporary folder, for this run.

    Raises:
        ConversionError: it cannot be made.
    """
    made = folder / exported_model.ONNX
    frozen_graph = folder / exported_model.FROZEN_GRAPH
    if made.is_file() and (not frozen_graph.is_file() or is_made_from(made, frozen_graph)):
        return made
    if not frozen_graph.is_file():
        raise ConversionError(f"{files.shown_path(folder)} has neither {made.name} nor {frozen_graph.name}")
    print(f"Making {files.shown_path(made)} of the frozen graph, once", file=sys.stderr, flush=True)
    content = convert(folder)
    try:
        with files.atomic_write(made) as file:
            file.write(content)
    except OSError as error:
        scratch = Path(tempfile.mkdtemp(prefix="onnx_"))
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        made = scratch / exported_model.ONNX
        made.write_bytes(content)
        print(
            f"{files.shown_path(folder)} cannot be written to ({error.strerror}): it is kept for this run alone",
            file=sys.stderr,
        )
    return made


def is_made_from(onnx_model: Path, frozen_graph: Path) -> bool:
    """Whether an ONNX file was made of this very graph: its end, where ONNX keeps metadata, has the graph's hash."""
    return f'"{files.sha256(frozen_graph)}"'.encode() in _tail(onnx_model)


def _tail(path: Path, size: int = 1 << 20) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - size, 0))
        return file.read()


def convert(folder: Path) -> bytes:
    """An exported model as ONNX, with its description in the metadata, compared with the original on an image of noise.

    Args:
        folder: with frozen graph, pipeline config and label map.

    Raises:
        ConversionError: a library or operation is missing, the graph is too large, or the result differs.
    """
    try:
        import onnx
    except ImportError as error:
        raise ConversionError(f"{error.name} is not installed; python -m pip install onnx tf2onnx") from None
    tf = import_tensorflow()
    graph_def = exported_model.frozen_graph(folder)
    ssd = _ssd(folder, {node.name for node in graph_def.node})
    if ssd:
        without_loops = _without_resizer(tf, graph_def, ssd.height, ssd.width)
        graph = _Graph(without_loops, f"{_image_as_float(graph_def).name}:0", PROPOSALS, (ssd.height, ssd.width))
    else:
        size = (folder / exported_model.FROZEN_GRAPH).stat().st_size
        if size > _MOST_BYTES:
            raise ConversionError(f"its graph has {size / 1e6:.0f} MB, too many to be converted in reasonable time")
        graph = _Graph(graph_def, "image_tensor:0", DETECTIONS, None)
    model = _convert(tf, graph)
    description = ModelDescription(
        made_from=files.sha256(folder / exported_model.FROZEN_GRAPH),
        class_names={class_id: name for name, class_id in label_map.read(folder / exported_model.LABEL_MAP).items()},
        global_step=exported_model.global_step(folder),
        **(ssd._asdict() if ssd else {}),
    )
    onnx.helper.set_model_props(model, description.to_metadata())
    return model.SerializeToString()


class _Ssd(NamedTuple):
    height: int
    width: int
    suppression: Settings


class _Graph(NamedTuple):
    graph_def: Message
    input: str
    outputs: tuple[str, ...]
    size: tuple[int, int] | None


def _ssd(folder: Path, node_names: set[str]) -> _Ssd | None:
    """What the pipeline config says of an SSD whose resizer and suppression numpy can do; None: of any other model."""
    path = folder / exported_model.PIPELINE_CONFIG
    if not path.is_file() or not node_names.issuperset((*PROPOSALS, _INTO_LOOP, _OUT_OF_LOOP)):
        return None
    model = pipeline_config.read(path).model
    resizer = model.ssd.image_resizer.fixed_shape_resizer
    suppression = model.ssd.post_processing.batch_non_max_suppression
    if (
        not model.ssd.image_resizer.HasField("fixed_shape_resizer")
        or resizer.resize_method != 0  # BILINEAR
        or resizer.convert_to_grayscale
        or suppression.soft_nms_sigma
        or suppression.use_class_agnostic_nms
        or suppression.use_partitioned_nms
        or suppression.use_combined_nms
    ):
        return None
    return _Ssd(
        resizer.height,
        resizer.width,
        Settings(
            suppression.score_threshold,
            suppression.iou_threshold,
            suppression.max_detections_per_class,
            suppression.max_total_detections,
        ),
    )


def scaled_image(graph_def: Message) -> str:
    """The node of an SSD's frozen graph with the images scaled to the feature extractor's range, not resized yet."""
    return _node(graph_def, _INTO_LOOP).input[2]


def _node(graph_def: Message, name: str) -> Message:
    return next(node for node in graph_def.node if node.name == name)


def _image_as_float(graph_def: Message) -> Message:
    return next(node for node in graph_def.node if node.op == "Cast" and node.input[0] in _IMAGES)


def _without_resizer(tf, graph_def: Message, height: int, width: int) -> Message:
    """The graph from resized images, float32 of 0..255, to proposals.

    The API scales the values (to -1..1, for a MobileNet) before it resizes. The scaling stays in the graph, behind what
    is now its input: it is the same for all pixels, so that the order makes no difference.
    """
    graph_def = tf.GraphDef.FromString(graph_def.SerializeToString())
    image, out_of_loop = _image_as_float(graph_def), _node(graph_def, _OUT_OF_LOOP)
    scaled = scaled_image(graph_def)
    image.CopyFrom(type(image)(name=image.name, op="Placeholder"))
    image.attr["dtype"].type = tf.float32.as_datatype_enum
    image.attr["shape"].shape.CopyFrom(tf.TensorShape([None, height, width, 3]).as_proto())
    out_of_loop.CopyFrom(type(image)(name=_OUT_OF_LOOP, op="Identity", input=[scaled]))
    out_of_loop.attr["T"].type = tf.float32.as_datatype_enum
    return tf.graph_util.extract_sub_graph(graph_def, list(PROPOSALS))


def _convert(tf, graph: _Graph) -> Message:
    """Converts and compares.

    Raises:
        ConversionError: an operation has no ONNX form, or what comes out differs from the original.
    """
    from tf2onnx import convert

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    outputs = [f"{name}:0" for name in graph.outputs]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            model, _ = convert.from_graph_def(
                graph.graph_def, input_names=[graph.input], output_names=outputs, opset=OPSET
            )
        found = _run_onnx(model.SerializeToString(), graph)
    except Exception as error:  # tf2onnx and ONNX Runtime raise all kinds
        raise ConversionError(f"{type(error).__name__}: {str(error).splitlines()[0][:200]}") from error
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph.graph_def, name="")
        expected = session.run(outputs, {graph.input: _noise(graph)})
    # Of a whole model the sorted scores alone: detections of equal score may change places.
    names = graph.outputs if graph.size else ("detection_scores", "num_detections")
    pairs = [(a, b) for name, a, b in zip(graph.outputs, found, expected, strict=True) if name in names]
    difference = max(np.abs(a - b).max() if a.shape == b.shape else np.inf for a, b in pairs)
    if not difference < _TOLERANCE:
        raise ConversionError(f"the converted model differs from the original by {difference:.2g}")
    return model


def _noise(graph: _Graph) -> np.ndarray:
    shape = (1, *(graph.size or (96, 96)), 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape)
    return pixels.astype(np.float32 if graph.size else np.uint8)


def _run_onnx(model: bytes, graph: _Graph) -> list[np.ndarray]:
    from scripts.lib.models.runtimes import onnx

    return onnx.session(model).run([f"{name}:0" for name in graph.outputs], {graph.input: _noise(graph)})
