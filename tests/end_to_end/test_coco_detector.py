"""COCO's detector of the model zoo, ssdlite_mobilenet_v2_coco: as a start for six classes, and as it is for its 90 ids."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.images import decode
from scripts.lib.models import format_comparison
from scripts.lib.models.detector import Detector
from tests import exporting

CONFIG = files.default_path("configs/ssdlite_mobilenet_v2.config")
# The classes in the order of their ids, 1 to 90; "-" is an id without a class.
CLASSES = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, -, stop sign,
parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, -, backpack, umbrella, -, -,
handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, -, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, -, dining table, -, -, toilet, -, tv,
laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, -, book, clock, vase,
scissors, teddy bear, hair drier, toothbrush
"""


@pytest.fixture(scope="module")
def checkpoint(reference_dir) -> str:
    return (reference_dir / "ssdlite_mobilenet_v2_coco" / "model.ckpt").resolve().as_posix()


@pytest.fixture(scope="module")
def coco_config(tmp_path_factory):
    """The project's config with the 90 ids of COCO's own label map."""
    path = tmp_path_factory.mktemp("coco") / "label_map.pbtxt"
    names = CLASSES.replace("\n", " ").strip().split(", ")
    items = [
        f'item {{ name: "/m/{number:05}" id: {number} display_name: "{name.strip()}" }}'
        for number, name in enumerate(names, 1)
        if name.strip() != "-"
    ]
    path.write_text("\n".join(items), encoding="utf-8")
    config = pipeline_config.read(CONFIG)
    config.model.ssd.num_classes = 90
    for reader in pipeline_config.input_readers(config):
        reader.label_map_path = path.as_posix()
    return config


def test_all_is_restored_but_the_heads_of_the_classes(tf, checkpoint):
    from object_detection.builders import model_builder

    with tf.Graph().as_default():
        model = model_builder.build(pipeline_config.read(CONFIG).model, is_training=False)
        model.predict(*model.preprocess(tf.zeros([1, 300, 300, 3])))
        ours = {variable.op.name: variable.shape.as_list() for variable in tf.global_variables()}
    there = tf.train.load_checkpoint(checkpoint).get_variable_to_shape_map()
    assert ours.keys() == there.keys() - {"global_step"}
    anew = {f"BoxPredictor_{layer}/ClassPredictor/{part}" for layer in range(6) for part in ("weights", "biases")}
    assert {name for name in ours if ours[name] != there[name]} == anew


@pytest.mark.slow
def test_it_finds_the_person_in_photos_in_every_runtime(
    tf, checkpoint, coco_config, reference_dir, run_script, tmp_path
):
    (tmp_path / "coco.config").write_text(text_format.MessageToString(coco_config), encoding="utf-8")
    command = [
        "scripts/export_model.py",
        "--checkpoint",
        checkpoint,
        "--pipeline_config_path",
        tmp_path / "coco.config",
    ]
    formats = ["saved_model", "frozen", "onnx", *exporting.OPTIONAL]
    run_script(*command, "--output_dir", tmp_path / "model", "--formats", ",".join(formats))

    photos = sorted((reference_dir / "samples").glob("*.jpg"))[:5]
    images = [decode.read(path)[0] for path in photos]
    expected = exporting.of_checkpoint(tf, coco_config, checkpoint, images)
    # The people in the first and the last of them, as found by the first export of this checkpoint.
    for number, (score, *xyxy) in ((0, (0.849, 111.5, 1.5, 530.9, 638.7)), (4, (0.995, 278.9, 91.6, 399.3, 522.4))):
        assert expected[number].scores[0] == pytest.approx(score, abs=0.005)
        assert expected[number].boxes_yxyx[0][[1, 0, 3, 2]] == pytest.approx(xyxy, abs=1)
    runtimes = ["tensorflow", "saved_model", "onnx"]
    runtimes += ["openvino_float32"] * ("openvino" in exporting.OPTIONAL) + ["litert"] * (
        "tflite" in exporting.OPTIONAL
    )
    for runtime in runtimes:
        detector = Detector(tmp_path / "model", runtime)
        assert len(detector.class_names) == 80 and max(detector.class_names) == 90, runtime
        for one, found in zip(expected, detector.detect_each(images), strict=True):
            assert detector.class_names[found.class_ids[0]] == "person", runtime
            assert found.scores[0] > 0.8, runtime
            boxes, scores = format_comparison.largest_difference(one, found)
            assert boxes < format_comparison.MAX_BOX_DIFFERENCE, runtime
            assert scores < format_comparison.MAX_SCORE_DIFFERENCE, runtime
