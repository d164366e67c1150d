"""Quantize an exported model's ONNX file to 8-bit integers, by ONNX Runtime's static quantization.

Weights have 7 bits of the 8: with all 8, CPUs without VNNI add products in 16 bits, which then saturate. Only the
convolutions and what lies between them are quantized; decoding boxes and scores stays in float32. So do the first three
convolutions: they see few channels, and cause a fifth to a half of the scores' error for 1 to 9% of the time.
"""

from __future__ import annotations

import itertools
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from google.protobuf.message import Message

from scripts.lib.models import exported_model, onnx_graph, resizing
from scripts.lib.models.onnx_conversion import ConversionError

OPERATIONS = ["Conv", "Clip", "Relu", "Add", "Concat", "MaxPool", "AveragePool"]
NUM_FLOAT = 3  # of the first convolutions


def write(folder: Path, images_rgb: Sequence[np.ndarray]) -> None:
    """Write model_int8.onnx beside model.onnx.

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
    quantized = _quantize(encoded, inputs)
    model = onnx_graph.stand_alone(quantized, *size, model_metadata.suppression)
    onnx.helper.set_model_props(model, model_metadata.to_text() | {"calibration_images": str(len(inputs))})
    onnx.save(model, folder / exported_model.ONNX_INT8)


def _left_in_float(network: Message) -> list[str]:
    """Return the names of the nodes that stay in float32: the first convolutions, and what follows the last ones."""
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
    quantized = {*feeding, *(node.name for node in convolutions)}
    decoding = [node.name for node in network.graph.node if node.name not in quantized]
    return [node.name for node in convolutions[:NUM_FLOAT]] + decoding


def _quantize(network: bytes, inputs: Sequence[np.ndarray]) -> Message:
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
                nodes_to_exclude=_left_in_float(onnx.load_from_string(network)),
                per_channel=True,
                reduce_range=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
        finally:
            logging.disable(logging.NOTSET)
        return onnx.load(quantized)
