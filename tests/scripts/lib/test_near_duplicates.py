"""Near duplicates: what is one photo, what are two."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from PIL import Image

from scripts.lib import near_duplicates
from scripts.lib.command_line import DataError


def photo(seed: int) -> Image.Image:
    return Image.frombytes("L", (8, 8), random.Random(seed).randbytes(64)).resize((320, 256), Image.Resampling.BICUBIC)


def test_copies_are_one_group_and_others_are_not(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    photo(1).save(tmp_path / "a.png")
    photo(1).resize((160, 128)).save(tmp_path / "b.jpg", quality=60)
    photo(1).rotate(180).save(tmp_path / "turned.jpg", exif=exif)
    photo(2).save(tmp_path / "c.png")
    paths = [tmp_path / name for name in ("a.png", "c.png", "b.jpg", "turned.jpg")]
    first, second, third, fourth = near_duplicates.group(near_duplicates.hash_images(paths))
    assert first == third == fourth != second


def test_every_unreadable_image_is_named(tmp_path):
    paths = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for path in paths:
        path.write_bytes(b"\xff\xd8no")
    with pytest.raises(DataError) as error:
        near_duplicates.hash_images(paths)
    assert [finding.file.endswith(path.name) for finding, path in zip(error.value.findings, paths, strict=True)] == [
        True
    ] * 2


def test_pairs_are_exactly_those_within_the_distance(monkeypatch):
    monkeypatch.setattr(near_duplicates, "_BLOCK", 64)  # several blocks
    hashes = np.random.default_rng(0).integers(0, 256, 50, dtype=np.uint64)
    expected = [
        [i, j] for i in range(50) for j in range(i + 1, 50) if bin(int(hashes[i]) ^ int(hashes[j])).count("1") <= 2
    ]
    assert near_duplicates.near_pairs(hashes, 2).tolist() == expected


@pytest.mark.parametrize("count", [0, 1])
def test_few_images_have_no_pairs(count):
    hashes = np.zeros(count, np.uint64)
    assert near_duplicates.near_pairs(hashes).shape == (0, 2)
    assert len(near_duplicates.group(hashes)) == count


def test_groups_are_closed_under_nearness():
    hashes = np.array([0b0, 0b11111, 0b1111111111, 2**64 - 1, 2**64 - 1], np.uint64)
    assert near_duplicates.group(hashes, 5).tolist() == [0, 0, 0, 1, 1]


def test_ten_thousand_equal_and_ten_thousand_different_images_take_seconds():
    hashes = np.random.default_rng(0).integers(0, 2**63, 10_000, dtype=np.uint64)
    start = time.monotonic()
    groups = near_duplicates.group(np.concatenate([hashes, np.zeros(10_000, np.uint64)]))
    assert len(set(groups[10_000:])) == 1
    assert time.monotonic() - start < 30
