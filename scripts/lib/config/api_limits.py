"""Check a config against what the Object Detection API's builders refuse, or hang on, without TensorFlow.

The API says most of it in a traceback, when half its graph is built. Tests hold these rules against its builders. Each
rule yields where something is wrong (e.g. "train_config.optimizer"), what, and what to write instead.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import Message

from scripts.lib.config import feature_extractors, pipeline_config
from scripts.lib.config.feature_extractors import TENSORFLOW_2
from scripts.lib.config.pipeline_config import SEE_CONFIGS, finding
from scripts.lib.core.errors import Finding
from scripts.lib.core.wording import counted

Rules = Iterator[tuple[str, str, str]]  # place, message, remedy

METRICS = (
    "pascal_voc_detection_metrics",
    "weighted_pascal_voc_detection_metrics",
    "coco_detection_metrics",
    "precision_at_recall_detection_metrics",
    "oid_V2_detection_metrics",
    "open_images_V2_detection_metrics",
    "oid_challenge_detection_metrics",
    "oid_challenge_object_detection_metrics",
)
MASK_METRICS = {  # -> what measures the boxes in the same way
    "pascal_voc_instance_segmentation_metrics": "pascal_voc_detection_metrics",
    "weighted_pascal_voc_instance_segmentation_metrics": "weighted_pascal_voc_detection_metrics",
    "coco_mask_metrics": "coco_detection_metrics",
    "oid_challenge_segmentation_metrics": "oid_challenge_detection_metrics",
}
FINE_TUNE_TYPES = ("detection", "classification")

_ABOVE_0 = math.ulp(0.0)
# Fields of augmentations; many fail in the one step of hundreds that draws them.
_STEP_ABOVE_0 = re.compile(
    "(new|target)_(height|width)|(min_|max_)?(area|aspect_ratio|scale_ratio|target_pixels|patch_size)"
)
_RANGES = (  # messages, fields, smallest and largest value
    ("Ssd", "num_classes", 1, math.inf),
    ("FasterRcnn", "num_classes first_stage_max_proposals second_stage_batch_size", 1, math.inf),
    ("FasterRcnn", "number_of_stages", 1, 3),
    ("FasterRcnn", "first_stage_nms_iou_threshold", 0, 1),
    ("FasterRcnn", "first_stage_positive_balance_fraction second_stage_balance_fraction", 0, 1),
    ("RandomExampleSampler", "positive_sample_fraction", _ABOVE_0, 1),
    ("SsdFeatureExtractor", "depth_multiplier", _ABOVE_0, math.inf),
    ("FasterRcnnBoxCoder", "y_scale x_scale height_scale width_scale", _ABOVE_0, math.inf),
    ("FixedShapeResizer", "height width", 1, math.inf),
    ("KeepAspectRatioResizer", "min_dimension max_dimension", 1, math.inf),
    ("ConditionalShapeResizer", "size_threshold", 1, math.inf),
    ("PadToMultipleResizer", "multiple", 1, math.inf),
    ("BatchNonMaxSuppression", "max_detections_per_class max_total_detections", 1, math.inf),
    ("BatchNonMaxSuppression", "iou_threshold", 0, 1),
    ("BatchNonMaxSuppression", "soft_nms_sigma", 0, math.inf),
    ("TrainConfig", "batch_size", 1, 2**16),
    ("TrainConfig", "batch_queue_capacity num_batch_queue_threads prefetch_queue_capacity", 1, math.inf),
    ("InputReader", "num_readers num_parallel_map_calls read_block_length", 1, math.inf),
    ("ExponentialDecayLearningRate", "decay_steps", 1, math.inf),
    ("RandomHorizontalFlip RandomVerticalFlip RandomRotation90", "probability", _ABOVE_0, math.inf),
    ("RandomDistortColor", "color_ordering", 0, 1),
)
_LENGTHS = {  # list -> its elements; those of _FULL may not be empty
    "pad_color": 3,
    "per_channel_pad_value": 3,
    "means": 3,
    "min_padded_size_ratio": 2,
    "max_padded_size_ratio": 2,
}
_FULL = ("SubtractChannelMean", "SSDRandomCropPadOperation")
_NOT_ABOVE = (  # message, field, the field that it may not exceed, and how far it has to stay below that
    ("KeepAspectRatioResizer", "min_dimension", "max_dimension", 0),
    ("BatchNonMaxSuppression", "max_detections_per_class", "max_total_detections", 0),
    ("CosineDecayLearningRate", "warmup_steps", "total_steps", 0),
    ("ArgMaxMatcher", "unmatched_threshold", "matched_threshold", 0),
    ("RandomJpegQuality", "min_jpeg_quality", "max_jpeg_quality", 1),
    ("RandomPatchGaussian", "min_patch_size", "max_patch_size", 1),
)
_NOT_BOTH = (  # message, and two of its fields of which only one may be true
    ("Ssd", "explicit_background_class", "add_background_class"),
    ("BatchNonMaxSuppression", "use_combined_nms", "use_class_agnostic_nms"),
)
_REFUSED = {  # message, field -> why it may not be set, or not be true; a remedy
    ("FasterRcnn", "inplace_batchnorm_update"): ("the API does not support it", "write false"),
    ("Hyperparams", "force_use_bias"): (TENSORFLOW_2, "remove it"),
    ("Hyperparams", "sync_batch_norm"): (TENSORFLOW_2, "write batch_norm"),
    ("Initializer", "keras_initializer_by_name"): (TENSORFLOW_2, "remove it"),
    ("InputReader", "external_input_reader"): ("the API has none", "write tf_record_input_reader"),
    # legacy/trainer.py calls merge_boxes_with_multiple_labels without the confidences that it wants
    ("TrainConfig", "merge_multiple_label_boxes"): ("the API's trainer fails with it", "write false"),
    ("EvalConfig", "ignore_groundtruth"): ("leaves nothing to measure", "write false"),
    ("PreprocessingStep", "scale_boxes_to_pixel_coordinates"): ("a model needs fractions", "remove it"),
}
_CHOICES = {  # message -> part that has to say of which kind it is -> an example
    "Ssd": {
        "image_resizer": "fixed_shape_resizer { height: 300 width: 300 }",
        "box_coder": "faster_rcnn_box_coder { }",
        "matcher": "argmax_matcher { }",
        "similarity_calculator": "iou_similarity { }",
        "anchor_generator": "ssd_anchor_generator { }",
        "box_predictor": "convolutional_box_predictor { }",
    },
    "Loss": {"classification_loss": "weighted_sigmoid { }", "localization_loss": "weighted_smooth_l1 { }"},
    "FasterRcnn": {
        "image_resizer": "keep_aspect_ratio_resizer { }",
        "first_stage_anchor_generator": "grid_anchor_generator { scales: [0.5, 1, 2] aspect_ratios: [0.5, 1, 2] }",
        "second_stage_box_predictor": "mask_rcnn_box_predictor { fc_hyperparams { op: FC } }",
    },
    "TrainConfig": {"optimizer": "adam_optimizer { learning_rate { constant_learning_rate { } } }"},
    **dict.fromkeys(
        ("RMSPropOptimizer", "MomentumOptimizer", "AdamOptimizer"), {"learning_rate": "constant_learning_rate { }"}
    ),
}
_UNREAD = {  # in graph mode
    "model.faster_rcnn.feature_extractor.conv_hyperparams",
    "model.faster_rcnn.feature_extractor.fpn",
    "model.ssd.mask_head_config",
}
_MOST_ROWS = 2**16
_MOST_PIXELS = (2**31 - 1) // 3  # of a tensor with three channels that TensorFlow's kernels index by int32


def check_model(config: Message, path: Path | str) -> list[Finding]:
    """Check what every use of the model needs."""
    return _findings(path, _model(config))


def check_training(config: Message, path: Path | str) -> list[Finding]:
    """Check what the training needs besides the model."""
    return _findings(path, _training(config))


def check_evaluation(config: Message, path: Path | str, reader: Message | None = None) -> list[Finding]:
    """Check what an evaluation (`reader`: of its record) or an export needs besides the model."""
    return _findings(path, _evaluation(config, reader))


def predicts_masks(config: Message) -> bool:
    """Return True for a Mask R-CNN."""
    model = config.model.faster_rcnn
    return model.second_stage_box_predictor.mask_rcnn_box_predictor.predict_instance_masks


def _findings(path: Path | str, rules: Rules) -> list[Finding]:
    return [finding(path, f"{place}: {message}", remedy) for place, message, remedy in rules]


def _model(config: Message) -> Rules:
    kind = config.model.WhichOneof("model")
    place = f"model.{kind}"
    if kind is None:
        yield "model", "is missing or empty", SEE_CONFIGS
    elif kind not in feature_extractors.GRAPH_MODE:
        yield place, TENSORFLOW_2, "the nearest in graph mode is an SSD with FPN, configs/ssd_mobilenet_v1_fpn.config"
    else:
        model = getattr(config.model, kind)
        yield from _feature_extractor(kind, model.feature_extractor, f"{place}.feature_extractor")
        yield from _general(model, place)
        yield from _ssd(model, place) if kind == "ssd" else _faster_rcnn(model, place)
    if config.HasField("graph_rewriter"):
        message = "needs tensorflow.contrib, which ended with TensorFlow 1"
        yield "graph_rewriter", message, "remove it; export_model.py --formats tflite makes an 8-bit model"


def _feature_extractor(kind: str, extractor: Message, place: str) -> Rules:
    if refused := feature_extractors.refusal(kind, extractor.type):
        yield f"{place}.type", *refused
    elif kind == "ssd":
        for field in feature_extractors.OPTIONAL_FIELDS:
            if extractor.HasField(field) and field != feature_extractors.GRAPH_MODE[kind][extractor.type]:
                yield f"{place}.{field}", f"{extractor.type} does not take it", "remove it"
        if extractor.type.startswith("ssd_inception") and not extractor.override_base_feature_extractor_hyperparams:
            yield f"{place}.override_base_feature_extractor_hyperparams", f"{extractor.type} needs it", "write true"
    elif extractor.first_stage_features_stride not in ((16,) if "nas" in extractor.type else (8, 16)):
        message = f"is {extractor.first_stage_features_stride}, expected 8 or 16, and 16 for NAS"
        yield f"{place}.first_stage_features_stride", message, "write 16"


def _ssd(model: Message, place: str) -> Rules:
    loss = model.loss
    if loss.HasField("hard_example_miner") and loss.classification_loss.HasField("weighted_sigmoid_focal"):
        message = "does not go with classification_loss.weighted_sigmoid_focal"
        yield f"{place}.loss.hard_example_miner", message, "remove one of the two"
    maps, anchors = _num_feature_maps(model.feature_extractor), _num_anchor_layers(model.anchor_generator)
    if maps and maps != anchors:
        message = f"has anchors for {anchors} feature maps, but {model.feature_extractor.type} makes {maps}"
        yield f"{place}.anchor_generator", message, f"write layers or levels for {maps}"


def _num_feature_maps(extractor: Message) -> int | None:
    """Return how many feature maps an SSD's extractor makes, where its config decides that."""
    field = feature_extractors.GRAPH_MODE["ssd"].get(extractor.type)
    if field == "num_layers":
        return extractor.num_layers
    return extractor.fpn.max_level - extractor.fpn.min_level + 1 if field == "fpn" else None


