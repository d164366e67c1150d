"""The hooks into the API's trainer and evaluator: how they are installed, and what each changes."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

from scripts.lib.config import api_limits, override, pipeline_config
from scripts.lib.core import files
from scripts.lib.core.boxes import Detection
from scripts.lib.core.errors import DataError
from scripts.lib.evaluation import event_files, metrics_file
from scripts.lib.object_detection_api import hooks, protos
from scripts.lib.records import tf_example, tf_record

SIZES = ((300, 200), (96, 128), (64, 32), (600, 600))  # width, height


@pytest.fixture
def restored(tf, monkeypatch):
    """Puts back what the hooks replace."""
    from object_detection import eval_util
    from object_detection.core import batcher
    from object_detection.legacy import evaluator
    from object_detection.utils import variables_helper, visualization_utils
    from tensorflow.python.training import training_util

    for owner, names in (
        (batcher.BatchQueue, ("__init__",)),
        (variables_helper, ("get_variables_available_in_checkpoint",)),
        (tf.summary, ("histogram", "image")),
        (tf.summary.FileWriter, ("add_graph", "add_meta_graph")),
        (training_util, ("write_graph",)),
        (eval_util, ("visualize_detection_results", "write_metrics")),
        (visualization_utils, ("visualize_boxes_and_labels_on_image_array",)),
        (evaluator, ("get_evaluators",)),
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
    hooks.small_event_files()
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
    hooks.grouped_images()
    hooks.grouped_images()
    eval_util.visualize_detection_results({}, "image-0", 7, categories=[])
    assert tags == ["Detections/image-0"]


def test_pictures_of_the_evaluation_are_drawn_by_ours(restored):
    from object_detection.utils import visualization_utils

    calls = []

    def draw(image, detections, class_names):
        calls.append((detections, class_names))
        return Image.new("RGB", image.size, "red")

    def visualize(image, classes, scores, **options):
        boxes = np.array([[1, 2, 30, 40], [5, 6, 7, 8], [1, 1, 9, 9]])
        visualization_utils.visualize_boxes_and_labels_on_image_array(
            image, boxes, classes, scores, category_index, max_boxes_to_draw=20, min_score_thresh=0.5, **options
        )
        return image

    category_index = {2: {"id": 2, "name": "Röcke"}, 1: {"id": 1, "name": "Tops"}}
    hooks.drawn_detections(draw)
    image = visualize(np.zeros((50, 60, 3), np.uint8), np.array([2, 1, 1]), np.array([0.9, 0.4, 0.7]))
    assert (image == (255, 0, 0)).all()
    assert calls == [([Detection("Röcke", 0.9, 2, 1, 40, 30), Detection("Tops", 0.7, 1, 1, 9, 9)], ["Tops", "Röcke"])]

    truth = visualize(np.full((50, 60, 3), 255, np.uint8), None, None, keypoints=None)
    assert len(calls) == 1 and {tuple(color) for color in truth.reshape(-1, 3)} == {(0, 0, 0), (255, 255, 255)}


def test_hands_on_the_metrics_that_the_evaluator_writes(tf, restored, tmp_path):
    from object_detection import eval_util

    seen = []
    hooks.metrics(lambda *_: pytest.fail("the later hook counts"))
    hooks.metrics(lambda metrics, step: seen.append((metrics, step)))
    eval_util.write_metrics({"mAP": np.float32(0.5)}, np.int64(7), str(tmp_path))
    tf.summary.FileWriterCache.get(str(tmp_path)).flush()
    assert seen == [({"mAP": 0.5}, 7)]
    assert event_files.read_scalars(tmp_path)["mAP"][0].value == 0.5


def test_images_that_the_evaluator_skips_are_counted(tf, monkeypatch, capsys):
    from object_detection import eval_util

    def run(tensor_dict, evaluators, batch_processor, *args):
        counters = {"skipped": 0, "success": 0}
        results = [batch_processor(tensor_dict, None, batch, counters, losses_dict={}) for batch in range(args[-1])]
        return 7, results

    def process(tensor_dict, session, batch, counters, losses_dict=None):
        counters["skipped"] += batch == 2
        return batch

    monkeypatch.setattr(eval_util, "_run_checkpoint_once", run)
    hooks.evaluated_images(4)
    assert eval_util._run_checkpoint_once({}, [], process, ["train"], 4) == (7, [0, 1, 2, 3])
    assert "warning: 1 of 4 images were left out, since TensorFlow cannot decode them" in capsys.readouterr().err
    assert eval_util._run_checkpoint_once({}, [], process, ["train"], 2) == (7, [0, 1])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("step", "interval", "expected"), [(100, None, (100, 300)), (0, 5.0, (None, 5.0))])
def test_the_evaluator_ends_with_the_last_step(step, interval, expected, tf, monkeypatch):
    from object_detection import eval_util

    def run(*, eval_interval_secs, max_evaluation_global_step):
        return max_evaluation_global_step, eval_interval_secs

    monkeypatch.setattr(eval_util, "repeated_checkpoint_run", run)
    hooks.evaluate_until(step, interval)
    assert eval_util.repeated_checkpoint_run(eval_interval_secs=300) == expected


def test_the_original_is_the_first_argument_and_wrapping_again_replaces_ours():
    api = SimpleNamespace(double=lambda value: 2 * value)

    @hooks.wrap(api, "double")
    def fail(original, value):
        raise AssertionError("the later wrapping counts")

    @hooks.wrap(api, "double")
    def plus_one(original, value):
        return original(value) + 1

    assert api.double(5) == 11
    assert plus_one(abs, -3) == 4, "the decorated function stays callable"


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

    hooks.restored_variables()
    with tf.Graph().as_default():
        shapes = {"Backbone/weights": [3, 4], "Backbone/bias": [4], "Head/weights": [4, 6]}
        variables = model_variables(tf, **shapes)
        variables["Backbone/bias/Adam"] = tf.get_variable("slot", [4])  # no model variable: does not count
        available = variables_helper.get_variables_available_in_checkpoint(variables, checkpoint, False)
    assert set(available) == {"Backbone/weights", "Backbone/bias"}
    others = "the rest starts untrained, e.g. Head/weights"
    assert capsys.readouterr().out == f"Restored 2 of 3 variables from {checkpoint}; {others}\n"


def test_refuses_a_checkpoint_of_another_model(tf, restored, checkpoint):
    from object_detection.utils import variables_helper

    hooks.restored_variables()
    with tf.Graph().as_default(), pytest.raises(DataError, match="none of the 1 variables .* Other/weights"):
        variables_helper.get_variables_available_in_checkpoint(
            model_variables(tf, **{"Other/weights": [3, 4]}), checkpoint, False
        )


@pytest.fixture
def config(tmp_path):
    """A sample config of 64x64 pixels, without augmentation, and a record of photos of several sizes, in order."""
    with (tmp_path / "train.record").open("wb") as file:
        for number, size in enumerate(SIZES):
            pixels = np.random.default_rng(number).integers(0, 256, (size[1] // 32, size[0] // 32, 3), np.uint8)
            encoded = io.BytesIO()
            Image.fromarray(pixels).resize(size).save(encoded, "JPEG" if number else "PNG")
            names = {
                "image/encoded": [encoded.getvalue()],
                "image/format": [b"jpeg" if number else b"png"],
                "image/source_id": [str(number).encode()],
                "image/filename": [str(number).encode()],
                "image/object/class/text": [b"Tops"],
            }
            corners = {
                f"image/object/bbox/{name}": [value]
                for name, value in zip(("xmin", "ymin", "xmax", "ymax"), (0.25, 0.25, 0.75, 0.5), strict=True)
            }
            tf_record.write_record(
                file, tf_example.serialized(tf_example.example(names, corners, {"image/object/class/label": [1]}))
            )
    config = pipeline_config.read(files.default_path("configs/ssd_mobilenet_v1_sample.config"))
    override.set_input_size(config, 64)
    config.train_input_reader.tf_record_input_reader.input_path[:] = [(tmp_path / "train.record").as_posix()]
    config.train_input_reader.shuffle = False
    config.train_input_reader.num_readers = config.train_config.num_batch_queue_threads = 1
    config.train_config.batch_size = len(SIZES)
    del config.train_config.data_augmentation_options[:]
    return config


def first_batch(tf, config) -> tuple[list[tuple[int, ...]], np.ndarray, np.ndarray]:
    """By the trainer's own functions: shapes of the queued images, what the model gets, and the boxes."""
    from object_detection.builders import dataset_builder, model_builder
    from object_detection.legacy import trainer

    reader, train = config.train_input_reader, config.train_config
    with tf.Graph().as_default(), tf.Session() as session:
        queue = trainer.create_input_queue(
            train.batch_size,
            lambda: dataset_builder.make_initializable_iterator(dataset_builder.build(reader)).get_next(),
            train.batch_queue_capacity,
            train.num_batch_queue_threads,
            train.prefetch_queue_capacity,
            [],
        )
        model = model_builder.build(config.model, is_training=True)
        images, _, boxes, *_ = trainer.get_inputs(queue, 6)
        inputs = [model.preprocess(image)[0] for image in images]
        session.run([tf.local_variables_initializer(), tf.tables_initializer()])
        coordinator = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(session, coordinator)
        queued, given, boxes = session.run([list(images), inputs, list(boxes)])
        coordinator.request_stop()
        session.run(queue._queue.close(cancel_pending_enqueues=True))
        session.close()
        coordinator.join(threads, stop_grace_period_secs=10, ignore_live_threads=True)
    return [image.shape for image in queued], np.concatenate(given), np.concatenate(boxes)


