"""The sentences of a report say what the figures hold, and nothing where there is nothing to say."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.evaluation.average_precision import EvaluatedImage
from scripts.lib.report import examples as report_examples
from scripts.lib.report import figures, plots, sentences
from scripts.lib.report.figures import Results

CLASSES = {"Dresses": 1, "Skirts": 2}
BOX, SMALL = (10, 10, 110, 110), (0, 0, 20, 20)


def image(truth: list[tuple], detections: list[tuple]) -> EvaluatedImage:
    """Objects as (box, class id), detections as (box, class id, score)."""
    boxes, ids = zip(*truth, strict=True) if truth else ((), ())
    found, found_ids, scores = zip(*detections, strict=True) if detections else ((), (), ())
    return EvaluatedImage(
        "a.jpg",
        300,
        300,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(ids, int),
        np.zeros(len(truth), bool),
        np.array(found, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(found_ids, int),
    )


def results(images: list[EvaluatedImage], boxes_train: dict[str, int] | None = None) -> Results:
    return figures.compute(images, CLASSES, 100, boxes_train, num_resamples=20)


RIGHT = image([(BOX, 1)], [(BOX, 1, 0.9)])
CONFUSED = image([(BOX, 2)], [(BOX, 1, 0.95)])
MISSED_SMALL = image([(SMALL, 2)], [])


def said(found: Results, **size) -> str:
    return "\n".join(sentences.sentences(found, **size))


def test_confused_classes_are_named_with_their_part_of_the_errors():
    text = said(results([RIGHT] * 6 + [CONFUSED] * 2 + [MISSED_SMALL] * 2))
    assert "Skirts are taken for Dresses in 50% of their errors (2 of 4)." in text


def test_small_missed_objects_ask_for_a_larger_input():
    text = said(results([RIGHT] * 6 + [MISSED_SMALL] * 4), input_size=(300, 300))
    assert "A larger input would help: 100% of the 4 missed objects are smaller than 32 pixels" in text
    assert "larger input" not in said(results([RIGHT] * 6), input_size=(300, 300))


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


def test_a_class_without_test_objects_is_named_and_left_out_of_the_mean():
    found = results([RIGHT] * 5)
    assert "The test record holds no Skirts: the mean leaves them out." in said(found)
    assert found.mean_ap.value == 1.0


@pytest.mark.parametrize(
    "images",
    [[image([], [])], [image([], [(BOX, 1, 0.9)])], [image([(BOX, 1)], [])]],
    ids=["nothing", "void", "missed"],
)
def test_a_record_with_nothing_to_find_or_nothing_found_is_reported_and_drawn(images):
    found = results(images)
    assert said(found, input_size=(300, 300))
    assert figures.table(found)
    for draw in (
        plots.average_precision,
        plots.precision_recall,
        plots.f1,
        plots.calibration,
        plots.errors,
        plots.confusion_matrix,
    ):
        assert plots.png(draw(found)).startswith(b"\x89PNG")
    report_examples.choose(found)


def test_examples_show_each_image_once_and_every_kind():
    found = results([RIGHT] * 3 + [CONFUSED] * 9 + [MISSED_SMALL] * 9)
    examples = report_examples.choose(found)
    assert {example.kind for example in examples} == {"worst", "confused", "missed", "best"}
    assert len({example.image_index for example in examples}) == len(examples)
    assert {example.caption for example in examples if example.kind == "confused"} == {"Skirts taken for Dresses"}
    assert all(example.image_index < 3 for example in examples if example.kind == "best")
