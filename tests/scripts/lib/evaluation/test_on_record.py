"""A model on a record: the API's pixels, batches that give what single images give, and the file that keeps them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.evaluation import on_record
from scripts.lib.evaluation.average_precision import EvaluatedImage
from scripts.lib.models.detector import Detector
from scripts.lib.records import manifest, read, tf_example, tf_record
from tests import made_model, made_onnx


@pytest.fixture(scope="module")
def model(tf, tmp_path_factory):
    return made_model.write_model(tf, tmp_path_factory.mktemp("model") / "exported")


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return made_model.write_record(tmp_path_factory.mktemp("record") / "test.record")


def same(a, b) -> bool:
    return all(np.array_equal(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True))


def test_images_are_decoded_as_the_api_decodes_them(tf, record):
    with tf.Graph().as_default(), tf.Session() as session:
        encoded = tf.placeholder(tf.string)
        decoded = tf.image.decode_image(encoded, channels=3)
        for image in read.read(record):
            assert (image.pixels() == session.run(decoded, {encoded: image.encoded})).all()


@pytest.mark.parametrize("runtime", ["tensorflow", "onnx"])
def test_batches_of_images_of_different_sizes_give_what_single_images_give(model, record, runtime):
    images = [image.pixels() for image in read.read(record)]
    assert len({image.shape for image in images}) > 1
    detector = Detector(model, runtime)
    single = list(detector.detect_each(images, batch_size=1))
    for batch_size in (5, 12, 16):
        assert same(single, detector.detect_each(images, batch_size))


def test_the_shards_of_a_record_are_read_as_one(model, record, tmp_path):
    examples = list(tf_record.read_records(record))
    for index, path in enumerate(tf_record.shard_paths(tmp_path / "test.record", 3)):
        with path.open("wb") as file:
            for example in examples[4 * index : 4 * index + 4]:
                tf_record.write_record(file, example)
    found = on_record.detect(model, [tmp_path / "test.record-?????-of-00003"])
    assert len(found.images) == len(examples) == 12
    whole = on_record.detect(model, [record])
    assert [image.scores.tolist() for image in found.images] == [image.scores.tolist() for image in whole.images]


def test_a_record_of_another_label_map_is_an_error(model, record, tmp_path):
    """Its ids are another class's in the model: each figure would be wrong."""
    path = tmp_path / "test.record"
    path.write_bytes(record.read_bytes())
    shown = Detector(model).class_names[1]
    shards = [{"file": path.name, "bytes": path.stat().st_size}]
    content = {"examples": 12, "boxes": 12, "shards": shards, "classes": {shown: {"id": 1, "boxes": 12}}}
    manifest.path_of(path).write_text(manifest.text(content), encoding="utf-8")
    assert len(on_record.detect(model, [path]).images) == 12
    content["classes"][shown]["id"] = 2
    manifest.path_of(path).write_text(manifest.text(content), encoding="utf-8")
    with pytest.raises(DataError, match=f"was made with another label map: {shown} is 2 in the record, 1 now"):
        on_record.detect(model, [path])


def test_the_squares_are_found_where_they_are(model, record):
    found = on_record.detect(model, [record])
    assert found.global_step is None
    assert len(found.images) == 12
    for image in found.images:
        assert image.boxes_yxyx[0] == pytest.approx(image.true_boxes_yxyx[0], abs=5)
        assert image.boxes_yxyx.dtype == image.scores.dtype == np.float32


def test_a_second_run_reads_the_very_same_detections_from_the_file(model, record, tmp_path, monkeypatch):
    cache = tmp_path / "detections.json"
    first = on_record.detect(model, [record], cache)
    monkeypatch.setattr(on_record, "Detector", None)  # would fail
    assert same(first.images, on_record.detect(model, [record], cache).images)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1, "images": []}', '{"version": 99}'])
def test_a_file_that_is_broken_is_made_anew(model, record, tmp_path, content):
    cache = tmp_path / "detections.json"
    cache.write_text(content, encoding="utf-8")
    assert len(on_record.detect(model, [record], cache).images) == 12
    assert len(on_record.read(cache)[1].images) == 12