def test_the_model_gets_the_same_images_and_boxes_from_smaller_queues(tf, config, restored):
    shapes, expected, boxes = first_batch(tf, config)
    assert sorted(shapes) == sorted((1, height, width, 3) for width, height in SIZES)
    hooks.early_resizing(config.model)
    shapes, given, boxes_early = first_batch(tf, config)
    assert shapes == [(1, 64, 64, 3)] * len(SIZES)
    np.testing.assert_allclose(given, expected, atol=1e-5)
    np.testing.assert_array_equal(boxes_early, boxes)


def test_a_model_whose_input_has_no_fixed_size_is_left_alone(tf, restored):
    from object_detection.core import batcher

    before = batcher.BatchQueue.__init__
    model = text_format.Parse(
        "faster_rcnn { image_resizer { keep_aspect_ratio_resizer { min_dimension: 600 } } }",
        protos.load("model").DetectionModel(),
    )
    hooks.early_resizing(model)
    assert batcher.BatchQueue.__init__ is before


@pytest.mark.parametrize("names", [[], *([name] for name in api_limits.METRICS), list(api_limits.METRICS)])
def test_every_metrics_set_gives_the_number_that_counts(restored, names):
    """Case 1: a perfect detection has a perfect score under each of them, and under all at once."""
    from object_detection.legacy import evaluator

    hooks.all_metrics()
    config = protos.load("eval").EvalConfig(metrics_set=names, include_metrics_per_category=True)
    boxes, classes = np.array([[10, 10, 90, 90]], np.float32), np.array([1])
    metrics = {}
    for one in evaluator.get_evaluators(config, [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]):
        truth = {"groundtruth_boxes": boxes, "groundtruth_classes": classes, "groundtruth_group_of": np.zeros(1, bool)}
        one.add_single_ground_truth_image_info("0", truth)
        found = {"detection_boxes": boxes, "detection_scores": np.ones(1, np.float32), "detection_classes": classes}
        one.add_single_detected_image_info("0", found)
        metrics.update(one.evaluate())
    headline = metrics_file.headline(metrics_file.Evaluation(1, 1, metrics))
    assert headline.value == pytest.approx(1.0)
    if names == ["coco_detection_metrics"]:
        assert headline.name == "mAP@[.5:.95]"
    else:
        assert headline.by_class["a"] == pytest.approx(1.0)
    assert len(names) < 2 or "DetectionBoxes_Precision/mAP@.75IOU" in metrics
