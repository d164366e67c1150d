"""Several detectors as one."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.detection import ensemble
from scripts.lib.evaluation import on_record
from scripts.lib.models.detector import DetectionArrays, Detector
from tests import made_model
from tests.made_detector import MadeDetector


def image(red: int, green: int, size=(30, 60)) -> np.ndarray:
    """Of one colour, so that the mirror image is the same and what is found there lies elsewhere."""
    return np.full((*size, 3), (red, green, 0), np.uint8)


class Fixed(MadeDetector):
    """Finds the same on every image."""

    def __init__(self, class_names, *rows):
        super().__init__()
        self.class_names, self.rows = class_names, rows

    def detect_prepared(self, batch, min_score=0.0):
        for _ in batch:
            boxes, scores, class_ids = zip(*self.rows, strict=True)
            yield DetectionArrays(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(class_ids))


def test_one_model_without_flip_is_that_model(monkeypatch):
    monkeypatch.setattr(ensemble, "Detector", MadeDetector)
    assert type(ensemble.load(["a"])) is MadeDetector
    assert isinstance(ensemble.load(["a"], flip=True), ensemble.Ensemble)
    assert ensemble.load(["a", "b"], False, "onnx").runtime == "onnx"


def test_what_is_found_on_the_mirror_image_is_mirrored_back():
    """Green 100: x from 10 to 30 of 60, whose mirror image lies from 30 to 50: two boxes, since they do not overlap."""
    both = ensemble.Ensemble([MadeDetector()], flip=True)
    boxes = sorted({(found.xmin, found.xmax) for found in both.detect(image(200, 100), min_score=0.3)})
    assert [xmin for xmin, _ in boxes] == pytest.approx([10.17, 29.83], abs=0.01)
    centred = list(both.detect(image(200, 200), 0.0))  # 20 to 40, and as much on the mirror image
    assert (centred[0].xmin, centred[0].xmax) == pytest.approx((20, 40), abs=0.01)


def test_an_image_that_is_not_symmetric_is_shown_as_its_mirror_image():
    half = image(200, 200)
    half[:, 30:] = (100, 200, 0)
    shown = []

    class Watching(MadeDetector):
        def prepare(self, image_rgb):
            shown.append(image_rgb.copy())
            assert image_rgb.flags.c_contiguous
            return super().prepare(image_rgb)

    ensemble.Ensemble([Watching()], flip=True).detect(half)
    assert (shown[0] == half).all()
    assert (shown[1] == half[:, ::-1]).all()


def test_classes_are_matched_by_name_and_those_of_one_model_keep_their_score():
    box = (0, 0, 10, 10)
    first = Fixed({1: "Tops", 2: "Skirts"}, (box, 0.8, 1))
    second = Fixed({1: "Hats", 3: "Tops"}, (box, 0.6, 3), (box, 0.5, 1), (box, 0.9, 2))
    both = ensemble.Ensemble([first, second])
    assert both.class_names == {1: "Tops", 2: "Skirts", 3: "Hats"}
    found = both.detect(image(1, 1), 0.0)
    assert [(one.class_name, round(one.score, 5)) for one in found] == [("Tops", 0.7), ("Hats", 0.5)]


def test_detections_do_not_depend_on_the_batch_and_weak_ones_go():
    images = [image(red, 200) for red in (250, 130, 60, 251, 70)]
    both = ensemble.Ensemble([MadeDetector(), MadeDetector()], flip=True)
    one, three = ([tuple(map(np.ndarray.tolist, found)) for found in both.detect_each(images, size)] for size in (1, 3))
    assert one == three
    assert [len(found.scores) for found in both.detect_each(images, 2, min_score=0.3)] == [1, 1, 0, 1, 0]


def test_an_ensemble_is_evaluated_as_a_model_is(tf, tmp_path):
    """Of a good and a bad model; together with its twin, a model finds what it finds alone."""
    record = made_model.write_record(tmp_path / "test.record", num_images=6, mislabelled=())
    good = made_model.write_model(tf, tmp_path / "good", record)
    bad = made_model.write_model(tf, tmp_path / "bad", record, shrink=0.3)
    classes = {"Red": 1, "Green": 2}
    alone = on_record.evaluate(Detector(good), [record], classes)
    twins = on_record.evaluate(ensemble.load([good, good]), [record], classes)
    assert twins.metrics == pytest.approx(alone.metrics)
    both = on_record.run(ensemble.load([good, bad], flip=True), [record])
    single = on_record.run(Detector(good), [record])
    assert len(both.images) == len(single.images) == 6
    assert all(len(image.scores) for image in both.images)
