"""LiteRT on the files for phones."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lib.models import exported_model
from tests import exporting


def test_the_best_detections_are_those_of_tensorflow(exported, images):
    pytest.importorskip("ai_edge_litert")
    exporting.assert_best_detections_of_tensorflow(exported, "litert", images)


def test_int8_comes_near_and_is_small(exported, images):
    pytest.importorskip("ai_edge_litert")
    expected, found = (exporting.detections(exported, runtime, images) for runtime in ("tensorflow", "litert_int8"))
    assert np.mean([abs(a.scores[0] - b.scores[0]) for a, b in zip(expected, found, strict=True)]) < 0.2
    sizes = [(exported / name).stat().st_size for name in (exported_model.TFLITE_INT8, exported_model.TFLITE)]
    assert sizes[0] < 0.5 * sizes[1]
