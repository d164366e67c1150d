"""Divide images into subsets of given sizes: at random, or with each class's boxes in proportion.

Images that have to stay together are one unit. The only random numbers are those of `random.Random(seed).random()`,
the one stream that Python guarantees for all versions and platforms ("Notes on Reproducibility" of the `random`
module; numpy's and pandas' may change, as may `random.shuffle`), and what is compared are integers: the same seed gives
the same subsets everywhere.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

TRAINING, TEST = "training", "test"  # the two sides of a split


class Unit(NamedTuple):
    """Images that stay together."""

    images: tuple[str, ...]  # their names
    boxes: Counter[str]  # the number of boxes of each class in them


def divide(units: Sequence[Unit], sizes: Sequence[int], seed: int, stratify: bool = False) -> list[list[Unit]]:
    """Divide the units into subsets; return the units of each.

    Args:
        units: in an order that depends only on the data.
        sizes: images of each subset, all images together. Met exactly where every unit is one image, else nearly.
        seed: of the random numbers.
        stratify: each class's boxes in proportion to `sizes`.
    """
    generator = random.Random(seed)
    draws = [generator.random() for _ in units]
    order = sorted(range(len(units)), key=draws.__getitem__)
    subsets = _Subsets(units, sizes)
    if stratify:
        _place_by_class(subsets, order)
    for index in order:
        if index in subsets.waiting:
            subsets.place(index, subsets.open_to(index)[0])
    if stratify:
        _even_out(subsets)
    return subsets.members


class _Subsets:
    """Subsets while they are being filled."""

    def __init__(self, units: Sequence[Unit], sizes: Sequence[int]):
        self.units = units
        self.waiting = dict.fromkeys(range(len(units)))  # indices of the units not yet placed
        self.members: list[list[Unit]] = [[] for _ in sizes]
        self.room = list(sizes)  # how many images each subset still takes
        self.left = sum((unit.boxes for unit in units), Counter())  # boxes in the units not yet placed
        self._wanted = [dict.fromkeys(self.left, _WHOLE) for _ in sizes]
        self._share_of_box = [
            {name: _WHOLE * sum(sizes) // (count * size) for name, count in self.left.items()} for size in sizes
        ]

    def open_to(self, index: int) -> list[int]:
        """Return the subsets that have room for the unit, or else those with the most room."""
        size = len(self.units[index].images)
        fitting = [subset for subset, room in enumerate(self.room) if room >= size]
        return fitting or [subset for subset, room in enumerate(self.room) if room == max(self.room)]

    def want(self, index: int, subset: int) -> tuple[int, int]:
        """Return a number that is larger the more the subset lacks the unit's boxes, and its room."""
        boxes = self.units[index].boxes
        return sum(self._wanted[subset][name] * count for name, count in boxes.items()), self.room[subset]

    def place(self, index: int, subset: int) -> None:
        unit = self.units[index]
        del self.waiting[index]
        self.left.subtract(unit.boxes)
        self.room[subset] -= len(unit.images)
        self._add(unit, subset)

    def _add(self, unit: Unit, subset: int) -> None:
        self.members[subset].append(unit)
        for name, count in unit.boxes.items():
            self._wanted[subset][name] -= count * self._share_of_box[subset][name]

    def gain(self, one: int, mine: Unit, other: int, theirs: Unit) -> int:
        """Return by how much the sum of the squared wants falls if the two subsets swap these units."""
        gain = 0
        for name in mine.boxes.keys() | theirs.boxes.keys():
            moved = mine.boxes[name] - theirs.boxes[name]
            for subset, back in ((one, moved), (other, -moved)):
                change = back * self._share_of_box[subset][name]
                gain -= change * (2 * self._wanted[subset][name] + change)
        return gain

    def swap(self, one: int, mine: Unit, other: int, theirs: Unit) -> None:
        for subset, leaving, coming in ((one, mine, theirs), (other, theirs, mine)):
            self.members[subset].remove(leaving)
            for name, count in leaving.boxes.items():
                self._wanted[subset][name] += count * self._share_of_box[subset][name]
            self._add(coming, subset)


_MAX_KINDS = 100  # of units that are tried in a swap, the smallest: they even out best
_WHOLE = 10**12  # all boxes that a subset wants of a class; an integer, so that every platform compares alike


def _place_by_class(subsets: _Subsets, order: Sequence[int]) -> None:
    """Stratify iteratively after Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data",
    ECML PKDD 2011, algorithm 1: again and again the class with the fewest boxes left is dealt out, each image to the
    subset that wants it most.

    What differs, since an image has several boxes and the subsets have exact sizes: boxes are counted; a want is the
    part still missing of what the subset is due, summed over the image's boxes; images with most boxes of the class go
    first, so that the others even them out; a subset that is full takes no more, and `_even_out` corrects what that
    leaves.
    """
    while any(subsets.left.values()):
        rarest = min((count, name) for name, count in subsets.left.items() if count)[1]
        having = [index for index in order if index in subsets.waiting and subsets.units[index].boxes[rarest]]
        for index in sorted(having, key=lambda index: -subsets.units[index].boxes[rarest]):
            wants = {subset: subsets.want(index, subset) for subset in subsets.open_to(index)}
            subsets.place(index, max(wants, key=wants.get))


def _even_out(subsets: _Subsets) -> None:
    """Swap units of as many images between two subsets as long as that brings the classes nearer to proportion.

    On 30 random sets of 911 images with the class counts of the reference, no class is then further than 0.3 percentage
    points from 80:20; it was up to 1.1 before, and up to 10.8 in a random split. It ends, since each swap lowers a sum
    of squares of integers.
    """
    swapped = True
    while swapped:
        swapped = False
        for one, other in itertools.combinations(range(len(subsets.members)), 2):
            while swap := _best_swap(subsets, one, other):
                subsets.swap(one, swap[0], other, swap[1])
                swapped = True


def _best_swap(subsets: _Subsets, one: int, other: int) -> tuple[Unit, Unit] | None:
    pairs = [
        (mine, theirs)
        for mine, theirs in itertools.product(_kinds(subsets.members[one]), _kinds(subsets.members[other]))
        if len(mine.images) == len(theirs.images) and mine.boxes != theirs.boxes
    ]
    best = max(pairs, key=lambda pair: subsets.gain(one, pair[0], other, pair[1]), default=None)
    return best if best and subsets.gain(one, best[0], other, best[1]) > 0 else None


def _kinds(units: Sequence[Unit]) -> list[Unit]:
    """Return one unit of each kind: of as many images with the same boxes; those with the fewest first."""
    kinds = defaultdict(list)
    for unit in units:
        kinds[len(unit.images), unit.boxes.total(), tuple(sorted(unit.boxes.items()))].append(unit)
    return [kinds[kind][-1] for kind in sorted(kinds)[:_MAX_KINDS]]
