"""Near duplicates: what is one photo, what are two."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from PIL import Image

from scripts.lib.dataset import near_duplicates
from tests.encoded_images import PASSING


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
    first, second, third, fourth = near_duplicates.group(near_duplicates.hash_images(paths)[0])
    assert first == third == fourth != second


def test_every_unreadable_image_is_named(tmp_path):
    paths = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for path in paths:
        path.write_bytes(b"\xff\xd8no")
    (tmp_path / "c.png").write_bytes(PASSING["png"])
    hashes, findings = near_duplicates.hash_images([*paths, tmp_path / "c.png", tmp_path / "none.jpg"])
    assert len(hashes) == 1 and [finding.file.rpartition("/")[2] for finding in findings] == [
        "a.jpg",
        "b.jpg",
        "none.jpg",
    ]


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


def find(hashes, sides=None, contents=None):
    hashes = np.array(hashes, np.uint64)
    contents = contents or [bytes([index]) for index in range(len(hashes))]
    return near_duplicates.find_duplicates(contents, hashes, sides or [""] * len(hashes))


NEAR, FAR = 0b111, 2**60 - 1


def test_every_repeated_image_is_found_once_with_the_most_similar_before_it():
    assert find([0, FAR, NEAR, 0b1, FAR]) == [(2, 0, 3), (3, 0, 1), (4, 1, 0)]
    assert find([0, NEAR, FAR]) == [(1, 0, 3)]
    assert find([]) == find([0, FAR]) == []


def test_equal_files_are_told_from_images_that_look_alike():
    assert find([0, 0, 0], contents=[b"small", b"large", b"large"]) == [(1, 0, 0), (2, 1, None)]


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        (["training", "test"], [(1, 0, 3)]),
        (["test", "training"], [(0, 1, 3)]),  # said of the test image, whichever comes first
        (["training", "training"], [(1, 0, 3)]),
        (["test", ""], [(1, 0, 3)]),
        (["", "test"], [(1, 0, 3)]),
    ],
)
def test_a_test_image_is_compared_with_the_training_set_first(sides, expected):
    assert find([0, NEAR], sides) == expected


def test_an_image_on_the_other_side_counts_before_a_more_similar_one_on_its_own():
    assert find([0, 0, NEAR], ["test", "test", "training"]) == [(0, 2, 3), (1, 2, 3)]


@pytest.mark.parametrize("seed", range(5))
def test_no_pair_across_the_split_is_missed(seed):
    generator = np.random.default_rng(seed)
    hashes = generator.integers(0, 2**7, 60, dtype=np.uint64) << np.uint64(20)
    sides = generator.choice(["training", "test", ""], 60).tolist()
    found = {image: sides[other] for image, other, _ in find(hashes, sides)}

    def near(one, other):
        return bin(int(hashes[one]) ^ int(hashes[other])).count("1") <= near_duplicates.MAX_DISTANCE

    for index, side in enumerate(sides):
        if side == "test" and any(near(index, other) for other in range(60) if sides[other] == "training"):
            assert found[index] == "training"


def test_a_file_that_would_start_another_program_is_not_opened(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    value, (finding,) = near_duplicates.perceptual_hash(tmp_path / "a.jpg")
    assert value is None and "is not an image that can be read" in finding.message


def test_case_17_images_of_16_bits_are_told_apart(tmp_path):
    """Clipped at 255, as Pillow converts them, they would all be white."""
    values = np.random.default_rng(0).integers(300, 4096, (2, 8, 8), np.uint16).repeat(8, axis=1).repeat(8, axis=2)
    for name, image in zip("ab", values, strict=True):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    first, second = (near_duplicates.perceptual_hash(tmp_path / f"{name}.png")[0] for name in "ab")
    assert (first ^ second).bit_count() > near_duplicates.MAX_DISTANCE
