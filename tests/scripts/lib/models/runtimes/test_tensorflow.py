"""TensorFlow on the frozen graph and on the SavedModel, and a graph that takes no pixels."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.models import exported_model, frozen_graph
from scripts.lib.models.detector import Detector
from scripts.lib.models.runtimes import tensorflow
from tests import exporting, made_model


def squares() -> list[np.ndarray]:
    """Red squares of different sizes, on images of different sizes."""
    made = [np.zeros((height, width, 3), np.uint8) for height, width in ((100, 120), (90, 90), (64, 64))]
    for number, image in enumerate(made):
        image[10 : 40 + 10 * number, 10 : 30 + 5 * number, 0] = 200 + number
    return made


def test_a_batch_of_images_of_different_sizes_gives_the_detections_of_each(tf, tmp_path):
    model = tensorflow.Model(made_model.write_model(tf, tmp_path / "model"))
    assert (model.class_names, model.global_step) == ({1: "Red", 2: "Green"}, None)
    found = list(model.run([model.prepare(image) for image in squares()]))
    assert [one.class_ids.tolist() for one in found] == [[1, 1]] * 3
    assert [one.scores[0] for one in found] == pytest.approx([value / 256 for value in (200, 201, 202)], abs=1e-6)


def test_the_best_detections_of_the_saved_model_are_those_of_the_frozen_graph(exported, images):
    exporting.assert_best_detections_of_tensorflow(exported, "saved_model", images)


def test_a_graph_that_takes_no_pixels_is_named(tf, tmp_path):
    folder = made_model.write_model(tf, tmp_path / "model")
    with tf.Graph().as_default() as graph:
        tf.placeholder(tf.string, name="encoded_image_string_tensor")
    (folder / exported_model.FROZEN_GRAPH).write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(UsageError, match="takes no image_tensor; export it with --input_type image_tensor"):
        tensorflow.Model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda node: node.name == "detection_scores" and setattr(node, "name", "x"), "has no output detection_scores"),
        (lambda node: node.op == "ArgMax" and node.input.pop(), "is no graph that TensorFlow .* reads: "),
    ],
)
def test_case_26_a_changed_graph_is_a_sentence(tf, tmp_path, change, message):
    folder = made_model.write_model(tf, tmp_path / "model")
    graph_def = frozen_graph.read(folder)
    for node in graph_def.node:
        change(node)
    (folder / exported_model.FROZEN_GRAPH).write_bytes(graph_def.SerializeToString())
    with pytest.raises(UsageError, match=f"frozen_inference_graph.pb {message}"):
        tensorflow.Model(folder)


def test_case_26_a_graph_that_fails_on_an_image_is_a_sentence(tf, tmp_path):
    folder = made_model.write_model(tf, tmp_path / "model")
    graph_def = frozen_graph.read(folder)
    scores = frozen_graph.node(graph_def, "detection_scores")
    scores.input[1] = "detection_boxes"  # of another shape: TensorFlow sees it when the graph runs
    (folder / exported_model.FROZEN_GRAPH).write_bytes(graph_def.SerializeToString())
    with pytest.raises((DataError, UsageError), match="model (fails on an image in tensorflow|.*is no graph that)"):
        Detector(folder, "tensorflow").detect(squares()[0])