def _num_anchor_layers(generator: Message) -> int:
    kind = generator.WhichOneof("anchor_generator_oneof")
    if kind == "multiscale_anchor_generator":
        return generator.multiscale_anchor_generator.max_level - generator.multiscale_anchor_generator.min_level + 1
    if kind == "flexible_grid_anchor_generator":
        return len(generator.flexible_grid_anchor_generator.anchor_grid)
    ssd = generator.ssd_anchor_generator
    return 1 if kind == "grid_anchor_generator" else min(len(ssd.scales) or ssd.num_layers, ssd.num_layers)


def _faster_rcnn(model: Message, place: str) -> Rules:
    if model.number_of_stages > 1 and model.second_stage_box_predictor.HasField("mask_rcnn_box_predictor"):
        for field, usual in (("initial_crop_size", 14), ("maxpool_kernel_size", 2), ("maxpool_stride", 2)):
            if getattr(model, field) < 1:
                yield f"{place}.{field}", f"is {getattr(model, field)}, expected at least 1", f"write {field}: {usual}"


def _general(message: Message, place: str) -> Rules:
    """Check a message, and those below it, by the tables above."""
    kind = message.DESCRIPTOR.name
    for part, example in _CHOICES.get(kind, {}).items():
        chosen = getattr(message, part)
        if not chosen.WhichOneof(chosen.DESCRIPTOR.oneofs[0].name):
            yield f"{place}.{part}", "is missing or empty", f"write e.g. {part} {{ {example} }}"
    limits = [(names, least, most) for kinds, names, least, most in _RANGES if kind in kinds.split()]
    if "data_augmentation_options" in place:
        limits += [
            (name, _ABOVE_0, math.inf) for name in message.DESCRIPTOR.fields_by_name if _STEP_ABOVE_0.fullmatch(name)
        ]
    for names, least, most in limits:
        for name in names.split():
            value = getattr(message, name)
            if not least <= value <= most:
                expected = f"at least {least}" if most == math.inf else f"{least} to {most:,}"
                if least == _ABOVE_0:
                    expected = "above 0" if most == math.inf else f"above 0, up to {most}"
                yield f"{place}.{name}", f"is {value:g}, expected {expected}", "correct the value"
    for name in filter(message.DESCRIPTOR.fields_by_name.__contains__, _LENGTHS):
        if (length := len(getattr(message, name))) != _LENGTHS[name] and (length or kind in _FULL):
            yield f"{place}.{name}", f"has {length} values, expected {_LENGTHS[name]}", "correct the list"
    for name, limit, gap in (rule for of_kind, *rule in _NOT_ABOVE if of_kind == kind):
        value, most = getattr(message, name), getattr(message, limit)
        if value + gap > most and (message.HasField(limit) or not gap):  # the steps have defaults of their own
            above = "not below" if gap else "above"
            yield f"{place}.{name}", f"{value:.7g} is {above} {limit} {most:.7g}", "lower it, or raise the other"
    for name, other in (rule for of_kind, *rule in _NOT_BOTH if of_kind == kind):
        if getattr(message, name) and getattr(message, other):
            default = "" if message.HasField(other) else " by default"
            yield f"{place}.{name}", f"does not go with {other}, which is true{default}", "write false for one of them"
    if kind in _SPECIAL:
        yield from _SPECIAL[kind](message, place)
    for field, value in message.ListFields():
        inner = f"{place}.{field.name}"
        if inner in _UNREAD or (field.message_type and field.message_type.GetOptions().map_entry):
            continue
        if (kind, field.name) in _REFUSED and (field.message_type or value):
            yield inner, *_REFUSED[kind, field.name]
        for index, each in enumerate(value if field.is_repeated else [value]):
            if field.message_type:
                yield from _general(each, f"{inner}[{index}]" if field.is_repeated else inner)
            elif isinstance(each, float) and not math.isfinite(each):
                yield inner, f"is {each}", "write a number"


