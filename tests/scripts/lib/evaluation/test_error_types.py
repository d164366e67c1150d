"""Confusion and TIDE's kinds of error on cases whose figures are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.evaluation import error_types
from scripts.lib.evaluation.average_precision import EvaluatedImage
from tests.made_results import image

HERE = (0, 0, 100, 100)
ALSO_HERE = (0, 0, 100, 90)  # IoU 0.9 with HERE
NEAR = (0, 0, 100, 40)  # IoU 0.4
THERE = (200, 200, 260, 260)
ALL = {1: 0.0, 2: 0.0, 3: 0.0}


def confusion(images: list[EvaluatedImage], thresholds: dict[int, float]) -> list[list[int]]:
    pairings = [error_types.pair(one, thresholds) for one in images]
    return error_types.confusion_matrix(images, pairings, 2).tolist()


def errors(images: list[EvaluatedImage], num_classes: int, thresholds: dict[int, float] = ALL) -> error_types.Errors:
    return error_types.errors(images, [error_types.pair(one, thresholds) for one in images], num_classes)


def test_right_wrong_missed_and_void_are_counted_in_their_cells():
    images = [
        image([(HERE, 1)], [(HERE, 1, 0.9)]),
        image([(HERE, 1), (THERE, 2)], [(HERE, 2, 0.8), (ALSO_HERE, 1, 0.7), (NEAR, 1, 0.6)]),
        image([], [(HERE, 2, 0.5)]),
    ]
    # the second image: taken for 2 first, which makes the right one a duplicate; the near one is background
    assert confusion(images, ALL) == [[1, 1, 0], [0, 0, 1], [1, 1, 0]]
    assert error_types.pair(images[1], ALL).duplicates.tolist() == [1]


def test_detections_below_their_class_threshold_do_not_count():
    images = [image([(HERE, 1)], [(HERE, 2, 0.8), (HERE, 1, 0.7)])]
    assert confusion(images, {1: 0.5, 2: 0.9}) == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_difficult_objects_are_neither_found_nor_missed():
    assert confusion([image([(HERE, 1)], [(HERE, 1, 0.9)], difficult=True)], ALL) == [[0] * 3] * 3
    assert confusion([image([(HERE, 1)], [], difficult=True)], ALL) == [[0] * 3] * 3


@pytest.mark.parametrize(
    ("truth", "detection", "kind"),
    [
        ([(HERE, 1)], (HERE, 2, 0.9), "classification"),
        ([(HERE, 1)], (NEAR, 1, 0.9), "localisation"),
        ([(HERE, 1)], (NEAR, 2, 0.9), "both"),
        ([(HERE, 1)], (THERE, 1, 0.9), "background"),
        ([], (THERE, 1, 0.9), "background"),
    ],
)
def test_each_kind_of_false_positive_is_told_apart(truth, detection, kind):
    counts = errors([image(truth, [detection])], 2).counts
    of_detections = {name: count for name, count in counts.items() if name != "missed"}
    assert of_detections == {name: int(name == kind) for name in of_detections}
    assert counts["missed"] == (1 if truth and kind != "classification" else 0)


def test_a_second_detection_of_an_object_is_a_duplicate():
    result = errors([image([(HERE, 1)], [(HERE, 1, 0.9), (ALSO_HERE, 1, 0.8)])], 2)
    assert {kind: count for kind, count in result.counts.items() if count} == {"duplicate": 1}
    assert result.mean_ap == 1.0


def test_errors_are_counted_at_the_score_threshold_and_agree_with_the_confusion_matrix():
    """A dress taken for a skirt, one badly placed, one missed; a stray detection, and 50 more below the threshold."""
    noise = [((y, 200, y + 4, 204), 1, 0.1) for y in range(0, 250, 5)]
    images = [
        image([(HERE, 1)], [(HERE, 2, 0.9), *noise]),
        image([(HERE, 1), (THERE, 1)], [(NEAR, 1, 0.8)]),
        image([], [(HERE, 2, 0.7)]),
    ]
    thresholds = {1: 0.5, 2: 0.5}
    counts = errors(images, 2, thresholds).counts
    assert counts == {
        "classification": 1,
        "localisation": 1,
        "both": 0,
        "duplicate": 0,
        "background": 1,
        "missed": 2,
    }
    matrix = np.array(confusion(images, thresholds))
    assert counts["missed"] == matrix[:, -1].sum()
    assert counts["localisation"] + counts["both"] + counts["background"] == matrix[-1].sum()
    assert errors(images, 2, ALL).counts["background"] == 51


def test_a_detection_of_a_difficult_object_is_neither_right_nor_wrong():
    one = image([(HERE, 1)], [(HERE, 2, 0.9)], difficult=True)
    assert error_types.count(one, error_types.pair(one, ALL)).total() == 0


def test_the_costs_of_a_case_by_hand():
    """Two objects of class 1, one found after a stray detection of higher score, one taken for class 2 (no objects)."""
    images = [
        image([(HERE, 1)], [(THERE, 1, 0.9), (HERE, 1, 0.8)]),
        image([(HERE, 1)], [(HERE, 2, 0.7)]),
    ]
    result = errors(images, 2)
    assert result.mean_ap == pytest.approx(0.25)  # recall 1/2 at precision 1/2
    # corrected: false, true, true: precision 1/2, 2/3, interpolated 2/3 at both recalls
    assert result.costs["classification"] == pytest.approx(2 / 3 - 0.25)
    assert result.costs["background"] == pytest.approx(0.5 - 0.25)
    assert result.costs["missed"] == 0


def test_a_missed_object_costs_what_its_recall_is_worth():
    images = [image([(HERE, 1), (THERE, 1)], [(HERE, 1, 0.9)])]
    result = errors(images, 1)
    assert result.counts["missed"] == 1
    assert result.mean_ap == pytest.approx(0.5)
    assert result.costs["missed"] == pytest.approx(0.5)


def test_only_the_best_of_several_detections_is_corrected():
    images = [image([(HERE, 1)], [(NEAR, 1, 0.9), (NEAR, 1, 0.8)])]
    result = errors(images, 1)
    assert result.costs["localisation"] == pytest.approx(1.0)
