"""The two ends of an ONNX file: resizing before the network and non-maximum suppression after it.

With them the file stands alone: a photo goes in, detections come out, in any program that runs ONNX. The project's own
runtimes take the network between them and do both in numpy: of COCO's 90 classes, ONNX Runtime's suppression
took twice as long as the network.
"""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import Message

from scripts.lib.models.frozen_graph import DETECTIONS, PROPOSALS
from scripts.lib.models.metadata import ModelMetadata
from scripts.lib.models.non_max_suppression import Settings

IMAGE = "image"
RESIZED = "resized_image"  # float32 [batch, height, width, 3], RGB, 0..255: what goes into the network
_IR_VERSION = 8  # of ONNX 1.10 and all since

# TensorFlow 1's resize_images: corners not aligned, not antialiased.
_RESIZE = """
<ir_version: {ir_version}, opset_import: ["": {opset}]>
resize (uint8[batch, image_height, image_width, 3] image) => (float[batch, {height}, {width}, 3] resized_image)
{{
  image_shape = Shape (image)
  first = Constant <value_ints = [0]> ()
  batch_size = Gather (image_shape, first)
  resized_shape = Constant <value_ints = [{height}, {width}, 3]> ()
  sizes = Concat <axis = 0> (batch_size, resized_shape)
  pixels = Cast <to = 1> (image)
  resized_image = Resize <mode = "linear", coordinate_transformation_mode = "asymmetric"> (pixels, , , sizes)
}}
"""

# The API's multi-class suppression. Boxes are clipped after it; those that then have no area go, by a score of 0.
_SUPPRESS = """
<ir_version: {ir_version}, opset_import: ["": {opset}]>
suppress (
  float[batch, proposals, 4] proposed_boxes, float[batch, proposals, scored_classes] proposed_scores
) => (
  float[batch, detections, 4] detection_boxes, float[batch, detections] detection_scores,
  int64[batch, detections] detection_classes, int64[batch] num_detections
)
<
  float[batch, proposals, 4] raw_detection_boxes, float[batch, proposals, scored_classes] raw_detection_scores
>
{{
  raw_detection_boxes = Identity (proposed_boxes)
  raw_detection_scores = Identity (proposed_scores)

  one = Constant <value_ints = [1]> ()
  last_axis = Constant <value_ints = [2]> ()
  end = Constant <value_ints = [{end}]> ()
  without_background = Slice (raw_detection_scores, one, end, last_axis)
  scores = Transpose <perm = [0, 2, 1]> (without_background)

  per_class = Constant <value_ints = [{settings.max_detections_per_class}]> ()
  iou = Constant <value_floats = [{settings.iou_threshold}]> ()
  score = Constant <value_floats = [{settings.score_threshold:.9f}]> ()
  kept = NonMaxSuppression (raw_detection_boxes, scores, per_class, iou, score)
  kept_scores = GatherND (scores, kept)
  scores_shape = Shape (scores)
  zeros = ConstantOfShape (scores_shape)
  all_scores = ScatterND (zeros, kept, kept_scores)

  zero = Constant <value_float = 0.0> ()
  full = Constant <value_float = 1.0> ()
  boxes = Clip (raw_detection_boxes, zero, full)
  ymin, xmin, ymax, xmax = Split <axis = 2> (boxes)
  is_high = Greater (ymax, ymin)
  is_wide = Greater (xmax, xmin)
  has_area = And (is_high, is_wide)
  has_area_number = Cast <to = 1> (has_area)
  area_by_class = Transpose <perm = [0, 2, 1]> (has_area_number)
  visible_scores = Mul (all_scores, area_by_class)

  flat = Constant <value_ints = [0, -1]> ()
  flat_scores = Reshape (visible_scores, flat)
  flat_shape = Shape (flat_scores)
  num_flat = Gather (flat_shape, one)
  most = Constant <value_ints = [{settings.max_total_detections}]> ()
  num_best = Min (num_flat, most)
  detection_scores, places = TopK (flat_scores, num_best)
  num_proposals = Gather (scores_shape, last_axis)
  classes = Div (places, num_proposals)
  detection_classes = Add (classes, one)
  class_starts = Mul (classes, num_proposals)
  numbers = Sub (places, class_starts)
  inner = Constant <value_ints = [-1]> ()
  box_numbers = Unsqueeze (numbers, inner)
  detection_boxes = GatherND <batch_dims = 1> (boxes, box_numbers)
  is_found = Greater (detection_scores, zero)
  is_found_number = Cast <to = 7> (is_found)
  num_detections = ReduceSum <keepdims = 0> (is_found_number, one)
}}
"""


