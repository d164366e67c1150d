"""Addresses and files on a bucket."""

from __future__ import annotations

import argparse

import pytest

from cloud.lib import bucket, gcloud


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
    entries = [{"bucket": "b", "name": "a/1", "size": "7", "crc32c_hash": "x"}, {"bucket": "b", "name": "2", "size": 0}]
    monkeypatch.setattr(gcloud, "run_json", lambda *words: asked.append(words) or entries)
    found = bucket.listing(["gs://b/*", "gs://b/*"], limit=3)
    assert found == {"gs://b/a/1": bucket.StoredFile(7, "x"), "gs://b/2": bucket.StoredFile(0, None)}
    assert asked == [("storage", "objects", "list", "gs://b/*", "--limit=3")]
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
