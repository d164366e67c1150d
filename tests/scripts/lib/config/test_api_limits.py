"""What the API refuses is said before TensorFlow is imported, and nothing else (cases 3, 7, 16, 32, 42, 43)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import text_format

from scripts.lib.config import api_limits, pipeline_config
from scripts.lib.core import files
from scripts.lib.object_detection_api import protos
from tests import small_project

OURS = sorted((files.REPOSITORY_ROOT / "configs").glob("*.config"))
SAMPLES = os.environ.get("OBJECT_DETECTION_CONFIGS")

SSD = small_project.MODEL
FASTER_RCNN = """model { faster_rcnn {
  num_classes: 2
  image_resizer { keep_aspect_ratio_resizer { } }
  feature_extractor { type: "faster_rcnn_inception_v2" }
  first_stage_anchor_generator { grid_anchor_generator { scales: [0.25, 0.5] aspect_ratios: [1.0] } }
  first_stage_box_predictor_conv_hyperparams { }
  initial_crop_size: 14 maxpool_kernel_size: 2 maxpool_stride: 2
  second_stage_box_predictor { mask_rcnn_box_predictor { fc_hyperparams { op: FC } } }
} }
"""
REST = 'train_config { optimizer { adam_optimizer { learning_rate { constant_learning_rate { } } } } fine_tune_checkpoint: "a" }'
LAST = "} }\n"  # of a model


def config_of(text: str):
    return text_format.Parse(text, protos.load("pipeline").TrainEvalPipelineConfig())


def findings_of(config) -> list[str]:
    reader = config.eval_input_reader[0] if config.eval_input_reader else protos.load("input_reader").InputReader()
    found = api_limits.check_model(config, "a.config") + api_limits.check_training(config, "a.config")
    return [str(finding) for finding in found + api_limits.check_evaluation(config, "a.config", reader)]


def changed(base: str, old: str, new: str) -> str:
    assert old in base, old
    return base.replace(old, new, 1)


def with_model(base: str, addition: str) -> str:
    return base.removesuffix(LAST) + addition + LAST


LEARNING_RATE = "constant_learning_rate { }"
MODELS = [  # the model, what is said of it
    ("model { }", "model: is missing or empty"),
    ("model { center_net { } }", "model.center_net: exists in TensorFlow 2 only; the nearest in graph mode is"),
    ("model { experimental_model { } }", "model.experimental_model: exists in TensorFlow 2 only"),
    (
        changed(SSD, "_v1", "_v1_fpn_keras"),
        "model.ssd.feature_extractor.type: 'ssd_mobilenet_v1_fpn_keras' exists in T",
    ),
    (
        changed(SSD, '"ssd_mobilenet_v1"', '"ssd_mobilenet_v1" fpn { }'),
        "feature_extractor.fpn: ssd_mobilenet_v1 does not",
    ),
    (changed(SSD, "_v1", "_v9"), "model.ssd has no 'ssd_mobilenet_v9'; write 'ssd_mobilenet_v"),
    (
        changed(SSD, small_project.RESIZER, ""),
        "model.ssd.image_resizer: is missing or empty; write e.g. image_resizer {",
    ),
    (changed(SSD, "faster_rcnn_box_coder { }", ""), "model.ssd.box_coder: is missing"),
    (changed(SSD, "argmax_matcher { }", ""), "model.ssd.matcher: is missing"),
    (changed(SSD, "iou_similarity { }", ""), "model.ssd.similarity_calculator: is missing"),
    (changed(SSD, "ssd_anchor_generator { }", ""), "model.ssd.anchor_generator: is missing"),
    (changed(SSD, "convolutional_box_predictor { }", ""), "model.ssd.box_predictor: is missing"),
    (changed(SSD, "weighted_sigmoid { }", ""), "model.ssd.loss.classification_loss: is missing"),
    (changed(SSD, "weighted_smooth_l1 { }", ""), "model.ssd.loss.localization_loss: is missing"),
    (changed(SSD, "height: 300", "height: 0"), "fixed_shape_resizer.height: is 0, expected at least 1"),
    (changed(SSD, "width: 300", "width: 1000000"), "300x1,000,000 pixels are more than TensorFlow can hold"),
    (changed(SSD, "width: 300", "width: -1"), "fixed_shape_resizer.width: is -1, expected at least 1"),
    (changed(SSD, "height: 300 width: 300", "height: 1000000 width: 1000000"), "1,000,000x1,000,000 pixels are more"),
    (
        changed(SSD, small_project.RESIZER, "keep_aspect_ratio_resizer { min_dimension: 2000 }"),
        "min_dimension: 2000 is above max_dimension 1024",
    ),
    (changed(SSD, small_project.RESIZER, "conditional_shape_resizer { condition: INVALID }"), "condition: is INVALID"),
    (
        changed(SSD, "ssd_anchor_generator { }", "ssd_anchor_generator { num_layers: 5 }"),
        "anchors for 5 feature maps, but",
    ),
    (
        changed(SSD, "ssd_anchor_generator { }", "multiscale_anchor_generator { }"),
        "anchors for 5 feature maps, but ssd_m",
    ),
    (
        changed(
            SSD,
            "convolutional_box_predictor { }",
            "convolutional_box_predictor { conv_hyperparams { sync_batch_norm { } } }",
        ),
        "conv_hyperparams.sync_batch_norm: exists in TensorFlow 2 only; write batch_norm",
    ),
    (
        changed(
            SSD,
            "loss { classification_loss { weighted_sigmoid {",
            "loss { hard_example_miner { } classification_loss { weighted_sigmoid_focal {",
        ),
        "loss.hard_example_miner: does not go with classification_loss.weighted_sigmoid_focal",
    ),
    (
        with_model(SSD, "post_processing { batch_non_max_suppression { max_total_detections: 10 } }"),
        "max_detections_per_class: 100 is above max_total_detections 10",
    ),
    (
        with_model(SSD, "post_processing { batch_non_max_suppression { iou_threshold: 1.5 } }"),
        "is 1.5, expected 0 to 1",
    ),
    (
        with_model(SSD, "explicit_background_class: true"),
        "does not go with add_background_class, which is true by default",
    ),
    (changed(FASTER_RCNN, "initial_crop_size: 14", ""), "faster_rcnn.initial_crop_size: is 0, expected at least 1"),
    (with_model(FASTER_RCNN, "number_of_stages: 4"), "number_of_stages: is 4, expected 1 to 3"),
    (
        with_model(FASTER_RCNN, "inplace_batchnorm_update: true"),
        "inplace_batchnorm_update: the API does not support it",
    ),
    (
        with_model(FASTER_RCNN, "first_stage_nms_iou_threshold: -1"),
        "first_stage_nms_iou_threshold: is -1, expected 0 to 1",
    ),
]
MODELS += [
    (
        changed(SSD, "argmax_matcher { }", "argmax_matcher { matched_threshold: 0.4 }"),
        "0.5 is above matched_threshold 0.4",
    ),
    (
        changed(SSD, "faster_rcnn_box_coder { }", "faster_rcnn_box_coder { y_scale: 0 }"),
        "y_scale: is 0, expected above 0",
    ),
    (
        changed(SSD, '"ssd_mobilenet_v1"', '"ssd_inception_v2"'),
        "override_base_feature_extractor_hyperparams: ssd_inception_v2 needs it; write true",
    ),
    (
        changed(SSD, '"ssd_mobilenet_v1"', '"ssd_mobilenet_v1" depth_multiplier: 0'),
        "feature_extractor.depth_multiplier: is 0, expected above 0",
    ),
    (
        changed(SSD, "loss {", "loss { random_example_sampler { positive_sample_fraction: 1.5 }"),
        "positive_sample_fraction: is 1.5, expected above 0, up to 1",
    ),
    (
        changed(
            FASTER_RCNN, '"faster_rcnn_inception_v2"', '"faster_rcnn_inception_v2" first_stage_features_stride: 32'
        ),
        "first_stage_features_stride: is 32, expected 8 or 16, and 16 for NAS; write 16",
    ),
    (with_model(FASTER_RCNN, "second_stage_balance_fraction: 1.5"), "balance_fraction: is 1.5, expected 0 to 1"),
]
LATER = (  # refused when the graph is built or run, not by the model's builder
    "expected at least 1",
    "pixels",
    "feature maps",
    "depth_multiplier",
)


@pytest.mark.parametrize(("model", "says"), MODELS, ids=[says[:40] for _, says in MODELS])
def test_models(model, says):
    found = [finding for finding in findings_of(config_of(model + REST)) if says in finding]
    assert len(found) == 1, findings_of(config_of(model + REST))


def test_the_builder_refuses_the_same_models(tf):
    from object_detection.builders import model_builder

    for model in (SSD, FASTER_RCNN):
        assert findings_of(config_of(model + REST)) == []
        model_builder.build(config_of(model).model, is_training=True)
    for model, says in MODELS:
        if not any(part in says for part in LATER):
            with pytest.raises((ValueError, KeyError, TypeError, AssertionError)):
                model_builder.build(config_of(model).model, is_training=True)


TRAINING = [
    (
        LEARNING_RATE,
        "",
        "train_config.optimizer.adam_optimizer.learning_rate: is missing or empty; write e.g. learning_rate {",
    ),
    (LEARNING_RATE, "constant_learning_rate { learning_rate: nan }", "constant_learning_rate.learning_rate: is nan"),
    (LEARNING_RATE, "manual_step_learning_rate { }", "manual_step_learning_rate.schedule: is empty"),
    (LEARNING_RATE, "manual_step_learning_rate { schedule { step: 9 } schedule { step: 9 } }", "has the steps [9, 9]"),
    (
        LEARNING_RATE,
        "cosine_decay_learning_rate { total_steps: 9 }",
        "warmup_steps: 10000 is above total_steps 9; lower it",
    ),
    (
        "fine_tune",
        'fine_tune_checkpoint_type: "full" fine_tune',
        "fine_tune_checkpoint_type: there is no 'full' in graph mode",
    ),
    ("fine_tune", "batch_size: 0 fine_tune", "train_config.batch_size: is 0, expected 1 to 65,536"),
    ("fine_tune", "batch_size: 2147483648 fine_tune", "train_config.batch_size: is 2.14748e+09, expected 1 to 65,536"),
    (
        "fine_tune",
        "data_augmentation_options { } fine_tune",
        "train_config.data_augmentation_options[0]: is empty; remove it",
    ),
    (
        "fine_tune",
        'freeze_variables: ".*" fine_tune',
        "freeze_variables: '.*' fits every variable; leave some to be tr",
    ),
    (LEARNING_RATE, "exponential_decay_learning_rate { decay_steps: 0 }", "decay_steps: is 0, expected at least 1"),
    ("fine_tune", 'freeze_variables: "(" fine_tune', "train_config.freeze_variables: '(' is no regular expression"),
    (
        REST,
        REST + " graph_rewriter { quantization { } }",
        "graph_rewriter: needs tensorflow.contrib, which ended with T",
    ),
    (
        REST,
        REST + " train_input_reader { num_readers: 0 }",
        "train_input_reader.num_readers: is 0, expected at least 1",
    ),
    (REST, REST + " train_input_reader { shuffle_buffer_size: 0 }", "train_input_reader.shuffle_buffer_size: is 0"),
    (
        "fine_tune",
        "use_multiclass_scores: true fine_tune",
        "train_config.use_multiclass_scores: needs train_input_reader.load_multiclass_scores; write false",
    ),
    ("fine_tune", "num_batch_queue_threads: 0 fine_tune", "num_batch_queue_threads: is 0, expected at least 1"),
    ("fine_tune", "prefetch_queue_capacity: 0 fine_tune", "prefetch_queue_capacity: is 0, expected at least 1"),
    (
        REST,
        REST
        + " train_input_reader { sample_from_datasets_weights: [1, 1] tf_record_input_reader { input_path: 'a' } }",
        "sample_from_datasets_weights: is [1.0, 1.0], expected a weight for each of 1 input_path, one above 0; correct",
    ),
    (
        REST,
        REST + " train_input_reader { sample_from_datasets_weights: 0 tf_record_input_reader { input_path: 'a' } }",
        "sample_from_datasets_weights: is [0.0], expected a weight for each of 1 input_path, one above 0",
    ),
    (
        REST,
        REST + ' eval_config { metrics_set: "coco_metrics" }',
        "has no 'coco_metrics'; write 'coco_detection_metrics' or ",
    ),
    (
        REST,
        REST + ' eval_config { metrics_set: "coco_mask_metrics" }',
        "'coco_mask_metrics' needs masks, which the model does",
    ),
    ("fine_tune", "merge_multiple_label_boxes: true fine_tune", "the API's trainer fails with it; write false"),
    (
        REST,
        REST + " eval_config { ignore_groundtruth: true }",
        "eval_config.ignore_groundtruth: leaves nothing to measure",
    ),
]


@pytest.mark.parametrize(("old", "new", "says"), TRAINING, ids=[new[-40:] for _, new, _ in TRAINING])
def test_training_and_evaluation(old, new, says):
    found = findings_of(config_of(SSD + changed(REST, old, new)))
    assert len(found) == 1
    assert says in found[0]


OPERATION = "min_object_covered: 0.5 min_aspect_ratio: 0.5 max_aspect_ratio: 2 min_area: 0.1 max_area: 1"
AUGMENTATIONS = [  # a step, what is said of it (None: nothing)
    ("normalize_image { }", "lacks original_minval, original_maxval, target_minval, target_maxval; write all four"),
    ("normalize_image { original_minval: 0 original_maxval: 255 target_minval: 0 target_maxval: 1 }", None),
    ("random_horizontal_flip { probability: 0 }", "probability: is 0, expected above 0; correct the value"),
    ("random_image_scale { min_scale_ratio: 0 max_scale_ratio: 0 }", "max_scale_ratio: is 0, expected above 0"),
    ("random_distort_color { color_ordering: 2 }", "color_ordering: is 2, expected 0 to 1"),
    ("random_crop_image { min_area: 0 }", "min_area: is 0, expected above 0; correct the value"),
    (
        "ssd_random_crop { operations { min_object_covered: 0.5 } }",
        "operations[0].max_aspect_ratio: is 0, expected abo",
    ),
    (f"ssd_random_crop {{ operations {{ {OPERATION} }} }}", None),
    ("random_crop_to_aspect_ratio { aspect_ratio: 0 }", "aspect_ratio: is 0, expected above 0"),
    (
        "random_pad_image { min_image_height: 9 }",
        "has one of min_image_height and min_image_width; write both, or none",
    ),
    ("random_jpeg_quality { min_jpeg_quality: 75 max_jpeg_quality: 75 }", "75 is not below max_jpeg_quality 75"),
    ("random_downscale_to_target_pixels { min_target_pixels: 600000 }", None),  # the API's own default is 800000
    ("random_downscale_to_target_pixels { max_target_pixels: 0 }", "max_target_pixels: is 0, expected above 0"),
    ("random_patch_gaussian { min_patch_size: 0 }", "min_patch_size: is 0, expected above 0"),
    ("resize_image { new_height: 64 }", "resize_image.new_width: is 0, expected above 0"),
    ("random_resize_method { target_height: 64 }", "target_width: is 0, expected above 0"),
    ('autoaugment_image { policy_name: "v9" }', "policy_name: there is no 'v9'; write v0, v1, v2, v3 or test"),
    ("subtract_channel_mean { }", "means: has 0 values, expected 3; correct the list"),
    ("subtract_channel_mean { means: [1, 2] }", "means: has 2 values, expected 3"),
    ("random_pad_image { pad_color: [1, 2] }", "pad_color: has 2 values, expected 3"),
    (
        "ssd_random_crop_pad_fixed_aspect_ratio { min_padded_size_ratio: 1 }",
        "min_padded_size_ratio: has 1 values, expected 2",
    ),
    (f"ssd_random_crop_pad {{ operations {{ {OPERATION} }} }}", "min_padded_size_ratio: has 0 values, expected 2"),
    (
        f"ssd_random_crop_pad {{ operations {{ {OPERATION} min_padded_size_ratio: [1, 1] max_padded_size_ratio: [2, 2]"
        " } }",
        None,
    ),
    ("random_pad_image { pad_color: [1, 2, 3] }", None),
    ("ssd_random_crop { }", None),
    ("random_square_crop_by_scale { }", None),
]


@pytest.mark.parametrize(("step", "says"), AUGMENTATIONS, ids=[step[:40] for step, _ in AUGMENTATIONS])
def test_augmentations(step, says):
    found = findings_of(
        config_of(SSD + changed(REST, "fine_tune", f"data_augmentation_options {{ {step} }} fine_tune"))
    )
    assert bool(found) == bool(says)
    assert not says or [finding for finding in found if says in finding]


def test_wrong_lists_are_told_in_the_same_order_in_each_run():
    step = f"data_augmentation_options {{ ssd_random_crop_pad {{ operations {{ {OPERATION} }} }} }}"
    found = findings_of(config_of(SSD + changed(REST, "fine_tune", f"{step} fine_tune")))
    told = [finding for finding in found if "correct the list" in finding]
    assert ["min_padded" in told[0], "max_padded" in told[1], len(told)] == [True, True, 2]


def test_the_preprocessor_refuses_the_same_augmentations(tf):
    from object_detection.builders import preprocessor_builder
    from object_detection.core import preprocessor

    def augment(step):
        config = config_of(f"train_config {{ data_augmentation_options {{ {step} }} }}")
        function = preprocessor_builder.build(config.train_config.data_augmentation_options[0])
        tensors = {
            "image": tf.zeros([1, 1000, 900, 3]),
            "groundtruth_boxes": tf.constant([[0.1, 0.1, 0.9, 0.9]]),
            "groundtruth_classes": tf.constant([1], tf.int64),
            "groundtruth_weights": tf.constant([1.0]),
        }
        arguments = preprocessor.get_default_func_arg_map(include_label_weights=True)
        tensors = preprocessor.preprocess(tensors, [function], func_arg_map=arguments)
        with tf.Session() as session:
            for _ in range(12):  # one of two branches is drawn
                session.run([tensors["image"], tensors["groundtruth_boxes"]])

    for step, says in AUGMENTATIONS:
        with tf.Graph().as_default():
            if says is None:
                augment(step)
            else:
                with pytest.raises(
                    (ValueError, TypeError, KeyError, ZeroDivisionError, tf.errors.InvalidArgumentError)
                ):
                    augment(step)
                    pytest.fail(f"{step} runs")


def test_more_scales_than_layers_are_not_read():
    generator = "ssd_anchor_generator { num_layers: 6 scales: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8] }"
    assert findings_of(config_of(changed(SSD, "ssd_anchor_generator { }", generator) + REST)) == []


def test_moving_averages_that_nobody_keeps():
    ask = " eval_config { use_moving_averages: true }"
    assert findings_of(config_of(SSD + REST + ask)) == []
    none = changed(REST, "optimizer {", "optimizer { use_moving_average: false")
    assert "eval_config.use_moving_averages: is true, but the optimizer" in findings_of(config_of(SSD + none + ask))[0]


@pytest.mark.parametrize(
    ("base", "part", "says"),
    [
        (SSD, "use_combined_nms: true", "write change_coordinate_frame: false beside it"),
        (SSD, "use_combined_nms: true change_coordinate_frame: false", None),
        (SSD, "use_combined_nms: true change_coordinate_frame: false soft_nms_sigma: 0.5", "go with soft_nms_sigma"),
        (
            SSD,
            "use_combined_nms: true use_class_agnostic_nms: true change_coordinate_frame: false",
            "use_class_agnostic",
        ),
        (FASTER_RCNN, "use_combined_nms: true change_coordinate_frame: false", "the API supports it for SSD only"),
    ],
)
def test_combined_suppression(base, part, says):
    """Case 16."""
    field = "post_processing" if base == SSD else "second_stage_post_processing"
    found = findings_of(config_of(with_model(base, f"{field} {{ batch_non_max_suppression {{ {part} }} }}") + REST))
    assert len(found) == bool(says)
    assert not says or says in found[0]


def test_masks_need_masks():
    """Case 1."""
    masks = changed(FASTER_RCNN, "fc_hyperparams", "predict_instance_masks: true fc_hyperparams")
    asked = ' eval_config { metrics_set: "coco_mask_metrics" }'
    found = findings_of(config_of(masks + REST + asked))
    assert [finding.split(": ")[2] for finding in found] == [
        "train_input_reader.load_instance_masks",
        "eval_input_reader.load_instance_masks",
    ]
    readers = "train_input_reader { load_instance_masks: true } eval_input_reader { load_instance_masks: true }"
    assert findings_of(config_of(masks + REST + asked + readers)) == []


def test_all_at_once_and_what_is_not_read_in_graph_mode():
    text = changed(
        FASTER_RCNN,
        '"faster_rcnn_inception_v2"',
        '"faster_rcnn_inception_v2" conv_hyperparams { force_use_bias: true }',
    )
    assert findings_of(config_of(text + REST)) == []
    text = changed(SSD, "argmax_matcher { }", "") + changed(REST, LEARNING_RATE, "") + " graph_rewriter { }"
    assert len(findings_of(config_of(text))) == 3


def test_the_metrics_are_those_of_the_api(tf):
    from object_detection import eval_util
    from object_detection.legacy import evaluator

    theirs = {*eval_util.EVAL_METRICS_CLASS_DICT, *evaluator.EVAL_METRICS_CLASS_DICT}
    need_other_data = {"coco_keypoint_metrics", "coco_panoptic_metrics", "lvis_mask_metrics"}
    assert {*api_limits.METRICS, *api_limits.MASK_METRICS} == theirs - need_other_data


def test_the_trainer_cannot_merge_boxes(tf):
    from object_detection.utils import ops

    with pytest.raises(TypeError, match="num_classes"):
        ops.merge_boxes_with_multiple_labels([[0.0, 0, 1, 1]], [0], 1)  # as legacy/trainer.py calls it


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_our_configs_are_accepted(path):
    assert findings_of(pipeline_config.read(path)) == []


def test_the_apis_sample_configs():
    """Those that the API trains here are accepted; the others are quantised or of TensorFlow 2."""
    if not SAMPLES:
        pytest.skip("set OBJECT_DETECTION_CONFIGS to a folder with the API's samples/configs")
    paths = sorted(Path(SAMPLES).rglob("*.config"))
    assert len(paths) > 50
    for path in paths:
        text = path.read_text(encoding="utf-8")
        found = findings_of(pipeline_config.read(path))
        marks = ("graph_rewriter", "_keras", "open_images_metrics", "merge_multiple_label_boxes")
        assert bool(found) == any(mark in text for mark in marks), (path.name, found)


def test_it_is_said_before_tensorflow_is_imported(tmp_path):
    (tmp_path / "a.config").write_text(changed(SSD, "_v1", "_v2_keras") + REST, encoding="utf-8")
    for command in (
        ["train.py", "--train_dir=t"],
        ["eval.py", "--checkpoint_dir=t", "--eval_dir=e"],
        ["export_inference_graph.py", "--trained_checkpoint_prefix=t", "--output_directory=o"],
    ):
        script = files.REPOSITORY_ROOT / "scripts" / command[0]
        watched = [sys.executable, "-X", "importtime", script, *command[1:], "--pipeline_config_path=a.config"]
        done = subprocess.run(watched, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 1
        assert "'ssd_mobilenet_v2_keras' exists in TensorFlow 2 only" in done.stderr
        assert not any(line.endswith(" tensorflow") for line in done.stderr.splitlines())
