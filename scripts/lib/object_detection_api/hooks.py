"""Hooks into the API's trainer and evaluator: its functions are called through ours.

Install them when `object_detection` can be imported, before the entry point's `main`.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
from google.protobuf.message import Message
from PIL import Image

from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import DataError
from scripts.lib.core.progress import progress

_ORIGINAL = "_apparel_original"


def wrap(owner: ModuleType | type, name: str) -> Callable[[Callable], Callable]:
    """Decorate a function that takes the calls of `owner.name`, with the original as its first argument.

    Wrapping again replaces the earlier wrapping, so that a process can set things up twice.
    """

    def install(function: Callable) -> Callable:
        present = getattr(owner, name)
        original = getattr(present, _ORIGINAL, present)

        @functools.wraps(original)
        def wrapper(*args, **kwargs):
            return function(original, *args, **kwargs)

        setattr(wrapper, _ORIGINAL, original)
        setattr(owner, name, wrapper)
        return function

    return install


def metrics(report: Callable[[dict[str, float], int], None]) -> None:
    """Call `report(metrics, global_step)` after each evaluation, when the evaluator writes its event file."""
    from object_detection import eval_util

    @wrap(eval_util, "write_metrics")
    def write_metrics_and_report(original, values: dict[str, float], global_step: int, summary_dir: str) -> None:
        original(values, global_step, summary_dir)
        report({name: float(value) for name, value in values.items()}, int(global_step))


def all_metrics() -> None:
    """Let the legacy evaluator know the metrics of the API's newer one, too.

    Of their options only the recall bounds are passed on: COCO's metrics per category need a pycocotools of the API's.
    """
    from object_detection import eval_util
    from object_detection.legacy import evaluator

    classes = {**eval_util.EVAL_METRICS_CLASS_DICT, **evaluator.EVAL_METRICS_CLASS_DICT}

    @wrap(evaluator, "get_evaluators")
    def get_evaluators(_, config, categories):
        bounds = {"recall_lower_bound": config.recall_lower_bound, "recall_upper_bound": config.recall_upper_bound}
        options = {"precision_at_recall_detection_metrics": bounds}
        names = config.metrics_set or [evaluator.EVAL_DEFAULT_METRIC]
        by_class = {classes[name]: options.get(name, {}) for name in names}  # one under two names counts once
        return [kind(categories, **settings) for kind, settings in by_class.items()]


def small_event_files() -> None:
    """Keep histograms, images and the graph out of the training's event files, and graph.pbtxt out of its folder.

    The graph takes 7 MB before the first step, histograms and plots 160 KB with each summary, the scalars 1 KB. A
    left-out summary becomes an empty one, since the trainer merges what it was given. The evaluator makes its images in
    another way; they stay. Writing graph.pbtxt took 4 s of CPU at each start (SSD at 128x128, batch 24).
    """
    import tensorflow.compat.v1 as tf
    from tensorflow.python.training import training_util

    def empty_summary(name: str, *_, **__):
        return tf.constant(b"", name=f"without_{name.rsplit('/', 1)[-1]}")

    tf.summary.histogram = tf.summary.image = empty_summary
    tf.summary.FileWriter.add_graph = tf.summary.FileWriter.add_meta_graph = lambda *_, **__: None
    training_util.write_graph = lambda *_, **__: None


def grouped_images() -> None:
    """Put the evaluator's images, which it names image-0, image-1, ..., under one heading of TensorBoard."""
    from object_detection import eval_util

    @wrap(eval_util, "visualize_detection_results")
    def visualize(original, result_dict, tag: str, *args, **kwargs):
        return original(result_dict, f"Detections/{tag}", *args, **kwargs)


def drawn_detections(draw: Callable[[Image.Image, list[Detection], list[str]], Image.Image]) -> None:
    """Draw the evaluator's images by `draw(image, detections, class_names)`.

    The API's own drawing takes its font from Windows or has one without umlauts, and colours the classes otherwise than
    the rest of the project. It still draws ground truth, masks, and what other options of eval_config ask for.
    """
    from object_detection.utils import visualization_utils

    @wrap(visualization_utils, "visualize_boxes_and_labels_on_image_array")
    def visualize(original, image, boxes, classes, scores, category_index, **options):
        others = ("instance_masks", "keypoints", "agnostic_mode", "skip_scores", "skip_labels")
        if scores is None or any(np.any(options.get(name)) for name in others):
            return original(image, boxes, classes, scores, category_index, **options)
        names = {class_id: category_index[class_id]["name"] for class_id in sorted(category_index)}
        found = [
            Detection(names[class_id], score, xmin, ymin, xmax, ymax)
            for (ymin, xmin, ymax, xmax), class_id, score in zip(boxes, classes, scores, strict=True)
            if score > options["min_score_thresh"] and class_id in names
        ]
        image[:] = draw(Image.fromarray(image), found[: options["max_boxes_to_draw"]], list(names.values()))
        return image


