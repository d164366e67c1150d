"""Work on all cores, results in order."""

from __future__ import annotations

import itertools
import os
import threading
import time

import pytest

from scripts.lib.core import parallel
from scripts.lib.core.errors import DataError


def test_results_come_in_the_order_of_the_items():
    def slow_at_first(item):
        time.sleep(0.01 if item == 0 else 0)
        return item * item

    assert list(parallel.ordered_map(slow_at_first, range(50), 4)) == [item * item for item in range(50)]


def test_several_items_are_in_work_at_once():
    meeting = threading.Barrier(3, timeout=5)  # passes only if three are there together
    assert list(parallel.ordered_map(lambda item: meeting.wait() >= 0, range(6), 3)) == [True] * 6


def test_an_endless_input_is_taken_a_few_items_ahead():
    taken = []
    results = parallel.ordered_map(lambda item: item, (taken.append(item) or item for item in itertools.count()), 2)
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(taken) < 20
    results.close()


def end_without_a_word(item: int) -> int:
    if item == 20:
        os._exit(9)  # as the system ends a process when memory is short
    return item * item


def test_case_23_a_process_that_is_killed_ends_the_map_with_a_sentence():
    assert list(parallel.process_map(end_without_a_word, range(20))) == [item * item for item in range(20)]
    with pytest.raises(DataError, match="processes at work has ended: it ran out of memory, or was killed"):
        list(parallel.process_map(end_without_a_word, range(50)))


def test_an_exception_ends_the_map():
    with pytest.raises(ZeroDivisionError):
        list(parallel.ordered_map(lambda item: 1 // item, [1, 0, 1], 2))


def test_at_least_one_core_is_available():
    assert parallel.available_cores() >= 1
