"""Quantize an exported model's ONNX file to 8-bit integers, by ONNX Runtime's static quantization.

Weights have 7 bits of the 8: with all 8, CPUs without VNNI add products in 16 bits, which then saturate. Only the
convolutions and what lies between them are quantized; decoding boxes and scores stays in float32.
"""

from __future__ import annotations

import itertools
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from google.protobuf.message import Message

from scripts.lib.models import exported_model, onnx_conversion, onnx_graph, resizing
from scripts.lib.models.onnx_conversion import ConversionError

OPERATIONS = ["Conv", "Clip", "Relu", "Add", "Concat", "MaxPool", "AveragePool"]


MIN_SCORE = 0.1  # only proposals with at least this score are compared
MAX_SCORE_DIFFERENCE = 0.1  # of 95% of them


def write(folder: Path, images_rgb: Sequence[np.ndarray]) -> None:
    """Write model_int8.onnx beside model.onnx.

    Where the scores on the images differ too much, the convolutions that lose most stay in float32: the first three,
    which see few channels, and the predictors' last ones.

    Args:
        folder: of the exported model, an SSD with model.onnx.
        images_rgb: whose values set the ranges of the 8-bit integers, uint8 [any height, any width, 3].

    Raises:
        ConversionError: the graph resizes or suppresses by itself.
    """
    import onnx

    encoded, model_metadata = onnx_graph.read_network(folder / exported_model.ONNX)
    if model_metadata.suppression is None:
        raise ConversionError("its resizing or its suppression is of another kind than ONNX has")
    size = model_metadata.height, model_metadata.width
    inputs = [resizing.bilinear(image, *size)[np.newaxis] for image in images_rgb]
    decoding, sensitive = _left_in_float(onnx.load_from_string(encoded))
    quantized = _quantize(encoded, inputs, decoding)
    if score_difference(encoded, quantized.SerializeToString(), inputs) > MAX_SCORE_DIFFERENCE:
        quantized = _quantize(encoded, inputs, decoding + sensitive)
    model = onnx_graph.stand_alone(quantized, *size, model_metadata.suppression)
    onnx.helper.set_model_props(model, model_metadata.to_text() | {"calibration_images": str(len(inputs))})
    onnx.save(model, folder / exported_model.ONNX_INT8)


def score_difference(network: bytes, quantized: bytes, inputs: Sequence[np.ndarray]) -> float:
    """Return the difference that 95% of the best scores of proposals stay below, 0 where no score is MIN_SCORE."""
    sessions = onnx_conversion.session(network), onnx_conversion.session(quantized)
    differences = [np.zeros(1)]
    for values in inputs:
        expected, found = (session.run(None, {onnx_graph.RESIZED: values})[1][..., 1:].max(-1) for session in sessions)
        differences.append(np.abs(expected - found)[expected >= MIN_SCORE])
    return float(np.quantile(np.concatenate(differences), 0.95))


def _left_in_float(network: Message) -> tuple[list[str], list[str]]:
    """Return the names of the nodes behind the last convolutions, and of the convolutions that lose most."""
    producers = {output: node for node in network.graph.node for output in node.output}

    def before(node: Message) -> Iterator[Message]:
        return (producers[name] for name in node.input if name in producers)

    convolutions = [node for node in network.graph.node if node.op_type == "Conv"]
    feeding: dict[str, Message] = {}  # by name, what some convolution takes in
    stack = list(itertools.chain.from_iterable(map(before, convolutions)))
    while stack:
        node = stack.pop()
        if node.name not in feeding:
            feeding[node.name] = node
            stack += before(node)
    last = [node.name for node in convolutions if node.name not in feeding]
    decoding = [node.name for node in network.graph.node if node.name not in {*feeding, *last}]
    return decoding, [node.name for node in convolutions[:3]] + last


def _quantize(network: bytes, inputs: Sequence[np.ndarray], left_out: Sequence[str]) -> Message:
    """Return a network in 8-bit integers, calibrated on inputs float32 [1, height, width, 3]."""
    import onnx
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self._feeds = ({onnx_graph.RESIZED: values} for values in inputs)

        def get_next(self):
            return next(self._feeds, None)

    with tempfile.TemporaryDirectory() as scratch:
        model, quantized = Path(scratch, "float.onnx"), Path(scratch, "int8.onnx")
        model.write_bytes(network)
        logging.disable(logging.WARNING)  # its advice to optimize the network before; tf2onnx has done it
        try:
            quantization.quantize_static(
                model,
                quantized,
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=OPERATIONS,
                nodes_to_exclude=list(left_out),
                per_channel=True,
                reduce_range=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
        finally:
            logging.disable(logging.NOTSET)
        return onnx.load(quantized)
