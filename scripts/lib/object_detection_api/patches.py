"""Patches for what the libraries have moved or removed since the Object Detection API of February 2022.

The API itself stays as it was published. Each patch is a function that puts back one thing which the API imports or
calls. `apply()` runs them all, in order, before `object_detection` is imported; running it again changes nothing.
CONTRIBUTING.md says how to add one. Libraries are imported inside the functions: `use_legacy_keras` must run before
TensorFlow is imported, `use_graph_mode` before `object_detection`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from scripts.lib.core.tensorflow import use_graph_mode, use_legacy_keras
from scripts.lib.object_detection_api.protos import rebuild_protobuf_messages


def apply(without: Sequence[str] = ()) -> None:
    """Apply every patch but those named in `without`, which the tests use to show what breaks without each."""
    for patch in PATCHES:
        if patch.__name__ not in without:
            patch()


def put_slim_on_path() -> None:
    """The API imports slim's `nets` and `deployment` as top-level packages; its distribution puts them under itself.

    The folder of `object_detection` goes last on `sys.path`, so that its `utils`, `core` and `models` hide nothing.
    """
    folder = str(Path(importlib.util.find_spec("object_detection").origin).parent)
    if folder not in sys.path:
        sys.path.append(folder)


def restore_numpy_aliases() -> None:
    """numpy 1.24 removed `np.int`, `np.float`, `np.object` and, until numpy 2 restored it, `np.bool`.

    They were names for the Python types, which every use in the API and tf-slim still means. numpy 2 removed `np.NAN`,
    which `utils/metrics.py` returns for an average precision without any precision.
    """
    import numpy as np

    for name, meaning in (("int", int), ("float", float), ("object", object), ("bool", bool), ("NAN", float("nan"))):
        if name not in vars(np):
            setattr(np, name, meaning)


def restore_control_flow_names() -> None:
    """tf-slim's `tfexample_decoder` calls `control_flow_ops.case`, `.cond` and `.while_loop`; TensorFlow moved them."""
    from tensorflow.python.ops import cond, control_flow_case, control_flow_ops, while_loop

    control_flow_ops.case = control_flow_case.case
    control_flow_ops.cond = cond.cond
    control_flow_ops.while_loop = while_loop.while_loop


def restore_tensor_names() -> None:
    """tf-slim clips gradients by `ops.Tensor` and `ops.IndexedSlices`; TensorFlow moved them."""
    from tensorflow.python.framework import indexed_slices, ops, tensor

    ops.Tensor = tensor.Tensor
    ops.IndexedSlices = indexed_slices.IndexedSlices


def restore_legacy_layers_path() -> None:
    """`tensorflow.python.layers` imports `tf_keras.legacy_tf_layers`, which tf_keras keeps under `tf_keras.src`.

    tf-slim takes its convolution and batch normalization layers from there. The modules are the same: an alias serves.
    """
    alias = "tf_keras.legacy_tf_layers"
    if _is_missing(alias):
        for name in ("", ".base", ".convolutional", ".core", ".normalization", ".pooling"):
            sys.modules[alias + name] = importlib.import_module(f"tf_keras.src.legacy_tf_layers{name}")


def restore_font_getsize() -> None:
    """`visualization_utils` measures text with `font.getsize`, which Pillow 10 removed in favour of `getbbox`.

    The old width and height included the offset from the origin: they are the right and bottom of the new box.
    """
    from PIL import ImageFont

    def getsize(font, text: str, *args, **kwargs) -> tuple[int, int]:
        _, _, right, bottom = font.getbbox(text, *args, **kwargs)
        return round(right), round(bottom)

    for font_class in (ImageFont.FreeTypeFont, ImageFont.ImageFont, ImageFont.TransposedFont):
        if not hasattr(font_class, "getsize"):
            font_class.getsize = getsize


def restore_moving_average_optimizer() -> None:
    """`optimizer_builder` takes `MovingAverageOptimizer` from `tensorflow.contrib.opt`; TensorFlow 2.0 dropped contrib.

    `use_moving_average` is true by default in optimizer.proto, so every config needs it.
    """
    from scripts.lib.object_detection_api.moving_average_optimizer import MovingAverageOptimizer

    _put_module("tensorflow.contrib.opt", MovingAverageOptimizer=MovingAverageOptimizer)


def restore_model_analyzer() -> None:
    """`exporter` prints each variable's size with `tensorflow.contrib.tfprof`, gone in 2.0; ours does not."""
    _put_module(
        "tensorflow.contrib.tfprof.model_analyzer",
        TRAINABLE_VARS_PARAMS_STAT_OPTIONS={},
        FLOAT_OPS_OPTIONS={},
        print_model_analysis=lambda graph, tfprof_options: None,
    )


