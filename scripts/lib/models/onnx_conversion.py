"""Convert an exported model's frozen graph to ONNX, which ONNX Runtime and OpenVINO run without TensorFlow.

Of an SSD, the network between the resized image and the proposed boxes is converted: convolutions, anchors, decoding,
score conversion. The API resizes and suppresses image by image in loops, which converters turn into something slow;
`onnx_graph` puts ONNX's own operations in their place. Other models, such as Faster R-CNN, are converted whole.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from google.protobuf.message import Message

from scripts.lib.config import pipeline_config
from scripts.lib.core import files, parallel
from scripts.lib.core.errors import UsageError
from scripts.lib.core.tensorflow import import_tensorflow, is_verbose
from scripts.lib.environment import packages
from scripts.lib.models import exported_model, frozen_graph, metadata, onnx_graph
from scripts.lib.models.frozen_graph import DETECTIONS, INTO_RESIZER, PROPOSALS, RESIZED
from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.non_max_suppression import Settings

OPSET = 13  # the first that takes all of an SSD; every ONNX Runtime and OpenVINO since 2021 reads it
# What the API calls the images, by the export's input_type: image_tensor, or encoded_image_string_tensor decoded.
_IMAGES = (frozen_graph.INPUT, "map/TensorArrayStack/TensorArrayGatherV3")
_FORM = "stand-alone"  # files in another form are made again
CPU_PROVIDER = "CPUExecutionProvider"
_WITH_PROVIDER = {
    "CUDAExecutionProvider": "onnxruntime-gpu (pip uninstall onnxruntime first), CUDA and cuDNN",
    "DmlExecutionProvider": "onnxruntime-directml on Windows (pip uninstall onnxruntime first)",
    "CoreMLExecutionProvider": "onnxruntime on macOS",
}
_TOLERANCE = 1e-3  # of normalised coordinates and scores, on noise
_MAX_BYTES = 2**28  # of a graph that is converted whole, weights included: tf2onnx copies it for each loop and pass


class ConversionError(Exception):
    """The model cannot be converted, or a runtime cannot run it, for the reason that the message gives."""


def find_or_make(folder: Path) -> Path:
    """Return the ONNX file of an exported model, made once where it is missing or older than the frozen graph.

    Raises:
        ConversionError: it cannot be made, or not be written.
    """
    made = folder / exported_model.ONNX
    graph = folder / exported_model.FROZEN_GRAPH
    if is_current(folder, made.name):
        return made
    if not graph.is_file():
        raise ConversionError(f"{files.shown_path(folder)} has neither {made.name} nor {graph.name}")
    print(f"Making {files.shown_path(made)} from the frozen graph, once", file=sys.stderr, flush=True)
    try:
        with files.atomic_write(made) as file:
            file.write(convert(folder))
    except OSError as error:
        raise ConversionError(f"{files.shown_path(made)} cannot be written: {error.strerror}") from error
    return made


def find_int8(folder: Path) -> Path:
    """Return the ONNX file in 8-bit integers; raise ConversionError where it is missing."""
    path = folder / exported_model.ONNX_INT8
    if not path.is_file():
        raise ConversionError(f"there is no {path.name}, which export_model.py --formats onnx_int8 makes")
    return path


def is_current(folder: Path, name: str) -> bool:
    """Return whether an ONNX file of an exported model is there, and made from its frozen graph, where that is there.

    The graph's hash is in the file's metadata.
    """
    path, graph = folder / name, folder / exported_model.FROZEN_GRAPH
    return path.is_file() and (not graph.is_file() or f'"{_origin(graph)}"'.encode() in path.read_bytes())


def _origin(graph: Path) -> str:
    return f"{_FORM} {files.sha256(graph)}"


def session(model: bytes, num_threads: int = 0, providers: Sequence[str] = ()):
    """Return a quiet `onnxruntime.InferenceSession`.

    Args:
        model: content of the file.
        num_threads: that work on one image; 0: all cores that this process may use; 1: the caller's.
        providers: execution providers, the best first; what they cannot run, the CPU does, and by default all of it.

    Raises:
        UsageError: a provider is not there, or does not start.
    """
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if missing := [name for name in providers if name not in available]:
        remedies = [f"{name} comes with {_WITH_PROVIDER.get(name, 'another build, if at all')}" for name in missing]
        raise UsageError(f"this ONNX Runtime has the providers {', '.join(available)}; {'; '.join(remedies)}")
    onnxruntime.disable_telemetry_events()  # Windows' own
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    cores = parallel.available_cores()
    if cores < (os.cpu_count() or 1):  # 0 would be all of the machine's, to which it pins its threads
        num_threads = num_threads or cores
    options.intra_op_num_threads = num_threads
    made = onnxruntime.InferenceSession(model, options, providers=list(providers) or [CPU_PROVIDER])
    if idle := [name for name in providers if name not in made.get_providers()]:
        raise UsageError(f"provider {', '.join(idle)} does not start: its drivers or libraries are missing, or too old")
    return made


def convert(folder: Path) -> bytes:
    """Return an exported model as ONNX, with its metadata, compared with the original on an image of noise.

    Raises:
        ConversionError: a library or operation is missing, the graph is too large, or the result differs.
    """
    if missing := [name for name in ("onnx", "tf2onnx") if not packages.is_installed(name)]:
        raise ConversionError(packages.how_to_install(*missing))
    import onnx

    graph_def = frozen_graph.read(folder)
    random = np.random.default_rng(0)
    if ssd := _ssd(folder, graph_def):
        height, width = ssd["height"], ssd["width"]
        noise = random.integers(0, 256, (1, height, width, 3)).astype(np.float32)
        image = _image_as_float(graph_def).name
        network = _convert_and_compare(_without_resizer(graph_def, height, width), image, PROPOSALS, PROPOSALS, noise)
        model = onnx_graph.stand_alone(network, height, width, ssd["suppression"])
    else:
        num_bytes = (folder / exported_model.FROZEN_GRAPH).stat().st_size
        if num_bytes > _MAX_BYTES:
            raise ConversionError(f"its graph has {num_bytes / 1e6:.0f} MB, too many to convert in reasonable time")
        noise = random.integers(0, 256, (1, 96, 96, 3), np.uint8)
        # Only the sorted scores are compared: detections of equal score may change places.
        compared = ("detection_scores", "num_detections")
        model = _convert_and_compare(graph_def, frozen_graph.INPUT, DETECTIONS, compared, noise)
        onnx_graph.rename_ends(model)
    model_metadata = ModelMetadata(
        made_from=_origin(folder / exported_model.FROZEN_GRAPH),
        class_names=metadata.class_names(folder),
        global_step=exported_model.global_step(folder),
        **ssd,
    )
    onnx.helper.set_model_props(model, model_metadata.to_text())
    return model.SerializeToString()


def _ssd(folder: Path, graph_def: Message) -> dict:
    """Return height, width and suppression of an SSD whose resizer and suppression numpy can do; else nothing."""
    path = folder / exported_model.PIPELINE_CONFIG
    nodes = {node.name for node in graph_def.node}
    if not (path.is_file() and nodes.issuperset((*PROPOSALS, INTO_RESIZER, RESIZED)) and _image_as_float(graph_def)):
        return {}
    config = pipeline_config.read(path)
    size = metadata.fixed_input_size(config)
    resizer = config.model.ssd.image_resizer.fixed_shape_resizer
    suppression = config.model.ssd.post_processing.batch_non_max_suppression
    other_kinds = ("soft_nms_sigma", "use_class_agnostic_nms", "use_partitioned_nms", "use_combined_nms")
    if (
        not size
        or resizer.resize_method != 0  # BILINEAR
        or resizer.convert_to_grayscale
        or any(getattr(suppression, name) for name in other_kinds)
    ):
        return {}
    settings = Settings(*(getattr(suppression, name) for name in Settings._fields))
    return {"height": size[0], "width": size[1], "suppression": settings}


def _image_as_float(graph_def: Message) -> Message | None:
    return next((node for node in graph_def.node if node.op == "Cast" and node.input[0] in _IMAGES), None)


def _without_resizer(graph_def: Message, height: int, width: int) -> Message:
    """Return the graph from resized images, float32 of 0..255, to proposals.

    The API scales the values before it resizes. The scaling stays, behind what is now the input: the order makes no
    difference.
    """
    tf = import_tensorflow()
    graph_def = tf.GraphDef.FromString(graph_def.SerializeToString())
    image, resized = _image_as_float(graph_def), frozen_graph.node(graph_def, RESIZED)
    scaled = frozen_graph.scaled_image(graph_def)
    image.CopyFrom(type(image)(name=image.name, op="Placeholder"))
    image.attr["dtype"].type = tf.float32.as_datatype_enum
    image.attr["shape"].shape.CopyFrom(tf.TensorShape([None, height, width, 3]).as_proto())
    resized.CopyFrom(type(image)(name=resized.name, op="Identity", input=[scaled]))
    resized.attr["T"].type = tf.float32.as_datatype_enum
    return tf.graph_util.extract_sub_graph(graph_def, list(PROPOSALS))


def _convert_and_compare(
    graph_def: Message, image: str, outputs: Sequence[str], compared: Sequence[str], noise: np.ndarray
) -> Message:
    """Return a graph as ONNX.

    Args:
        graph_def: the graph.
        image: its input, by name.
        outputs, compared: names of its outputs, and of those to compare.
        noise: input to compare them on.

    Raises:
        ConversionError: an operation has no ONNX form, or the outputs differ from the original's.
    """
    from tf2onnx import convert

    tf = import_tensorflow()
    if not is_verbose():
        logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # an error is raised, too
    inputs, outputs, compared = ([f"{name}:0" for name in names] for names in ([image], outputs, compared))
    try:
        model, _ = convert.from_graph_def(graph_def, input_names=inputs, output_names=outputs, opset=OPSET)
        found = session(model.SerializeToString()).run(compared, {inputs[0]: noise})
    except Exception as error:  # tf2onnx and ONNX Runtime raise all kinds
        raise ConversionError(f"{type(error).__name__}: {str(error).splitlines()[0][:200]}") from error
    with tf.Graph().as_default(), tf.Session() as tf_session:
        tf.import_graph_def(graph_def, name="")
        expected = tf_session.run(compared, {inputs[0]: noise})
    pairs = zip(found, expected, strict=True)
    difference = max(np.abs(a - b).max() if a.shape == b.shape else np.inf for a, b in pairs)
    if not difference < _TOLERANCE:
        raise ConversionError(f"the converted model differs from the original by {difference:.2g}")
    return model
