"""Looks on while the Object Detection API works: its results, handed to us beside what it writes itself."""

from __future__ import annotations

from collections.abc import Callable

from scripts.lib.core.errors import DataError
from scripts.lib.object_detection_api.wrapping import wrap


def metrics(report: Callable[[dict[str, float], int], None]) -> None:
    """Has `report(metrics, global_step)` called after each evaluation of the legacy evaluator, which has no callback.

    `eval_util.repeated_checkpoint_run` hands its result to `eval_util.write_metrics`, which writes the event file;
    that function is wrapped. Call it when `object_detection` can be imported.
    """
    from object_detection import eval_util

    @wrap(eval_util, "write_metrics")
    def write_metrics_and_report(original, values: dict[str, float], global_step: int, summary_dir: str) -> None:
        original(values, global_step, summary_dir)
        report({name: float(value) for name, value in values.items()}, int(global_step))


def restored_variables() -> None:
    """Has the trainer say how much of the model the fine-tune checkpoint gave, and stop where it gave nothing.

    The trainer restores what matches by name and shape and warns of the rest, a line a variable; a checkpoint of
    another model then trains from scratch in silence. Optimizer slots, which no such checkpoint holds, do not count.

    Raises (when the trainer builds its graph):
        DataError: no variable of the model matched.
    """
    import tensorflow.compat.v1 as tf
    from object_detection.utils import variables_helper

    @wrap(variables_helper, "get_variables_available_in_checkpoint")
    def restore_and_report(original, variables, checkpoint_path: str, include_global_step: bool = True):
        available = original(variables, checkpoint_path, include_global_step)
        model_variables = {variable.op.name for variable in tf.model_variables()}
        wanted = sorted(name for name, variable in _by_name(variables).items() if variable.op.name in model_variables)
        missing = [name for name in wanted if name not in available]
        if len(missing) == len(wanted):
            raise DataError(
                [
                    f"fine_tune_checkpoint {checkpoint_path} has none of the {len(wanted)} variables of this model "
                    f"(looked for {wanted[0]} ...); it belongs to another model, or fine_tune_checkpoint_type is "
                    'wrong: "classification" for a backbone trained on ImageNet, "detection" for a whole detector'
                ],
                "the training was not started",
            )
        first_missing = f"; first missing: {missing[0]}" if missing else ""
        count = f"{len(wanted) - len(missing)} of {len(wanted)}"
        print(f"Restored {count} variables from {checkpoint_path}{first_missing}", flush=True)
        return available


def _by_name(variables) -> dict:
    return variables if isinstance(variables, dict) else {variable.op.name: variable for variable in variables}


def small_event_files() -> None:
    """Keeps histograms, pictures and the graph out of the training's event files, and graph.pbtxt out of its folder.

    The trainer adds a histogram of each of the model's 130 variables and plots of how the losses are distributed, and
    its supervisor the graph, twice: 7 MB before the first step, and 160 KB with each summary. What is left, the
    scalars, is 1 KB. Summaries that are left out become empty ones, since the trainer merges what it was given; ops
    that only fed them do not run any more. The evaluator's pictures are made in another way and stay. Writing
    graph.pbtxt, the same graph as 12 MB of text, took 4 s of CPU at each start (SSD at 128x128, batch 24).
    """
    import tensorflow.compat.v1 as tf
    from tensorflow.python.training import training_util

    def empty_summary(name: str, *_, **__):
        return tf.constant(b"", name=f"without_{name.rsplit('/', 1)[-1]}")

    tf.summary.histogram = tf.summary.image = empty_summary
    tf.summary.FileWriter.add_graph = tf.summary.FileWriter.add_meta_graph = lambda *_, **__: None
    training_util.write_graph = lambda *_, **__: None


def grouped_pictures() -> None:
    """Has the evaluator's pictures under one heading of TensorBoard, which groups by what precedes the first `/`.

    The evaluator calls them image-0, image-1, ...: a heading each.
    """
    from object_detection import eval_util

    @wrap(eval_util, "visualize_detection_results")
    def visualize(original, result_dict, tag: str, *args, **kwargs):
        return original(result_dict, f"Detections/{tag}", *args, **kwargs)