def stand_alone(network: Message, height: int, width: int, settings: Settings) -> Message:
    """Return a network from resized images to proposals with both ends put on.

    Args:
        network: an ONNX model with one input, float32 [batch, height, width, 3], and PROPOSALS as outputs.
        height, width: of its input.
        settings: of the suppression.

    Returns:
        A model with the input image, uint8 [batch, any height, any width, 3], RGB, and the outputs detection_boxes,
        float32 [batch, N, 4] (ymin, xmin, ymax, xmax, 0..1 of the image), detection_scores, float32 [batch, N], best
        first, detection_classes, int64 [batch, N] (ids of the label map), and num_detections, int64 [batch]: what lies
        behind that many has a score of 0.
    """
    from onnx import TensorProto, compose, helper, parser

    values = {"ir_version": _IR_VERSION, "opset": network.opset_import[0].version, "end": 2**31 - 1}
    values |= {"height": height, "width": width, "settings": settings}
    resize, suppress = (parser.parse_model(text.format(**values)) for text in (_RESIZE, _SUPPRESS))
    network = compose.add_prefix(network, "network/")  # a copy, whose names are not those of the ends
    network.ir_version = _IR_VERSION
    links = zip((output.name for output in network.graph.output), ("proposed_boxes", "proposed_scores"), strict=True)
    model = compose.merge_models(resize, network, [(RESIZED, network.graph.input[0].name)])
    model = compose.merge_models(model, suppress, list(links))
    resized = helper.make_tensor_value_info(RESIZED, TensorProto.FLOAT, ["batch", height, width, 3])
    model.graph.value_info.append(resized)  # there `read_network` cuts
    model.graph.name = "detector"
    del model.opset_import[:]  # of all three
    model.opset_import.extend(network.opset_import)
    return model


def read_network(path: Path) -> tuple[bytes, ModelMetadata]:
    """Return the network of an ONNX file without its ends, where it has any, and the file's metadata.

    Raises:
        Exception: the file is damaged (onnx raises all kinds), or was not made by this project; it needs operations
            other than ONNX's own, or weights from outside its folder.
    """
    import onnx
    from onnx.utils import Extractor

    model = onnx.load(path)
    if domains := sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"}):
        raise ValueError(f"it has operations of {', '.join(domains)}; only those of ONNX itself are run")
    metadata = ModelMetadata.from_text({entry.key: entry.value for entry in model.metadata_props})
    has_ends = RESIZED in {value.name for value in model.graph.value_info}  # in files of earlier versions: no
    if metadata.suppression is None or not has_ends:
        return model.SerializeToString(), metadata
    network = Extractor(model).extract_model([RESIZED], list(PROPOSALS))
    network.metadata_props.extend(model.metadata_props)
    return network.SerializeToString(), metadata


def rename_ends(model: Message) -> None:
    """Give a model that was converted whole the names and types that `stand_alone` says."""
    from onnx import TensorProto, helper

    graph = model.graph
    (image,) = graph.input
    graph.node.insert(0, helper.make_node("Identity", [IMAGE], [image.name]))
    image.name = IMAGE
    for output, name in zip(graph.output, DETECTIONS, strict=True):
        number_type = TensorProto.INT64 if name in ("detection_classes", "num_detections") else TensorProto.FLOAT
        graph.node.append(helper.make_node("Cast", [output.name], [name], to=number_type))
        output.name = name
        output.type.tensor_type.elem_type = number_type
