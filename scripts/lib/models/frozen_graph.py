"""The frozen graph that the Object Detection API's exporter writes: reading it, and its nodes by name."""

from __future__ import annotations

import itertools
from pathlib import Path

from google.protobuf.message import DecodeError, Message

from scripts.lib.core import files
from scripts.lib.core.errors import UsageError
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.core.wording import listed
from scripts.lib.models import exported_model

INPUT = "image_tensor"
DETECTIONS = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
PROPOSALS = ("raw_detection_boxes", "raw_detection_scores")  # an SSD's, before its suppression
# An SSD resizes its images one by one, in a loop. In go images scaled to the feature extractor's range.
RESIZED = "Preprocessor/map/TensorArrayStack/TensorArrayGatherV3"
INTO_RESIZER = "Preprocessor/map/TensorArrayUnstack/TensorArrayScatter/TensorArrayScatterV3"
# What the API's architectures are made of once they are exported, by TensorFlow 1 and 2. None of it reads or writes a
# file, or calls Python or the network, as ReadFile, WriteFile and PyFunc do.
OPERATIONS = """
    Abs Add AddN AddV2 All Any ArgMax Assert AvgPool BatchMatMulV2 BatchToSpaceND BiasAdd Cast Ceil
    CombinedNonMaxSuppression ConcatV2 Const Conv2D Conv2DBackpropInput CropAndResize DecodeImage DecodeJpeg DecodePng
    DecodeRaw DepthwiseConv2dNative Div Elu Enter Equal Exit Exp ExpandDims FakeQuantWithMinMaxVars
    FakeQuantWithMinMaxVarsPerChannel Fill Floor FloorDiv FloorMod FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
    Gather GatherNd GatherV2 Greater GreaterEqual Identity IdentityN LeakyRelu Less LessEqual Log LogicalAnd LogicalNot
    LogicalOr LoopCond MatMul Max MaxPool Maximum Mean Merge Min Minimum Mul Neg NextIteration NoOp NonMaxSuppression
    NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 NotEqual OneHot OnesLike Pack Pad
    PadV2 ParseExample ParseExampleV2 PartitionedCall Placeholder PlaceholderWithDefault Pow Prod Range Rank RealDiv
    Relu Relu6 Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor ReverseV2 Round Rsqrt ScatterNd
    Select SelectV2 Shape Sigmoid Size Slice Softmax Softplus SpaceToBatchND Split SplitV Sqrt Square SquaredDifference
    Squeeze StatefulPartitionedCall StatelessIf StatelessWhile StopGradient StridedSlice Sub Substr Sum Switch Tanh
    TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArrayV3 TensorArrayWriteV3 Tile
    TopK TopKV2 Transpose Unpack Where While ZerosLike
"""


def read(folder: Path) -> Message:
    """Return an exported model's frozen graph, a TensorFlow GraphDef, before anything of it runs.

    Raises:
        UsageError: the file is not one, or holds other operations than `OPERATIONS`.
    """
    path = folder / exported_model.FROZEN_GRAPH
    shown = files.shown_path(path)
    try:
        graph_def = import_tensorflow().GraphDef.FromString(path.read_bytes())
    except DecodeError:
        raise UsageError(f"{shown} is damaged, or not a frozen graph; export the model again") from None
    functions = {function.signature.name: function.node_def for function in graph_def.library.function}
    nodes = list(itertools.chain(graph_def.node, *functions.values()))
    called = {value.func.name for node in nodes for value in node.attr.values() if value.HasField("func")}
    allowed = set(OPERATIONS.split())  # a function of such a name would take the operation's place
    if foreign := {node.op for node in nodes} - allowed | allowed & functions.keys() | called - functions.keys():
        raise UsageError(
            f"{shown} holds {listed(sorted(foreign), 'its nodes')}, which no detector consists of, and was not run; "
            "export the model again from its checkpoint"
        )
    return graph_def


def node(graph_def: Message, name: str) -> Message:
    """Return the node of that name."""
    return next(node for node in graph_def.node if node.name == name)


def scaled_image(graph_def: Message) -> str:
    """Return the name of an SSD's node with the images scaled to the feature extractor's range, before resizing."""
    return node(graph_def, INTO_RESIZER).input[2]
