"""Hooks into the API's evaluator, and into the event files of evaluator and trainer.

Install them when `object_detection` can be imported, before the entry point's `main`.
"""

from __future__ import annotations

from collections.abc import Callable

from scripts.lib.object_detection_api.wrapping import wrap


def metrics(report: Callable[[dict[str, float], int], None]) -> None:
    """Call `report(metrics, global_step)` after each evaluation, when the evaluator writes its event file."""
    from object_detection import eval_util

    @wrap(eval_util, "write_metrics")
    def write_metrics_and_report(original, values: dict[str, float], global_step: int, summary_dir: str) -> None:
        original(values, global_step, summary_dir)
        report({name: float(value) for name, value in values.items()}, int(global_step))


def small_event_files() -> None:
    """Keep histograms, images and the graph out of the training's event files, and graph.pbtxt out of its folder.

    The trainer adds a histogram of each of the model's 130 variables and plots of the losses' distribution, and its
    supervisor the graph, twice: 7 MB before the first step, and 160 KB with each summary. The scalars take 1 KB.
    Left-out summaries become empty ones, since the trainer merges what it was given; ops that only fed them do not run.
    The evaluator makes its images in another way; they stay. Writing graph.pbtxt, the same graph as 12 MB of text, took
    4 s of CPU at each start (SSD at 128x128, batch 24).
    """
    import tensorflow.compat.v1 as tf
    from tensorflow.python.training import training_util

    def empty_summary(name: str, *_, **__):
        return tf.constant(b"", name=f"without_{name.rsplit('/', 1)[-1]}")

    tf.summary.histogram = tf.summary.image = empty_summary
    tf.summary.FileWriter.add_graph = tf.summary.FileWriter.add_meta_graph = lambda *_, **__: None
    training_util.write_graph = lambda *_, **__: None


def grouped_images() -> None:
    """Put the evaluator's images under one heading of TensorBoard, which groups by what precedes the first `/`.

    The evaluator names them image-0, image-1, ...: one heading each.
    """
    from object_detection import eval_util

    @wrap(eval_util, "visualize_detection_results")
    def visualize(original, result_dict, tag: str, *args, **kwargs):
        return original(result_dict, f"Detections/{tag}", *args, **kwargs)


def evaluate_until(step: int, eval_interval_secs: float | None) -> None:
    """End the evaluator, which would wait for checkpoints for ever, with the first one of this step or later.

    Args:
        step: the training's last one; 0: never end.
        eval_interval_secs: time between two looks for a new checkpoint; None: the config's.
    """
    from object_detection import eval_util

    @wrap(eval_util, "repeated_checkpoint_run")
    def run(original, *args, **kwargs):
        if eval_interval_secs is not None:
            kwargs["eval_interval_secs"] = eval_interval_secs
        return original(*args, max_evaluation_global_step=step or None, **kwargs)