def _resizer(resizer: Message, place: str) -> Rules:
    kind = resizer.WhichOneof("image_resizer_oneof")
    fixed, ratio = resizer.fixed_shape_resizer, resizer.keep_aspect_ratio_resizer
    height, width = (fixed.height, fixed.width) if kind == "fixed_shape_resizer" else (ratio.min_dimension,) * 2
    if min(height, width) > 0 and (height * width > _MOST_PIXELS or max(height, width) > _MOST_ROWS):
        yield f"{place}.{kind}", f"{height:,}x{width:,} pixels are more than TensorFlow can hold", "lower them"
    if kind == "conditional_shape_resizer" and not resizer.conditional_shape_resizer.condition:
        yield f"{place}.{kind}.condition", "is INVALID", "write GREATER or SMALLER"


def _manual_steps(schedule: Message, place: str) -> Rules:
    steps = [item.step for item in schedule.schedule]
    if not steps:
        yield f"{place}.schedule", "is empty", "give it steps, or write constant_learning_rate"
    elif steps[0] == 0 or steps != sorted(set(steps)):
        yield f"{place}.schedule", f"has the steps {steps}, expected rising ones above 0", "put them in order"


def _cosine(schedule: Message, place: str) -> Rules:
    if schedule.warmup_steps and schedule.learning_rate_base < schedule.warmup_learning_rate:
        message = f"{schedule.warmup_learning_rate:g} is above learning_rate_base {schedule.learning_rate_base:g}"
        yield f"{place}.warmup_learning_rate", message, "lower it"