def evaluated_images(num_examples: int) -> None:
    """Show how many of the record's images the evaluator has done, and warn of those that it had to leave out."""
    from object_detection import eval_util

    @wrap(eval_util, "_run_checkpoint_once")
    def run(original, tensor_dict, evaluators, batch_processor, *args, **kwargs):
        done = progress(range(num_examples), "evaluating")
        skipped = 0

        def process(tensor_dict, session, batch: int, counters: dict[str, int], **losses):
            nonlocal skipped
            next(done, None)
            results = batch_processor(tensor_dict, session, batch, counters, **losses)
            skipped = counters["skipped"]
            return results

        with contextlib.closing(done):
            result = original(tensor_dict, evaluators, process, *args, **kwargs)
        if skipped:
            what = f"{skipped} of {num_examples} images were left out, since TensorFlow cannot decode them"
            print(f"warning: {what}; make the record with generate_tfrecord.py, which checks them", file=sys.stderr)
        return result


def evaluate_until(step: int, eval_interval_secs: float | None) -> None:
    """End the evaluator, which would wait for checkpoints for ever, with the first one of this step or later; 0: never.

    It looks for a new one every `eval_interval_secs`; None: as often as the config says.
    """
    from object_detection import eval_util

    @wrap(eval_util, "repeated_checkpoint_run")
    def run(original, *args, **kwargs):
        if eval_interval_secs is not None:
            kwargs["eval_interval_secs"] = eval_interval_secs
        return original(*args, max_evaluation_global_step=step or None, **kwargs)


def early_resizing(model: Message) -> None:
    """Resize images to the model's input (DetectionModel) before the trainer queues them, not after.

    The trainer queues images as float32 in their own size, and pads each batch to its largest image. With images of
    640x640 pixels and a model of 128x128, 25 times the memory goes through two queues and four copies. The model gets
    the same images, but for the last digits. A model whose input has no fixed size gets its images as before.
    """
    config = getattr(model, model.WhichOneof("model")).image_resizer
    if not config.HasField("fixed_shape_resizer"):
        return
    from object_detection.builders import image_resizer_builder
    from object_detection.core import batcher
    from object_detection.core.standard_fields import InputDataFields as fields
    from object_detection.utils import shape_utils

    resizer = image_resizer_builder.build(config)

    @wrap(batcher.BatchQueue, "__init__")
    def queue_resized(original, self, tensor_dict, *args, **kwargs):
        if fields.groundtruth_instance_masks not in tensor_dict:  # masks have the image's size, and go with it
            images, _ = shape_utils.resize_images_and_return_shapes(tensor_dict[fields.image], resizer)
            tensor_dict = {**tensor_dict, fields.image: images}
        original(self, tensor_dict, *args, **kwargs)


def restored_variables() -> None:
    """Print how many of the model's variables `fine_tune_checkpoint` has; optimizer slots do not count.

    The trainer only warns of what does not match; with a checkpoint of another model it trains from scratch. Now it
    raises, when it builds its graph:
        DataError: no variable of the model matched.
    """
    import tensorflow.compat.v1 as tf
    from object_detection.utils import variables_helper

    @wrap(variables_helper, "get_variables_available_in_checkpoint")
    def restore_and_report(original, variables, checkpoint_path: str, include_global_step: bool = True):
        available = original(variables, checkpoint_path, include_global_step)
        of_model = {variable.op.name for variable in tf.model_variables()}
        wanted = sorted(name for name, variable in variables.items() if variable.op.name in of_model)
        missing = [name for name in wanted if name not in available]
        if len(missing) == len(wanted):
            problem = (
                f"fine_tune_checkpoint {checkpoint_path} has none of the {len(wanted)} variables of this model (looked "
                f"for {wanted[0]} ...); it belongs to another model, or fine_tune_checkpoint_type is wrong: "
                '"classification" for a backbone trained on ImageNet, "detection" for a whole detector'
            )
            raise DataError([problem], "the training was not started")
        others = f"; the rest starts untrained, e.g. {missing[0]}" if missing else ""
        count = f"{len(wanted) - len(missing)} of {len(wanted)}"
        print(f"Restored {count} variables from {checkpoint_path}{others}", flush=True)
        return available
