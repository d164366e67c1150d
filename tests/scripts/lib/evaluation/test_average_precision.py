"""PASCAL's average precision against the Object Detection API's own evaluator; thresholds and calibration by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.evaluation import average_precision
from scripts.lib.evaluation.average_precision import ClassMatches, EvaluatedImage


def made_images(num_images: int = 40, num_classes: int = 3, seed: int = 0) -> list[EvaluatedImage]:
    """Objects, and detections of them: shifted, of the wrong class, doubled, in the void; some objects difficult."""
    generator = np.random.default_rng(seed)
    images = []
    for number in range(num_images):
        num_true = generator.integers(0, 5)
        corners = generator.uniform(0, 150, (num_true, 2))
        truth = np.concatenate([corners, corners + generator.uniform(10, 120, (num_true, 2))], axis=1)
        classes = generator.integers(1, num_classes + 1, num_true)
        repeats = generator.integers(0, 4, num_true)
        boxes = np.repeat(truth, repeats, axis=0) + generator.normal(0, 8, (repeats.sum(), 4))
        found = np.repeat(classes, repeats)
        wrong = generator.random(len(found)) < 0.2
        found[wrong] = generator.integers(1, num_classes + 1, wrong.sum())
        stray = generator.uniform(0, 150, (generator.integers(0, 4), 2))
        boxes = np.concatenate([boxes, np.concatenate([stray, stray + 40], axis=1)])
        found = np.concatenate([found, generator.integers(1, num_classes + 1, len(stray))])
        images.append(
            EvaluatedImage(
                f"{number}.jpg",
                300,
                300,
                truth.astype(np.float32),
                classes,
                generator.random(num_true) < 0.15,
                boxes.astype(np.float32),
                generator.random(len(found)).astype(np.float32),
                found,
            )
        )
    return images


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_equals_that_of_the_api(tf, seed):
    from object_detection.utils import object_detection_evaluation

    images = made_images(seed=seed)
    categories = [{"id": class_id, "name": str(class_id)} for class_id in (1, 2, 3)]
    evaluator = object_detection_evaluation.PascalDetectionEvaluator(categories)
    for image in images:
        evaluator.add_single_ground_truth_image_info(
            image.name,
            {
                "groundtruth_boxes": image.true_boxes_yxyx,
                "groundtruth_classes": image.true_class_ids,
                "groundtruth_difficult": image.is_difficult,
            },
        )
        evaluator.add_single_detected_image_info(
            image.name,
            {
                "detection_boxes": image.boxes_yxyx,
                "detection_scores": image.scores,
                "detection_classes": image.class_ids,
            },
        )
    expected = evaluator.evaluate()
    for class_id in (1, 2, 3):
        ap = average_precision.average_precision(average_precision.match(images, class_id))[0]
        assert ap == pytest.approx(expected[f"PascalBoxes_PerformanceByCategory/AP@0.5IOU/{class_id}"], abs=1e-12)


def test_an_image_drawn_twice_counts_as_two_images():
    images = made_images(10)
    drawn = [0, 0, 3, 4, 4, 4, 7, 8, 9, 9]
    weights = np.bincount(drawn, minlength=10)[np.newaxis].astype(float)
    for class_id in (1, 2, 3):
        weighted = average_precision.average_precision(average_precision.match(images, class_id), weights)
        copied = average_precision.average_precision(average_precision.match([images[i] for i in drawn], class_id))
        assert weighted == pytest.approx(copied, abs=1e-12)


def test_a_class_without_objects_has_no_average_precision():
    matches = average_precision.match(made_images(5), class_id=9)
    assert np.isnan(average_precision.average_precision(matches))
    assert average_precision.best_threshold(matches) == (0.5, 0.0)


MATCHES = ClassMatches(
    np.arange(5),
    np.array([0.9, 0.8, 0.7, 0.4, 0.2]),
    np.array([True, True, False, True, False]),
    np.array([1, 1, 1, 1, 0]),
)


def test_precision_recall_and_f1_of_a_case_by_hand():
    curve = average_precision.precision_recall(MATCHES)
    assert curve.precision == pytest.approx([1, 1, 2 / 3, 3 / 4, 3 / 5])
    assert curve.recall == pytest.approx([1 / 4, 2 / 4, 2 / 4, 3 / 4, 3 / 4])
    assert curve.f1 == pytest.approx([0.4, 2 / 3, 4 / 7, 3 / 4, 2 / 3])
    assert average_precision.average_precision(MATCHES)[0] == pytest.approx((1 + 1 + 3 / 4) / 4)


def test_the_best_threshold_lies_between_the_last_score_kept_and_the_first_left_out():
    assert average_precision.best_threshold(MATCHES) == (pytest.approx(0.3), pytest.approx(0.75))


def test_calibration_compares_scores_with_how_often_they_are_right():
    result = average_precision.calibration([MATCHES], num_bins=2, min_score=0.0)
    assert result.mean_score == pytest.approx([0.3, 0.8])
    assert result.fraction_true == pytest.approx([1 / 2, 2 / 3])
    assert result.count.tolist() == [2, 3]
    assert result.expected_error == pytest.approx((2 * 0.2 + 3 * (0.8 - 2 / 3)) / 5)


def test_the_mean_leaves_out_classes_without_objects():
    values = np.array([[0.5, np.nan, np.nan], [1.0, 0.25, np.nan]])
    assert average_precision.nan_mean(values) == pytest.approx([0.75, 0.25, np.nan], nan_ok=True)