def test_detections_on_another_record_are_not_taken(model, record, tmp_path):
    cache = tmp_path / "detections.json"
    on_record.detect(model, [record], cache)
    other = made_model.write_record(tmp_path / "other.record", num_images=3)
    assert len(on_record.detect(model, [other], cache).images) == 3


def test_a_missing_model_and_a_missing_record_are_named(model, record, tmp_path):
    with pytest.raises(UsageError, match="not an exported model"):
        on_record.detect(tmp_path, [record])
    with pytest.raises(UsageError, match="no such record"):
        on_record.detect(model, [tmp_path / "none.record"])


def test_an_example_without_an_image_is_named(tmp_path):
    path = tmp_path / "bad.record"
    with path.open("wb") as file:
        tf_record.write_record(file, tf_example.serialized(tf_example.example({}, {}, {"image/height": [1]})))
    with pytest.raises(DataError, match="example 1 has no image"):
        list(read.read(path))


def test_case_4_classes_are_numbered_without_the_gaps_of_the_label_map():
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    image = EvaluatedImage(
        "a", 9, 9, boxes, np.array([90, 1, 4]), np.array([1, 0, 0]), boxes, np.ones(3), np.array([4, 12, 90])
    )
    numbered = on_record._renumbered(image, [1, 4, 90])
    assert numbered.true_class_ids.tolist() == [3, 1, 2] and numbered.is_difficult.tolist() == [1, 0, 0]
    assert numbered.class_ids.tolist() == [2, 3]  # 12 is not in the label map
    assert numbered.boxes_yxyx.tolist() == boxes[[0, 2]].tolist() and len(numbered.scores) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": [0.5]}, "has an image with 2 boxes_yxyx and another number of scores or class_ids"),
        ({"scores": ["high", "low"]}, "could not convert string to float"),
        ({"class_ids": [1e300, 1]}, "has an image without numbers"),
        ({"class_ids": [None, 1]}, "has an image without numbers"),
        ({"boxes_yxyx": [[1, 2, 3]]}, "cannot reshape array of size 3"),
        ({"is_difficult": {}}, r"has an object as images\[0\].is_difficult, expected a list"),
        ({"width": "9"}, r"has '9' as images\[0\].width, expected a whole number"),
    ],
)
def test_case_32_cached_detections_of_another_shape_are_not_taken(tmp_path, change, message):
    boxes, path = np.arange(8, dtype=np.float32).reshape(2, 4), tmp_path / "detections.json"
    image = EvaluatedImage("a", 9, 9, boxes[:1], np.array([1]), np.array([False]), boxes, np.ones(2), np.array([1, 2]))
    key = {"model_sha256": "a", "record_sha256": "b"}
    on_record.write(path, key, on_record.RecordDetections(7, [image], "onnx"))
    found_key, found = on_record.read(path)
    assert found_key == key and same(found.images, [image])
    content = json.loads(path.read_text())
    content["images"][0] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        on_record.read(path)


def test_case_32_a_record_without_an_image_is_an_error(tmp_path):
    (tmp_path / "a.record").touch()
    with pytest.raises(DataError, match="a.record holds no image; make it again"):
        on_record.detect(made_onnx.write(tmp_path / "model"), [tmp_path / "a.record"])


def test_case_32_labels_that_the_model_lacks_are_an_error(tmp_path):
    path = tmp_path / "a.record"
    sides = {
        f"image/object/bbox/{side}": [0.1 if side.endswith("min") else 0.9] for side in ("xmin", "ymin", "xmax", "ymax")
    }
    with path.open("wb") as file:
        encoded = {"image/encoded": [made_onnx.encoded_image()]}
        tf_record.write_record(
            file, tf_example.serialized(tf_example.example(encoded, sides, {"image/object/class/label": [7]}))
        )
    with pytest.raises(DataError, match=r"a.record has objects of the labels \[7\], which the model's label map lacks"):
        on_record.detect(made_onnx.write(tmp_path / "model"), [path])
