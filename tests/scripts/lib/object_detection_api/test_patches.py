"""Each patch: code that needs it works with all of them, and breaks when that one is left out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.object_detection_api import patches

# patch -> (code that needs it, what the error says without it)
NEEDS: dict[str, tuple[str, str]] = {
    "use_legacy_keras": (
        "import tensorflow.compat.v1 as tf; assert tf.layers.Conv2D.__module__.startswith('tf_keras')",
        "AssertionError|AttributeError",
    ),
    "rebuild_protobuf_messages": (
        "from object_detection.protos import pipeline_pb2",
        "Descriptors cannot be created directly",
    ),
    "use_graph_mode": (
        "from object_detection.utils import tf_version; assert tf_version.is_tf1()",
        "AssertionError",
    ),
    "put_slim_on_path": (
        "from nets import mobilenet_v1; from deployment import model_deploy",
        "No module named 'nets'",
    ),
    "restore_numpy_aliases": (
        "import numpy as np; assert (np.int, np.float, np.object) == (int, float, object); np.bool; "
        "from object_detection.utils import metrics; assert np.isnan(metrics.compute_average_precision(None, None))",
        "has no attribute 'int'",
    ),
    "restore_control_flow_names": (
        "import tensorflow.compat.v1 as tf; from tf_slim.data import tfexample_decoder as d; "
        "d.Image(channels=3)._decode(tf.placeholder(tf.string, []), tf.constant('jpeg'))",
        "has no attribute 'c(ase|ond)'",
    ),
    "restore_tensor_names": (
        "import tensorflow.compat.v1 as tf; from tf_slim import learning; w = tf.get_variable('clipped', [5, 2]); "
        "gradients = [(tf.gradients(tf.gather(w, [1, 3]), w)[0], w), (tf.ones([5, 2]), w)]; "
        "sparse, dense = learning.clip_gradient_norms(gradients, 0.5); assert isinstance(sparse[0], tf.IndexedSlices)",
        "has no attribute 'IndexedSlices'",
    ),
    "restore_legacy_layers_path": (
        "import tf_slim; import tensorflow.compat.v1 as tf; tf_slim.batch_norm(tf.zeros([1, 8, 8, 3]))",
        "tf_keras.legacy_tf_layers",
    ),
    "restore_font_getsize": (
        "import numpy as np; from object_detection.utils import visualization_utils as v; "
        "image = np.zeros((60, 80, 3), np.uint8); "
        "v.draw_bounding_box_on_image_array(image, .3, .1, .9, .9, display_str_list=['Tops: 98%']); assert image.any()",
        "has no attribute 'getsize'",
    ),
    "restore_moving_average_optimizer": (
        "from scripts.lib.object_detection_api import protos; import tensorflow.compat.v1 as tf; "
        "from object_detection.builders import optimizer_builder as b; tf.train.create_global_step(); "
        "config = protos.load('optimizer').Optimizer(); config.adam_optimizer.SetInParent(); "
        "config.adam_optimizer.learning_rate.constant_learning_rate.SetInParent(); assert config.use_moving_average; "
        "b.build(config)",
        "tf_opt",
    ),
    "restore_model_analyzer": (
        "import tensorflow.compat.v1 as tf; from object_detection import exporter; tf.get_variable('w', [3, 4]); "
        "exporter.profile_inference_graph(tf.get_default_graph())",
        "contrib_tfprof",
    ),
    "restore_hparams": (
        "from object_detection.models import faster_rcnn_nas_feature_extractor as f; "
        "settings = f.nasnet.large_imagenet_config(); settings.set_hparam('drop_path_keep_prob', 1.0); "
        "assert (settings.num_cells, settings.drop_path_keep_prob) == (18, 1.0)",
        "has no attribute 'nasnet'",
    ),
    "stand_in_for_quantize": (
        "from object_detection import exporter; exporter.graph_matcher.GraphMatcher",
        "graph_matcher",
    ),
    "stand_in_for_bipartite_match": (
        "from object_detection.builders import matcher_builder",
        "No module named 'tensorflow.contrib",
    ),
    "restore_transform_graph": (
        "from object_detection import export_tflite_ssd_graph_lib as lib; import tensorflow.compat.v1 as tf; "
        "tf.identity(tf.placeholder(tf.float32, [1], 'image'), 'boxes'); tf.no_op('unused'); "
        "graph = tf.get_default_graph().as_graph_def(); "
        "kept = lib.TransformGraph(graph, ['image'], ['boxes'], ['strip_unused_nodes']); "
        "assert [node.name for node in kept.node] == ['image', 'boxes']",
        "graph_transforms",
    ),
    # In graph mode nothing imports tensorflow_io; a session of TensorFlow 2 that shares the process would.
    "stand_in_for_tensorflow_io": ("import tensorflow_io as tfio; tfio.experimental.color.rgb_to_lab", "tensorflow_io"),
    "stand_in_for_lvis": ("from object_detection import eval_util", "No module named 'lvis'"),
}


def run_with_patches(code: str, without: list[str], repository_root: Path) -> subprocess.CompletedProcess[str]:
    program = f"from scripts.lib.object_detection_api import patches; patches.apply(without={without!r}); {code}"
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=repository_root,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


def test_every_patch_is_tested():
    assert set(NEEDS) == {patch.__name__ for patch in patches.PATCHES}


@pytest.mark.usefixtures("tf")
def test_code_works_with_all_patches(repository_root):
    """One process for all of them, as in use; the patches are applied twice, which changes nothing."""
    graphs = "\nimport tensorflow.compat.v1 as tf\npatches.apply()\n"
    code = graphs + "\n".join(f"with tf.Graph().as_default():\n    {code}" for code, _ in NEEDS.values())
    result = run_with_patches(code, [], repository_root)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", NEEDS)
@pytest.mark.usefixtures("tf")
def test_code_breaks_without_its_patch(name, repository_root):
    code, error = NEEDS[name]
    result = run_with_patches(code, [name], repository_root)
    assert result.returncode == 1
    assert re.search(error, result.stderr), result.stderr


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "from tensorflow.contrib import quantize; quantize.experimental_create_training_graph()",
            "remove it from the config",
        ),
        (
            "from tensorflow.contrib.image.python.ops import image_ops; image_ops.bipartite_match()",
            "use argmax_matcher",
        ),
        ("from lvis import lvis; lvis.LVIS()", "pip install lvis"),
        ("import tensorflow_io as t; t.experimental.color.rgb_to_lab()", "DeepMAC"),
    ],
)
def test_stand_ins_say_what_to_do(tf, code, says):
    with pytest.raises(NotImplementedError, match=says):
        exec(code, {})
