"""What the watches leave out of the event files, and what stays."""

from __future__ import annotations

import pytest

from scripts.lib import event_files
from scripts.lib.object_detection_api import watch


@pytest.fixture
def restored(tf, monkeypatch):
    """Puts back what the watches replace."""
    from object_detection import eval_util
    from tensorflow.python.training import training_util
    from tf_slim import learning

    for owner, names in (
        (tf.summary, ("histogram", "image")),
        (tf.summary.FileWriter, ("add_graph", "add_meta_graph")),
        (learning, ("train",)),
        (training_util, ("write_graph",)),
        (eval_util, ("visualize_detection_results",)),
    ):
        for name in names:
            monkeypatch.setattr(owner, name, getattr(owner, name))


def events_of_a_training(tf, folder) -> bytes:
    """What the trainer and its supervisor write: a merged summary and the graph."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        values = tf.random.normal([10_000])
        merged = tf.summary.merge([
            tf.summary.scalar("Losses/TotalLoss", tf.constant(2.0)),
            tf.summary.histogram("ModelVars/weights", values),
            tf.summary.image("cdf", tf.zeros([1, 40, 40, 3])),
        ])  # fmt: skip
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


def test_the_curves_get_a_point_as_often_as_asked(tf, restored, monkeypatch):
    from tf_slim import learning

    seen = []
    monkeypatch.setattr(learning, "train", lambda *args, **kwargs: seen.append((args, kwargs)))
    watch.training_loop(60)
    watch.training_loop(5)  # the later call counts, the wrappers do not pile up
    config = tf.ConfigProto()
    learning.train("op", logdir="folder", session_config=config, save_summaries_secs=120)
    assert seen == [(("op",), {"logdir": "folder", "session_config": config, "save_summaries_secs": 5})]


def test_pictures_of_the_evaluation_get_one_heading(restored, monkeypatch):
    from object_detection import eval_util

    tags = []
    monkeypatch.setattr(eval_util, "visualize_detection_results", lambda result, tag, *_, **__: tags.append(tag))
    watch.grouped_pictures()
    watch.grouped_pictures()
    eval_util.visualize_detection_results({}, "image-0", 7, categories=[])
    assert tags == ["Detections/image-0"]
