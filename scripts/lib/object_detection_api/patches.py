"""Patches for what the libraries have moved or removed since the Object Detection API of February 2022.

The API itself stays as it was published. Each patch is a function that puts back one thing which the API imports or
calls. `apply()` runs them all, in order, before `object_detection` is imported; running it again changes nothing.
CONTRIBUTING.md says how to add one. Libraries are imported inside the functions: `use_legacy_keras` must run before
TensorFlow is imported, `use_graph_mode` before `object_detection`.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from scripts.lib.core.tensorflow import use_graph_mode, use_legacy_keras
from scripts.lib.object_detection_api.protos import rebuild_protobuf_messages


def apply(without: Sequence[str] = ()) -> None:
    """Apply every patch but those named in `without`, by which the tests show what breaks without each."""
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


def restore_moved_names() -> None:
    """tf-slim decodes by `control_flow_ops` and clips gradients by names of `ops` that TensorFlow has moved."""
    from tensorflow.python.framework import indexed_slices, ops, tensor
    from tensorflow.python.ops import cond, control_flow_case, control_flow_ops, while_loop

    control_flow_ops.case = control_flow_case.case
    control_flow_ops.cond = cond.cond
    control_flow_ops.while_loop = while_loop.while_loop
    ops.Tensor = tensor.Tensor
    ops.IndexedSlices = indexed_slices.IndexedSlices


def restore_legacy_layers_path() -> None:
    """`tensorflow.python.layers` imports `tf_keras.legacy_tf_layers`, which tf_keras keeps under `tf_keras.src`.

    tf-slim takes its convolution and batch normalization layers from there. The modules are the same: an alias serves.
    """
    for name in ("", ".base", ".convolutional", ".core", ".normalization", ".pooling"):
        layers = importlib.import_module(f"tf_keras.src.legacy_tf_layers{name}")
        sys.modules[f"tf_keras.legacy_tf_layers{name}"] = layers


def restore_font_getsize() -> None:
    """`visualization_utils` measures text with `font.getsize`, which Pillow 10 removed in favour of `getbbox`.

    The old width and height included the offset from the origin: they are the right and bottom of the new box.
    """
    from PIL import ImageFont

    ImageFont.FreeTypeFont.getsize = lambda font, text: tuple(map(round, font.getbbox(text)[2:]))


def restore_figure_bytes() -> None:
    """`visualization_utils` plots by `tostring_rgb`, gone in matplotlib 3.10, and binary `fromstring`, in numpy 2.3."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    read_text = np.fromstring

    def fromstring(data, dtype=float, count: int = -1, *, sep: str = "") -> np.ndarray:
        return read_text(data, dtype, count, sep=sep) if sep else np.frombuffer(data, dtype, count).copy()

    if not hasattr(FigureCanvasAgg, "tostring_rgb"):
        FigureCanvasAgg.tostring_rgb = lambda canvas: np.asarray(canvas.buffer_rgba())[..., :3].tobytes()
        np.fromstring = fromstring


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
    """`config_util`, `autoaugment_utils` and slim's `nasnet` need the `HParams` of `tensorflow.contrib`, gone in 2.0.

    `faster_rcnn_nas` swallows the failed import, and later misses `nasnet`.
    """
    from scripts.lib.object_detection_api.hparams import HParams

    _put_module("tensorflow.contrib.training", HParams=HParams)


def restore_image_transforms() -> None:
    """`autoaugment_utils` moves and turns images by `tensorflow.contrib.image`, gone in TensorFlow 2.0.

    tf_keras has the same formulas for batches. An image here is a tensor (H, W, C).
    """
    import tensorflow as tf
    from tf_keras.src.layers.preprocessing import image_preprocessing

    def transform(image, coefficients):
        matrices = tf.reshape(tf.cast(coefficients, tf.float32), [1, 8])
        return image_preprocessing.transform(image[None], matrices, fill_mode="constant", interpolation="nearest")[0]

    def translate(image, offset):
        return transform(image, image_preprocessing.get_translation_matrix(tf.cast([offset], tf.float32)))

    def rotate(image, radians):
        height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
        return transform(image, image_preprocessing.get_rotation_matrix([radians], height, width))

    _put_module("tensorflow.contrib.image", transform=transform, translate=translate, rotate=rotate)


