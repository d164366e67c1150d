"""What the watches tell of the API's work, and what they leave out of its files."""

from __future__ import annotations

import pytest

from scripts.lib.core.errors import DataError
from scripts.lib.evaluation import event_files
from scripts.lib.object_detection_api import watch


@pytest.fixture
def restored(tf, monkeypatch):
    """Puts back what the watches replace."""
    from object_detection import eval_util
    from object_detection.utils import variables_helper
    from tensorflow.python.training import training_util

    for owner, names in (
        (tf.summary, ("histogram", "image")),
        (tf.summary.FileWriter, ("add_graph", "add_meta_graph")),
        (training_util, ("write_graph",)),
        (eval_util, ("visualize_detection_results", "write_metrics")),
        (variables_helper, ("get_variables_available_in_checkpoint",)),
    ):
        for name in names:
            monkeypatch.setattr(owner, name, getattr(owner, name))


def events_of_a_training(tf, folder) -> bytes:
    """What the trainer and its supervisor write: a merged summary and the graph."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        values = tf.random.normal([10_000])
        merged = tf.summary.merge(
            [
                tf.summary.scalar("Losses/TotalLoss", tf.constant(2.0)),
                tf.summary.histogram("ModelVars/weights", values),
                tf.summary.image("cdf", tf.zeros([1, 40, 40, 3])),
            ]
        )
        writer = tf.summary.FileWriter(str(folder), graph)
        writer.add_meta_graph(tf.train.export_meta_graph())
        writer.add_summary(session.run(merged), 3)
        writer.close()
    return b"".join(path.read_bytes() for path in event_files.paths(folder))


def test_histograms_pictures_and_graph_are_left_out_and_scalars_stay(tf, tmp_path, restored):
    full = events_of_a_training(tf, tmp_path / "full")
    watch.small_event_files()
    small = events_of_a_training(tf, tmp_path / "small")
    assert b"ModelVars/weights" in full
    assert b"ModelVars" not in small
    assert b"random_normal" not in small
    assert len(small) < 300 < len(full)
    assert event_files.read_scalars(tmp_path / "small")["Losses/TotalLoss"][0].value == 2.0


def test_pictures_of_the_evaluation_get_one_heading(restored, monkeypatch):
    from object_detection import eval_util

    tags = []
    monkeypatch.setattr(eval_util, "visualize_detection_results", lambda result, tag, *_, **__: tags.append(tag))
    watch.grouped_pictures()
    watch.grouped_pictures()
    eval_util.visualize_detection_results({}, "image-0", 7, categories=[])
    assert tags == ["Detections/image-0"]


@pytest.fixture
def checkpoint(tf, tmp_path) -> str:
    """A checkpoint of a backbone, and of a head for 90 classes."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("Backbone/weights", [3, 4])
        tf.get_variable("Backbone/bias", [4])
        tf.get_variable("Head/weights", [4, 90])
        session.run(tf.global_variables_initializer())
        return tf.train.Saver().save(session, str(tmp_path / "model.ckpt"))


def model_variables(tf, **shapes):
    collections = [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES]
    return {name: tf.get_variable(name, shape, collections=collections) for name, shape in shapes.items()}


def test_says_how_much_of_the_model_the_checkpoint_gave(tf, restored, checkpoint, capsys):
    from object_detection.utils import variables_helper

    watch.restored_variables()
    with tf.Graph().as_default():
        shapes = {"Backbone/weights": [3, 4], "Backbone/bias": [4], "Head/weights": [4, 6]}
        variables = model_variables(tf, **shapes)
        variables["Backbone/bias/Adam"] = tf.get_variable("slot", [4])  # no model variable: does not count
        available = variables_helper.get_variables_available_in_checkpoint(variables, checkpoint, False)
    assert set(available) == {"Backbone/weights", "Backbone/bias"}
    assert capsys.readouterr().out == f"Restored 2 of 3 variables from {checkpoint}; first missing: Head/weights\n"


def test_refuses_a_checkpoint_of_another_model(tf, restored, checkpoint):
    from object_detection.utils import variables_helper

    watch.restored_variables()
    with tf.Graph().as_default(), pytest.raises(DataError, match="none of the 1 variables .* Other/weights"):
        variables_helper.get_variables_available_in_checkpoint(
            model_variables(tf, **{"Other/weights": [3, 4]}), checkpoint, False
        )


def test_hands_on_the_metrics_that_the_evaluator_writes(tf, restored, tmp_path):
    import numpy as np
    from object_detection import eval_util

    seen = []
    watch.metrics(lambda *_: pytest.fail("the later watch counts"))
    watch.metrics(lambda metrics, step: seen.append((metrics, step)))
    eval_util.write_metrics({"mAP": np.float32(0.5)}, np.int64(7), str(tmp_path))
    tf.summary.FileWriterCache.get(str(tmp_path)).flush()
    assert seen == [({"mAP": 0.5}, 7)]
    assert event_files.read_scalars(tmp_path)["mAP"][0].value == 0.5
