"""Addresses and files on a bucket; a config whose files lie there."""

from __future__ import annotations

import argparse
import fnmatch

import pytest

pytest.importorskip("object_detection", reason="the Object Detection API is not installed (it reads the configs)")

from cloud.lib import bucket, gcloud
from scripts.lib.config import pipeline_config
from scripts.lib.core import files


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("US-CENTRAL1", None),
        ("EUROPE-WEST4", "is in europe-west4, but the job would run in us-central1"),
        ("US", "is in us, but the job would run in us-central1"),
    ],
)
def test_the_bucket_has_to_be_in_the_region(monkeypatch, place, message):
    monkeypatch.setattr(gcloud, "run_json", lambda *_: {"location": place})
    problems = bucket.check_location("b", "us-central1")
    assert (message in problems[0]) if message else not problems


def test_a_checksum_is_spelled_as_the_bucket_does(tmp_path):
    pytest.importorskip("google_crc32c")
    (tmp_path / "a").write_bytes(b"123456789")
    assert bucket.crc32c(tmp_path / "a") == "4waSgw=="  # 0xE3069283, the check value of CRC-32C


def test_listing_asks_once_for_each_pattern(monkeypatch):
    asked = []
    entries = [{"bucket": "b", "name": "a/1", "crc32c_hash": "x"}, {"bucket": "b", "name": "2"}]
    monkeypatch.setattr(gcloud, "run_json", lambda _, *words: asked.append(words) or entries)
    found = bucket.listing(["gs://b/*", "gs://b/*"])
    assert found == {"gs://b/a/1": "x", "gs://b/2": None}
    assert asked == [("storage", "objects", "list", "gs://b/*")]
    assert bucket.listing([]) == {} and len(asked) == 1


def test_names_and_addresses_are_recognized():
    assert bucket.bucket_name("gs://shop-1/") == bucket.bucket_name("shop-1") == "shop-1"
    assert bucket.address("gs://shop/a/b//") == "gs://shop/a/b"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (bucket.bucket_name, "Not_A_Bucket"),
        (bucket.bucket_name, "gs://shop/data"),
        (bucket.address, "data/train"),
        (bucket.address, "gs://shop/"),
    ],
)
def test_other_names_and_addresses_are_refused(kind, text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}' is not a"):
        kind(text)


CONFIG = files.default_path("configs/ssd_mobilenet_v1_gcs.config")
LABEL_MAP = files.default_path("data/apparel_label_map.pbtxt")
CHECKPOINT = "gs://b/pretrained/ssd_mobilenet_v1_coco_2017_11_17/model.ckpt"


@pytest.fixture
def config():
    return bucket.on_bucket(pipeline_config.read(CONFIG), "b")


@pytest.fixture
def there(monkeypatch):
    """address -> content on the bucket."""
    contents = {
        "gs://b/data/train.record": b"1234",
        "gs://b/data/test.record": b"1234",
        "gs://b/data/apparel_label_map.pbtxt": LABEL_MAP.read_bytes(),
        f"{CHECKPOINT}.index": b"x",
    }

    def listing(patterns):
        found = {name for pattern in patterns for name in fnmatch.filter(contents, pattern)}
        return dict.fromkeys(found)

    monkeypatch.setattr(bucket, "listing", listing)
    return contents


def check(config, readers=("train_input_reader", "eval_input_reader")) -> str:
    return "\n".join(map(str, bucket.check(config, CONFIG, readers)))


def test_paths_are_filled_in_for_the_bucket_and_back(config, tmp_path):
    assert set(bucket.inputs(config)) == {
        "gs://b/data/train.record",
        "gs://b/data/test.record",
        "gs://b/data/apparel_label_map.pbtxt",
        CHECKPOINT,
    }
    local = bucket.on_disk(config, "b")
    assert pipeline_config.label_map_path(local) == LABEL_MAP.as_posix()


def test_local_files_keep_their_place_below_the_root(config, tmp_path):
    config.train_input_reader.label_map_path = LABEL_MAP.as_posix()
    config.train_input_reader.tf_record_input_reader.input_path[:] = [(tmp_path / "r-?????-of-00002").as_posix()]
    config.eval_input_reader[0].label_map_path = "gs://another/map.pbtxt"
    placed = bucket.inputs(bucket.on_bucket(config, "b"))
    assert "gs://b/data/apparel_label_map.pbtxt" in placed and "gs://another/map.pbtxt" in placed
    assert f"gs://b/data/{tmp_path.name}/r-?????-of-00002" in placed


def test_a_complete_bucket_has_no_findings(config, there):
    assert check(config) == ""


def test_what_is_missing_is_named_with_its_field(config, there):
    there.clear()
    found = check(config)
    for field, address in (
        ("train_input_reader", "gs://b/data/train.record"),
        ("eval_input_reader", "gs://b/data/test.record"),
        ("train_input_reader.label_map_path", "gs://b/data/apparel_label_map.pbtxt"),
        ("fine_tune_checkpoint", CHECKPOINT),
    ):
        assert f"{field}: there is no {address}; upload it with: python cloud/submit.py upload" in found
    of_an_evaluation = check(config, ("eval_input_reader",))
    assert "eval_input_reader.label_map_path: there is no gs://b/data/apparel_label_map.pbtxt" in of_an_evaluation
    assert "fine_tune_checkpoint" not in of_an_evaluation and "train_input_reader" not in of_an_evaluation


def test_an_evaluation_on_the_training_record_is_checked(config, there):
    config.eval_input_reader[0].tf_record_input_reader.input_path[:] = ["gs://b/data/train.record"]
    assert check(config, ("eval_input_reader",)) == ""
    del there["gs://b/data/train.record"]
    assert "eval_input_reader: there is no gs://b/data/train.record" in check(config, ("eval_input_reader",))


def test_a_reader_that_names_nothing_is_refused(config, there):
    config.train_input_reader.label_map_path = ""
    del config.eval_input_reader[0].tf_record_input_reader.input_path[:]
    found = check(config)
    assert "train_input_reader.label_map_path is missing" in found
    assert "eval_input_reader has no tf_record_input_reader.input_path" in found


def test_the_steps_of_checkpoints_are_sorted_as_numbers(monkeypatch):
    names = [f"gs://b/t/model.ckpt-{step}.index" for step in (900, 1000, 20)]
    monkeypatch.setattr(bucket, "listing", lambda patterns: dict.fromkeys(names))
    assert bucket.checkpoint_steps("gs://b/t") == [20, 900, 1000]
