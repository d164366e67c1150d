"""Dividing units into subsets: sizes, proportion, reproducibility."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from scripts.lib.dataset.split import Unit, divide


def make_units(count: int, seed: int = 0, images: int = 1) -> list[Unit]:
    generator = random.Random(seed)
    boxes = [Counter(generator.choices("aabbbcd", k=generator.randrange(5))) for _ in range(count)]
    return [Unit(tuple(f"{number}-{image}" for image in range(images)), boxes[number]) for number in range(count)]


def names(subsets) -> list[set[str]]:
    return [{image for unit in units for image in unit.images} for units in subsets]


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize("sizes", [[80, 20], [34, 33, 33], [99, 1], [1, 99], [10] * 10])
def test_sizes_are_exact_and_every_unit_is_placed_once(sizes, stratify):
    units = make_units(100)
    subsets = names(divide(units, sizes, 1, stratify))
    assert [len(subset) for subset in subsets] == sizes
    assert set.union(*subsets) == {unit.images[0] for unit in units}


def test_stratified_subsets_have_their_share_of_each_class():
    units = make_units(300)
    total = sum((unit.boxes for unit in units), Counter())
    for subset, share in zip(divide(units, [150, 90, 60], 1, stratify=True), (0.5, 0.3, 0.2), strict=True):
        boxes = sum((unit.boxes for unit in subset), Counter())
        assert all(abs(boxes[name] - share * total[name]) <= 1 for name in total)


def test_the_same_seed_gives_the_same_subsets_for_ever():
    first = names(divide(make_units(12), [8, 4], 1, stratify=True))
    assert first == names(divide(make_units(12), [8, 4], 1, stratify=True))
    assert sorted(first[1]) == ["10-0", "11-0", "8-0", "9-0"]
    assert len({frozenset(names(divide(make_units(12), [8, 4], seed, stratify=True))[1]) for seed in range(9)}) > 1


def test_units_of_several_images_stay_whole_and_sizes_are_nearly_met():
    units = make_units(30, images=3)
    subsets = divide(units, [70, 20], 1, stratify=True)
    assert [len(subset) for subset in names(subsets)] in ([69, 21], [72, 18])


def test_without_boxes_the_division_is_by_chance():
    units = [Unit((str(number),), Counter()) for number in range(10)]
    assert names(divide(units, [5, 5], 1, stratify=True)) == names(divide(units, [5, 5], 1))
