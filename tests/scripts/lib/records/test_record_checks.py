"""Case 2: records of other tools, looked into before training."""

from __future__ import annotations

import math

import pytest

from scripts.lib.core.errors import UsageError
from scripts.lib.records import manifest, record_checks, tf_example, tf_record
from tests.encoded_images import CONVERTED, PASSING, encoded, picture

IDS = {"Tops": 1, "Hats": 2}
IMAGE, LABEL, TEXT = "image/encoded", "image/object/class/label", "image/object/class/text"
BOX = {"xmin": 0.25, "ymin": 0.25, "xmax": 0.5, "ymax": 0.75}


def example(encoded_image=PASSING["jpeg"], labels=(2,), names=(b"Hats",), **corners) -> bytes:
    """One box in the lower half of an image of 60x40 pixels; `corners` replace those of the box."""
    sides = {f"image/object/bbox/{side}": [value] for side, value in {**BOX, **corners}.items()}
    message = tf_example.example(
        {IMAGE: [encoded_image], "image/filename": [b"a.jpg"], TEXT: names}, sides, {LABEL: labels}
    )
    return tf_example.serialized(message)


def check(folder, *examples: bytes, ids=IDS):
    with (folder / "a.record").open("wb") as file:
        for data in examples:
            tf_record.write_record(file, data)
    return record_checks.check(folder / "a.record", ids)


def without(*names: str, **features) -> bytes:
    message = tf_example.Example.FromString(example())
    for name in names:
        del message.features.feature[name]
    return tf_example.serialized(message)


def test_a_record_as_the_trainer_reads_it_has_no_finding(tmp_path):
    negative = tf_example.example({IMAGE: [PASSING["png"]]}, {}, {})
    assert check(tmp_path, example(), example(names=()), tf_example.serialized(negative)) == []
    assert check(tmp_path, example(labels=(7,), names=(b"Shoes",)), ids=None) == []


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (example(labels=(0,), names=()), "record-label", "has the label 0; ids begin with 1"),
        (example(labels=(3,), names=()), "record-label", "has the label 3, which the label map lacks"),
        (example(labels=(1,)), "record-label", "has the label 1 and the name 'Hats', which is 2 in the label map"),
        (example(names=(b"Hat",)), "unknown-class", "class 'Hat' is not in the label map"),
        (example(xmax=30, ymax=30, xmin=15), "box-in-pixels", "is in pixels, expected fractions"),
        (example(xmax=1.2), "box-outside-image", "reaches 12 pixels out of the image of 60x40"),
        (example(xmin=0.6), "box-inverted", "is inverted"),
        (example(xmin=0.5), "box-zero-area", "has no area"),
        (example(ymax=math.nan), "box-not-finite", "has corners that are not numbers"),
        (example(ymax=math.inf), "box-not-finite", "has corners that are not numbers"),
        (without(LABEL), "record-features", "0 image/object/class/label"),
        (without("image/object/bbox/xmin"), "record-features", "has 0 xmin, 1 ymin"),
        (without(IMAGE), "record-no-image", "has no image/encoded, as records for detection have; it has image/file"),
        (example(CONVERTED["webp"][0]), "image-unreadable", "the trainer cannot decode WEBP"),
        (example(encoded(picture(), "EPS")), "image-unreadable", "not an image that can be read"),
        (example(b""), "image-empty", "the image file is empty"),
        (b"\xff" * 20, "record-not-example", "is not a tf.train.Example"),
    ],
)
def test_what_would_be_trained_silently_is_an_error_that_names_the_example(data, code, says, tmp_path):
    (finding,) = check(tmp_path, example(), data)
    assert (finding.severity, finding.code) == ("error", code) and says in finding.message
    assert finding.object.startswith("example 2") and finding.remedy and finding.file.endswith("a.record")


def test_features_of_the_wrong_type(tmp_path):
    message = tf_example.Example.FromString(example())
    message.features.feature[IMAGE].int64_list.value.append(1)
    message.features.feature["image/object/bbox/xmin"].int64_list.value.append(1)
    message.features.feature[LABEL].float_list.value.append(2)
    says = [finding.message for finding in check(tmp_path, tf_example.serialized(message))]
    assert says == [
        "image/encoded holds int values, expected bytes",
        "image/object/bbox/xmin holds int values, expected floats",
        "image/object/class/label holds float values, expected int64",
    ]


def test_what_the_trainer_decodes_differently_is_a_warning(tmp_path):
    (finding,) = check(tmp_path, example(CONVERTED["cmyk jpeg"][0]))
    assert (finding.severity, finding.message) == ("warning", "the trainer may not decode CMYK JPEG")


def test_a_record_without_any_object_is_a_warning_and_none_at_all_is_an_error(tmp_path):
    (finding,) = check(tmp_path, tf_example.serialized(tf_example.example({IMAGE: [PASSING["png"]]}, {}, {})))
    assert (finding.severity, finding.code) == ("warning", "record-no-object")
    (tmp_path / "empty.record").write_bytes(b"")
    (finding,) = record_checks.check(tmp_path / "empty.record", IDS)
    assert (finding.severity, finding.message) == ("error", "holds no example")
    with pytest.raises(UsageError):
        record_checks.check(tmp_path / "none.record", IDS)


def apart(folder, train, test):
    for name, examples in (("train.record", train), ("test.record", test)):
        with (folder / name).open("wb") as file:
            for data in examples:
                tf_record.write_record(file, data)
    return record_checks.check_apart([str(folder / "train.record")], [str(folder / "test.record")])


def test_case_21_test_images_in_the_training_record_of_another_tool(tmp_path):
    other = example(PASSING["png"])
    (found,) = apart(tmp_path, [example(), other], [example(), without("image/filename")])
    assert (found.severity, found.code) == ("warning", "record-not-apart")
    assert found.message.startswith("1 of its 1 images are in ") and "split_dataset.py" in found.remedy
    assert apart(tmp_path, [example()], [other]) == [], "another image of the same name"


def test_case_21_records_with_manifests_are_not_read(tmp_path):
    for name in ("train.record", "test.record"):
        images = {"files": {"a.jpg": "1234", f"{name}.jpg": "5678"}}
        content = {"examples": 2, "boxes": 1, "classes": {}, "shards": [], "inputs": {"images": images}}
        (tmp_path / f"{name}.json").write_text(manifest.text(content), encoding="utf-8")
    (found,) = record_checks.check_apart([str(tmp_path / "train.record")], [str(tmp_path / "test.record")])
    assert found.severity == "error" and found.message.startswith("1 of its 2 images are in ")


def test_all_shards_are_checked(tmp_path):
    for index in range(2):
        with (tmp_path / f"a.record-0000{index}-of-00002").open("wb") as file:
            tf_record.write_record(file, example(labels=(index,), names=()))
    (finding,) = record_checks.check(f"{tmp_path}/a.record-?????-of-00002", IDS)
    assert finding.file.endswith("a.record-00000-of-00002")
