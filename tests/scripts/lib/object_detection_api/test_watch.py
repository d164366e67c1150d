"""The hooks into the evaluator and the event files: the metrics handed on, what is left out, and when it ends."""

from __future__ import annotations

import pytest

from scripts.lib.evaluation import event_files
from scripts.lib.object_detection_api import watch


@pytest.fixture
def restored(tf, monkeypatch):
    """Puts back what the watches replace."""
    from object_detection import eval_util
    from tensorflow.python.training import training_util

    for owner, names in (
        (tf.summary, ("histogram", "image")),
        (tf.summary.FileWriter, ("add_graph", "add_meta_graph")),
        (training_util, ("write_graph",)),
        (eval_util, ("visualize_detection_results", "write_metrics")),
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
    watch.grouped_images()
    watch.grouped_images()
    eval_util.visualize_detection_results({}, "image-0", 7, categories=[])
    assert tags == ["Detections/image-0"]


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


@pytest.mark.parametrize(("step", "interval", "expected"), [(100, None, (100, 300)), (0, 5.0, (None, 5.0))])
def test_the_evaluator_ends_with_the_last_step(step, interval, expected, tf, monkeypatch):
    from object_detection import eval_util

    def run(*, eval_interval_secs, max_evaluation_global_step):
        return max_evaluation_global_step, eval_interval_secs

    monkeypatch.setattr(eval_util, "repeated_checkpoint_run", run)
    watch.evaluate_until(step, interval)
    assert eval_util.repeated_checkpoint_run(eval_interval_secs=300) == expected