def _input_reader(reader: Message, place: str) -> Rules:
    weights, files = reader.sample_from_datasets_weights, reader.tf_record_input_reader.input_path
    if weights and (len(weights) != len(files) or min(weights) < 0 or not any(weights)):
        message = f"is {[*weights]}, expected a weight for each of {counted(len(files), 'input_path')}, one above 0"
        yield f"{place}.sample_from_datasets_weights", message, "correct the list, or remove it"
    for field in ("shuffle_buffer_size", "filenames_shuffle_buffer_size"):
        if reader.shuffle and not getattr(reader, field):
            yield f"{place}.{field}", "is 0", "write shuffle: false for none"


def _augmentation(step: Message, place: str) -> Rules:
    normalize, pad, policy = step.normalize_image, step.random_pad_image, step.autoaugment_image.policy_name
    lacking = [field.name for field in normalize.DESCRIPTOR.fields if not normalize.HasField(field.name)]
    if step.HasField("normalize_image") and lacking:
        yield f"{place}.normalize_image", f"lacks {', '.join(lacking)}", "write all four values"
    for size in ("min_image", "max_image"):
        if pad.HasField(f"{size}_height") != pad.HasField(f"{size}_width"):
            yield f"{place}.random_pad_image", f"has one of {size}_height and {size}_width", "write both, or none"
    if policy not in ("v0", "v1", "v2", "v3", "test"):
        yield f"{place}.autoaugment_image.policy_name", f"there is no {policy!r}", "write v0, v1, v2, v3 or test"


