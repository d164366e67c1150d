"""TensorFlow Serving's REST form, for a model whose one input takes the bytes of image files.

As its documentation has it (tensorflow/serving, g3doc/api_rest.md): what a request may look like, and what answers it.
The signature is the one that export_inference_graph.py --input_type encoded_image_string_tensor gives a SavedModel.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

INPUT = "inputs"
SIGNATURE = "serving_default"


class RequestError(Exception):
    """A request that cannot be answered.

    Args:
        status: HTTP's.
        message: what is wrong.
        headers: of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


class PredictRequest(NamedTuple):
    """What a :predict asks for.

    Attributes:
        pictures: bytes of image files.
        is_row: whether it came, and is answered, in the row format (instances, predictions), else by columns.
    """

    pictures: list[bytes]
    is_row: bool


def parse(body: bytes, max_pictures: int) -> PredictRequest:
    """Reads the body of a :predict.

    The row format {"instances": [{"b64": "..."}, ...]}, or the column format {"inputs": [{"b64": "..."}, ...]}; an
    instance, and the value of "inputs", may also name the input: {"inputs": ...}. One picture that stands in no list
    counts as a list of one.

    Raises:
        RequestError: it is none.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"JSON Parse error: {error}") from None
    if not isinstance(request, dict):
        raise RequestError(400, f"the body has to be a JSON object, not {_kind(request)}")
    signature = request.get("signature_name") or SIGNATURE
    if signature != SIGNATURE:
        raise RequestError(400, f"there is no signature {_shown(signature)}; the model has {SIGNATURE!r}")
    if ("instances" in request) == ("inputs" in request):
        raise RequestError(400, 'the body has to have either "instances" or "inputs"')
    is_row = "instances" in request
    if is_row:
        given = request["instances"]
        if not isinstance(given, list):
            raise RequestError(400, f'"instances" has to be a list, not {_kind(given)}')
        given = [_without_name(instance) for instance in given]
    else:
        given = _without_name(request["inputs"])
        given = given if isinstance(given, list) else [given]
    if not 1 <= len(given) <= max_pictures:
        raise RequestError(413 if given else 400, f"{len(given)} pictures; a request has 1 to {max_pictures}")
    return PredictRequest([_decoded(value, number) for number, value in enumerate(given)], is_row)


def _without_name(value: Any) -> Any:
    return value[INPUT] if isinstance(value, dict) and value.keys() == {INPUT} else value


def _decoded(value: Any, number: int) -> bytes:
    """The bytes of {"b64": "..."}; white space and a missing padding are taken, as Serving does."""
    text = value.get("b64") if isinstance(value, dict) and value.keys() == {"b64"} else None
    if not isinstance(text, str):
        raise RequestError(400, f'picture {number} has to be {{"b64": "..."}}, the base64 of an image file')
    text = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise RequestError(400, f"picture {number} is no valid base64") from None


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return kinds.get(type(value), "a number")


def _shown(value: Any) -> str:
    return json.dumps(value)[:100]


def response(outputs: Sequence[Mapping[str, np.ndarray]], is_row: bool) -> dict[str, Any]:
    """What answers a :predict.

    Args:
        outputs: of each picture, by name, without a batch dimension.
        is_row: the format of the request.
    """
    if is_row:
        return {"predictions": [{name: value.tolist() for name, value in one.items()} for one in outputs]}
    return {"outputs": {name: [one[name].tolist() for one in outputs] for name in outputs[0]}}


def status(version: int) -> dict[str, Any]:
    """What answers GET /v1/models/NAME (GetModelStatusResponse)."""
    available = {"error_code": "OK", "error_message": ""}
    return {"model_version_status": [{"version": str(version), "state": "AVAILABLE", "status": available}]}


def metadata(name: str, version: int, output_shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """What answers GET /v1/models/NAME/metadata (GetModelMetadataResponse).

    Args:
        name, version: of the model.
        output_shapes: without the batch dimension; all outputs are float32.
    """
    inputs = {INPUT: _tensor("encoded_image_string_tensor:0", "DT_STRING", ())}
    outputs = {name: _tensor(f"{name}:0", "DT_FLOAT", shape) for name, shape in output_shapes.items()}
    signature = {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
    definitions = {
        "@type": "type.googleapis.com/tensorflow.serving.SignatureDefMap",
        "signature_def": {SIGNATURE: signature},
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": definitions},
    }


def _tensor(name: str, dtype: str, shape: Sequence[int]) -> dict[str, Any]:
    """TensorInfo, as protobuf writes it as JSON: 64-bit integers are strings."""
    dimensions = [{"size": str(size), "name": ""} for size in (-1, *shape)]
    return {"dtype": dtype, "tensor_shape": {"dim": dimensions, "unknown_rank": False}, "name": name}


def encode(content: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