def restore_bipartite_match() -> None:
    """`bipartite_matcher`, which every model imports, takes its operation from `tensorflow.contrib.image`, gone in 2.0.

    It matches the nearest row and column, then the nearest of the others, until the valid rows, which come first, or
    the columns are used up, and returns the column of each row and the row of each column, -1 for none.
    """
    import numpy as np
    import tensorflow.compat.v1 as tf

    def match(distances: np.ndarray, num_valid_rows: float) -> tuple[np.ndarray, np.ndarray]:
        column_of_row, row_of_column = (np.full(size, -1, np.int32) for size in distances.shape)
        free = distances[: int(num_valid_rows)].copy()
        for _ in range(min(free.shape)):
            row, column = np.unravel_index(free.argmin(), free.shape)
            column_of_row[row], row_of_column[column] = column, row
            free[row, :] = free[:, column] = np.inf
        return column_of_row, row_of_column

    def bipartite_match(distances, num_valid_rows):
        return tf.numpy_function(match, [distances, num_valid_rows], [tf.int32, tf.int32], stateful=False)

    _put_module("tensorflow.contrib.image.python.ops.image_ops", bipartite_match=bipartite_match)


def stand_in_for_quantize() -> None:
    """`exporter` and `graph_rewriter_builder` import `tensorflow.contrib.quantize`, gone in TensorFlow 2.0.

    It has no successor for TensorFlow 1 graphs; `config.api_limits` refuses the configs that need it (graph_rewriter).
    """
    _put_module("tensorflow.contrib.quantize.python.graph_matcher", OpTypePattern=None, GraphMatcher=None)
    _put_module(
        "tensorflow.contrib.quantize", experimental_create_training_graph=None, experimental_create_eval_graph=None
    )


def restore_transform_graph() -> None:
    """`export_tflite_ssd_graph_lib` imports `TransformGraph` from `tensorflow.tools.graph_transforms`, gone in 2.0.

    It needs only the transform `strip_unused_nodes`, which is still in `strip_unused_lib`.
    """
    from tensorflow.python.framework import dtypes
    from tensorflow.python.tools import strip_unused_lib

    def TransformGraph(graph, inputs: Sequence[str], outputs: Sequence[str], transforms: Sequence[str]):
        return strip_unused_lib.strip_unused(graph, inputs, outputs, dtypes.float32.as_datatype_enum)

    _put_module("tensorflow.tools.graph_transforms", TransformGraph=TransformGraph)


def restore_contextlib2() -> None:
    """The `dataset_tools` take `ExitStack` from contextlib2, the copy for Python 2 of what `contextlib` has."""
    sys.modules.setdefault("contextlib2", contextlib)


def stand_in_for_lvis() -> None:
    """`eval_util` imports the metrics of the LVIS data set, which import the package `lvis`, which requires OpenCV.

    Only `lvis_mask_metrics` uses it; where `lvis` is installed, it stays in place.
    """
    if "lvis" not in sys.modules and importlib.util.find_spec("lvis") is None:

        def refuse(*_, **__):
            raise NotImplementedError("lvis_mask_metrics needs the package lvis: python -m pip install lvis")

        lvis_class = type("LVIS", (), {"__init__": refuse, "_create_index": refuse})
        for module, name in (("lvis", "LVIS"), ("eval", "LVISEval"), ("results", "LVISResults")):
            _put_module(f"lvis.{module}", **{name: lvis_class})


def _put_module(name: str, **attributes) -> ModuleType:
    """Make a module importable, with these attributes; missing parent packages are made, existing ones kept."""
    module = sys.modules.setdefault(name, ModuleType(name, "Stands in for a module that is gone."))
    module.__path__ = getattr(module, "__path__", [])
    vars(module).update(attributes)
    parent_name, _, own_name = name.rpartition(".")
    if parent_name:
        setattr(sys.modules.get(parent_name) or _put_module(parent_name), own_name, module)
    return module


PATCHES: tuple[Callable[[], None], ...] = (
    use_legacy_keras,
    rebuild_protobuf_messages,
    use_graph_mode,
    put_slim_on_path,
    restore_numpy_aliases,
    restore_moved_names,
    restore_legacy_layers_path,
    restore_font_getsize,
    restore_figure_bytes,
    restore_moving_average_optimizer,
    restore_model_analyzer,
    restore_hparams,
    restore_image_transforms,
    restore_bipartite_match,
    stand_in_for_quantize,
    restore_transform_graph,
    restore_contextlib2,
    stand_in_for_lvis,
)
