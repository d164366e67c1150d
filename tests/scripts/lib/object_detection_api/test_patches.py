"""Each patch: code that needs it works with all of them, and breaks when that one is left out."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
    "restore_moved_names": (
        "import tensorflow.compat.v1 as tf; from tf_slim import learning; w = tf.get_variable('clipped', [5, 2]); "
        "gradients = [(tf.gradients(tf.gather(w, [1, 3]), w)[0], w), (tf.ones([5, 2]), w)]; "
        "sparse, dense = learning.clip_gradient_norms(gradients, 0.5); assert isinstance(sparse[0], tf.IndexedSlices); "
        "from tf_slim.data import tfexample_decoder as d; "
        "d.Image(channels=3)._decode(tf.placeholder(tf.string, []), tf.constant('jpeg'))",
        "has no attribute '(IndexedSlices|case|cond)'",
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
    "restore_figure_bytes": (
        "import tensorflow.compat.v1 as tf; from object_detection.utils import visualization_utils as v; "
        "v.add_cdf_image_summary(tf.constant([.2, .7, .1]), 'cdf'); "
        "v.add_hist_image_summary(tf.constant([1., 2., 4.]), tf.constant([0., 2., 5.]), 'histogram'); "
        "texts = tf.Session().run(tf.get_collection(tf.GraphKeys.SUMMARIES)); "
        "images = [tf.Summary.FromString(text).value[0].image for text in texts]; "
        "assert [(image.height, image.width) for image in images] == [(480, 640)] * 2",
        "has no attribute 'tostring_rgb'",
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
    "restore_image_transforms": (
        "import tensorflow.compat.v1 as tf; from object_detection.utils import autoaugment_utils as a; "
        "tf.random.set_random_seed(1); image = tf.fill([40, 30, 3], 200.0); "
        "result = a.distort_image_with_autoaugment(image, tf.constant([[.1, .2, .8, .9]]), 'v0'); "
        "image, boxes = tf.Session().run(result); assert image.shape == (40, 30, 3) and boxes.shape == (1, 4)",
        "contrib_image",
    ),
    "restore_bipartite_match": (
        "from object_detection.builders import matcher_builder",
        "No module named 'tensorflow.contrib",
    ),
    "stand_in_for_quantize": (
        "from object_detection import exporter; exporter.graph_matcher; "
        "from object_detection.builders import graph_rewriter_builder as b; b.contrib_quantize",
        "has no attribute 'graph_matcher'",
    ),
    "restore_transform_graph": (
        "from object_detection import export_tflite_ssd_graph_lib as lib; import tensorflow.compat.v1 as tf; "
        "tf.identity(tf.placeholder(tf.float32, [1], 'image'), 'boxes'); tf.no_op('unused'); "
        "graph = tf.get_default_graph().as_graph_def(); "
        "kept = lib.TransformGraph(graph, ['image'], ['boxes'], ['strip_unused_nodes']); "
        "assert [node.name for node in kept.node] == ['image', 'boxes']",
        "graph_transforms",
    ),
    "restore_contextlib2": ("from object_detection.dataset_tools import create_coco_tf_record", "contextlib2"),
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


def test_lvis_says_what_to_install(tf):
    from object_detection.metrics import lvis_tools

    with pytest.raises(NotImplementedError, match="pip install lvis"):
        lvis_tools.LVISWrapper({"images": [], "annotations": [], "categories": []})


def test_images_move_and_turn_as_numpy_arrays_do(tf):
    """Pixels from outside are 0, as AutoAugment's `unwrap` expects."""
    from tensorflow.contrib import image as contrib_image

    image = np.arange(1, 76, dtype=np.uint8).reshape(5, 5, 3)
    moved, turned, sheared = tf.Session().run(
        [
            contrib_image.translate(tf.constant(image), [-2, 1]),
            contrib_image.rotate(tf.constant(image), math.pi / 2),
            contrib_image.transform(tf.constant(image), [1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
        ]
    )
    np.testing.assert_array_equal(moved, np.pad(image[:4, 2:], ((1, 0), (0, 2), (0, 0))))
    np.testing.assert_array_equal(turned, np.rot90(image))
    for row in range(5):
        np.testing.assert_array_equal(sheared[row], np.pad(image[row, row:], ((0, row), (0, 0))))


@pytest.mark.parametrize(
    ("similarity", "valid_rows", "row_of_column"),
    [
        ([[0.9, 0.8], [0.8, 0.1]], [True, True], [0, 1]),  # greedy: 0.9 + 0.1, though 0.8 + 0.8 is more
        ([[0.5, 0.1, 0.8], [0.9, 0.2, 0.3]], [True, True], [1, -1, 0]),
        ([[0.5, 0.1, 0.8], [0.9, 0.2, 0.3]], [True, False], [-1, -1, 0]),
        ([[0.1, 0.7], [0.2, 0.9], [0.3, 0.8]], [True, True, True], [2, 1]),
        ([[0.4, 0.6]], [False], [-1, -1]),
        (np.zeros([0, 2]), np.zeros([0], bool), [-1, -1]),  # an image without boxes
    ],
)
def test_bipartite_matcher_is_greedy(tf, similarity, valid_rows, row_of_column):
    from object_detection.matchers import bipartite_matcher

    matrix = tf.placeholder(tf.float32, [None, len(row_of_column)])
    match = bipartite_matcher.GreedyBipartiteMatcher().match(matrix, valid_rows=tf.constant(valid_rows, tf.bool))
    assert tf.Session().run(match.match_results, {matrix: similarity}).tolist() == row_of_column


def test_coco_annotations_become_a_record(tf, tmp_path):
    """By the API's own dataset_tools, which write sharded records through contextlib2."""
    from object_detection.dataset_tools import create_coco_tf_record

    Image.new("RGB", (40, 20), "red").save(tmp_path / "a.jpg")
    annotations = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 20, "width": 40}],
        "categories": [{"id": 7, "name": "shirt"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [10, 5, 20, 10], "area": 200, "iscrowd": 0}],
    }
    (tmp_path / "a.json").write_text(json.dumps(annotations), encoding="utf-8")
    record = tmp_path / "a.record"
    create_coco_tf_record._create_tf_record_from_coco_annotations(
        str(tmp_path / "a.json"), str(tmp_path), str(record), include_masks=False, num_shards=2
    )
    assert {path.name for path in tmp_path.glob("a.record*")} == {"a.record-00000-of-00002", "a.record-00001-of-00002"}
    (serialized,) = tf.io.tf_record_iterator(f"{record}-00000-of-00002")
    features = tf.train.Example.FromString(serialized).features.feature
    assert features["image/object/class/text"].bytes_list.value == [b"shirt"]
    box = [features[f"image/object/bbox/{side}"].float_list.value[0] for side in ("ymin", "xmin", "ymax", "xmax")]
    assert box == [0.25, 0.25, 0.75, 0.75]
