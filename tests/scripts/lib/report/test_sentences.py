"""The sentences of a report say what the numbers hold, and nothing if there is nothing to say."""

from __future__ import annotations

import pytest

from scripts.lib.report import sentences
from scripts.lib.report.figures import Results
from tests.made_results import CONFUSED, MISSED_SMALL, RIGHT, results


def said(found: Results) -> str:
    return "\n".join(sentences.sentences(found))


def test_confused_classes_are_named_with_their_part_of_the_errors():
    text = said(results([RIGHT] * 6 + [CONFUSED] * 2 + [MISSED_SMALL] * 2))
    assert "Skirts are taken for Dresses in 50% of their errors (2 of 4)." in text


def test_small_missed_objects_ask_for_a_larger_input():
    text = said(results([RIGHT] * 6 + [MISSED_SMALL] * 4, input_size=(300, 300)))
    assert "A larger input would help: 100% of the 4 missed objects are smaller than 32 pixels" in text
    assert "larger input" not in said(results([RIGHT] * 6, input_size=(300, 300)))


@pytest.mark.parametrize(
    ("boxes_train", "sentence"),
    [
        ({"Dresses": 500, "Skirts": 98}, "Skirts has 98 boxes to learn from: label more, or oversample it."),
        ({"Dresses": 90, "Skirts": 50}, "There are few boxes to learn from: Skirts 50, Dresses 90."),
    ],
)
def test_rare_classes_are_named(boxes_train, sentence):
    assert sentence in said(results([RIGHT, CONFUSED], boxes_train))


def test_what_is_rare_is_not_guessed_without_the_training_record():
    assert "learn from" not in said(results([RIGHT, CONFUSED]))


def test_objects_of_a_class_that_is_never_detected_count_as_not_found():
    text = said(results([RIGHT] * 6 + [MISSED_SMALL] * 6))
    assert "100% of the detections are right and 50% of the objects are found" in text


def test_few_images_decide_little():
    assert "4 images decide little" in said(results([RIGHT] * 4))
    assert "decide little" not in said(results([RIGHT] * 60))


def test_of_a_model_that_has_learned_nothing_only_that_is_said():
    text = said(results([MISSED_SMALL] * 20, {"Dresses": 90, "Skirts": 50}))
    assert "The model has learned next to nothing: train longer" in text
    assert "learn from" not in text and "larger input" not in text


def test_a_class_without_test_objects_is_named_and_left_out_of_the_mean():
    found = results([RIGHT] * 5)
    assert "The test record holds no Skirts: the mean leaves them out." in said(found)
    assert found.mean_ap.value == 1.0