_SPECIAL = {
    "ImageResizer": _resizer,
    "PreprocessingStep": _augmentation,
    "ManualStepLearningRate": _manual_steps,
    "CosineDecayLearningRate": _cosine,
    "InputReader": _input_reader,
}


def _training(config: Message) -> Rules:
    train, model = config.train_config, config.model.faster_rcnn
    yield from _general(train, "train_config")
    yield from _reader(config, config.train_input_reader, "train_input_reader")
    kind = train.fine_tune_checkpoint_type
    if train.fine_tune_checkpoint and kind and kind not in FINE_TUNE_TYPES:
        remedy = 'write "detection" for a whole detector, "classification" for a backbone'
        yield "train_config.fine_tune_checkpoint_type", f"there is no {kind!r} in graph mode", remedy
    for index, step in enumerate(train.data_augmentation_options):
        if not step.WhichOneof("preprocessing_step"):
            yield f"train_config.data_augmentation_options[{index}]", "is empty", "remove it"
    if train.use_multiclass_scores and not config.train_input_reader.load_multiclass_scores:
        yield "train_config.use_multiclass_scores", "needs train_input_reader.load_multiclass_scores", "write false"
    for pattern in train.freeze_variables:
        try:
            if re.match(pattern, ""):
                yield "train_config.freeze_variables", f"{pattern!r} fits every variable", "leave some to be trained"
        except re.error as error:
            yield "train_config.freeze_variables", f"{pattern!r} is no regular expression ({error})", "correct it"
    if config.model.HasField("faster_rcnn") and model.second_stage_batch_size > model.first_stage_max_proposals:
        most = model.first_stage_max_proposals
        yield "model.faster_rcnn.second_stage_batch_size", f"is above first_stage_max_proposals {most}", f"write {most}"


def _reader(config: Message, reader: Message, place: str) -> Rules:
    yield from _general(reader, place)
    if predicts_masks(config) and not reader.load_instance_masks:
        remedy = "write true, or predict_instance_masks: false in the box predictor"
        yield f"{place}.load_instance_masks", "is false, but the model predicts masks", remedy


def _evaluation(config: Message, reader: Message | None) -> Rules:
    settings, optimizer = config.eval_config, config.train_config.optimizer
    if reader is not None:
        yield from _general(settings, "eval_config")
        yield from _reader(config, reader, "eval_input_reader")
        yield from _metrics(config)
    if settings.use_moving_averages and optimizer.WhichOneof("optimizer") and not optimizer.use_moving_average:
        message = "is true, but the optimizer keeps none (use_moving_average: false)"
        yield "eval_config.use_moving_averages", message, "write false"
    kind = config.model.WhichOneof("model")
    part = {"ssd": "post_processing", "faster_rcnn": "second_stage_post_processing"}.get(kind)
    if part:
        suppression = getattr(pipeline_config.detector(config), part).batch_non_max_suppression
        place = f"model.{kind}.{part}.batch_non_max_suppression.use_combined_nms"
        if suppression.use_combined_nms and kind == "faster_rcnn":
            yield place, "the API supports it for SSD only", "write false"
        elif suppression.use_combined_nms and suppression.change_coordinate_frame:
            message = "does not go with change_coordinate_frame, which is true by default"
            yield place, message, "write change_coordinate_frame: false beside it"
        elif suppression.use_combined_nms and suppression.soft_nms_sigma:
            yield place, "does not go with soft_nms_sigma", "remove one of the two"


def _metrics(config: Message) -> Rules:
    for metric in config.eval_config.metrics_set:
        if metric not in (*METRICS, *MASK_METRICS):
            near = difflib.get_close_matches(metric, METRICS, 2) or METRICS
            remedy = f"write {' or '.join(map(repr, near))}"
            yield "eval_config.metrics_set", f"the API's evaluator has no {metric!r}", remedy
        elif metric in MASK_METRICS and not predicts_masks(config):
            remedy = f"write {MASK_METRICS[metric]!r}, or predict_instance_masks: true in the box predictor"
            yield "eval_config.metrics_set", f"{metric!r} needs masks, which the model does not predict", remedy