def restore_hparams() -> None:
    """slim's `nasnet` keeps its settings in `HParams` of `tensorflow.contrib.training`, gone in TensorFlow 2.0.

    `faster_rcnn_nas` swallows the failed import, and later misses `nasnet`. The settings are plain attributes that can
    be set by name; nothing here uses HParams' parsing and type checks.
    """

    class HParams:
        def __init__(self, **settings: object):
            vars(self).update(settings)

        def set_hparam(self, name: str, value: object) -> None:
            setattr(self, name, value)

    _put_module("tensorflow.contrib.training", HParams=HParams)


def stand_in_for_quantize() -> None:
    """`exporter` and `graph_rewriter_builder` import `tensorflow.contrib.quantize`, gone in TensorFlow 2.0.

    It rewrote graphs for quantization-aware training, and has no successor for TensorFlow 1 graphs.
    """
    refuse = _refusal(
        "graph_rewriter (quantization-aware training) needs tensorflow.contrib, which ended with TensorFlow 1; "
        "remove it from the config and quantize the exported model instead"
    )
    _put_module("tensorflow.contrib.quantize.python.graph_matcher", OpTypePattern=refuse, GraphMatcher=refuse)
    _put_module(
        "tensorflow.contrib.quantize",
        experimental_create_training_graph=refuse,
        experimental_create_eval_graph=refuse,
    )


def stand_in_for_bipartite_match() -> None:
    """`matcher_builder` always imports `bipartite_matcher`, which takes its op from `tensorflow.contrib.image`.

    The op was written in C++ and is gone since TensorFlow 2.0. The configs here use the argmax matcher.
    """
    refuse = _refusal(
        "bipartite_matcher needs an operation of tensorflow.contrib, which ended with TensorFlow 1; "
        "use argmax_matcher in the config"
    )
    _put_module("tensorflow.contrib.image.python.ops.image_ops", bipartite_match=refuse)


def restore_transform_graph() -> None:
    """`export_tflite_ssd_graph_lib` imports `TransformGraph` from `tensorflow.tools.graph_transforms`, gone in 2.0.

    It needs only the transform `strip_unused_nodes`, which is still in `strip_unused_lib`.
    """

    def TransformGraph(input_graph_def, inputs: Sequence[str], outputs: Sequence[str], transforms: Sequence[str]):
        from tensorflow.python.framework import dtypes
        from tensorflow.python.tools import strip_unused_lib

        kind = dtypes.float32.as_datatype_enum
        return strip_unused_lib.strip_unused(input_graph_def, list(inputs), list(outputs), kind)

    _put_module("tensorflow.tools.graph_transforms", TransformGraph=TransformGraph)


def stand_in_for_tensorflow_io() -> None:
    """`deepmac_meta_arch` imports `tensorflow_io`, which has no release for a current TensorFlow.

    Only the loss of the DeepMAC model uses it, in TensorFlow 2 mode.
    """
    if _is_missing("tensorflow_io"):
        refuse = _refusal("the DeepMAC model needs tensorflow_io, which has no release for this TensorFlow")
        _put_module("tensorflow_io.experimental.color", rgb_to_lab=refuse)


def stand_in_for_lvis() -> None:
    """`eval_util` imports the metrics of the LVIS data set, which import the package `lvis`, which requires OpenCV.

    Only `lvis_mask_metrics` uses it; where `lvis` is installed, it stays in place.
    """
    if _is_missing("lvis"):
        refuse = _refusal("lvis_mask_metrics needs the package lvis: python -m pip install lvis")
        lvis_class = type("LVIS", (), {"__init__": refuse})
        _put_module("lvis.lvis", LVIS=lvis_class)
        _put_module("lvis.eval", LVISEval=lvis_class)
        _put_module("lvis.results", LVISResults=lvis_class)


def _is_missing(package: str) -> bool:
    return package not in sys.modules and importlib.util.find_spec(package) is None


def _refusal(sentence: str) -> Callable:
    """Return a function that raises NotImplementedError with this sentence."""

    def refuse(*args, **kwargs):
        raise NotImplementedError(sentence)

    return refuse


def _put_module(name: str, **attributes) -> ModuleType:
    """Make a module importable, with these attributes; missing parent packages are made, existing ones kept."""
    parent_name, _, own_name = name.rpartition(".")
    parent = (sys.modules.get(parent_name) or _put_module(parent_name)) if parent_name else None
    module = sys.modules.get(name)
    if module is None:
        module = sys.modules[name] = ModuleType(name, "Stands in for a module that is gone.")
        module.__path__ = []
    vars(module).update(attributes)
    if parent is not None:
        setattr(parent, own_name, module)
    return module


PATCHES: tuple[Callable[[], None], ...] = (
    use_legacy_keras,
    rebuild_protobuf_messages,
    use_graph_mode,
    put_slim_on_path,
    restore_numpy_aliases,
    restore_control_flow_names,
    restore_tensor_names,
    restore_legacy_layers_path,
    restore_font_getsize,
    restore_moving_average_optimizer,
    restore_model_analyzer,
    restore_hparams,
    stand_in_for_quantize,
    stand_in_for_bipartite_match,
    restore_transform_graph,
    stand_in_for_tensorflow_io,
    stand_in_for_lvis,
)
