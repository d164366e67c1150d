"""The SavedModel that takes the bytes of image files."""

from __future__ import annotations

from tests import exporting


def test_the_best_detections_are_those_of_tensorflow(exported, images):
    exporting.assert_best_detections_of_tensorflow(exported, "saved_model", images)
