"""TensorFlow's import: noise is kept out of its log, and Keras 2 is chosen in time."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from scripts.lib.core import tensorflow as quiet


def record(message: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("tensorflow", level, "file.py", 1, message, None, None)


@pytest.mark.parametrize(
    "message",
    [
        "From a/b.py:12: disable_resource_variables is deprecated and will be removed in a future version.\nInstructions for updating:",
        "`layer.apply` is deprecated and will be removed",
        "Variable [FeatureExtractor/Conv/weights/RMSProp_1] is not available in checkpoint",
        "image b'a.jpg' does not have groundtruth difficult flag specified",
        "Recording summary at step 120.",
    ],
)
def test_what_libraries_say_of_themselves_is_kept_out(message):
    assert not quiet._SelfTalkFilter().filter(record(message))


@pytest.mark.parametrize(
    "message",
    [
        "global step 12: loss = 3.4 (0.3 sec/step)",
        "Variable [BoxPredictor_0/ClassPredictor/weights] is not available in checkpoint",
        "Restoring parameters from train/model.ckpt-3",
        "# skipped: 2",
        "class 3 has no ground truth",
    ],
)
def test_what_matters_stays(message):
    assert quiet._SelfTalkFilter().filter(record(message))


def test_errors_always_stay():
    assert quiet._SelfTalkFilter().filter(record("the deprecated thing broke", logging.ERROR))


def test_what_an_error_left_behind_is_no_error_of_its_own():
    message = "==================================\nObject was never used (type <class 'SymbolicTensor'>):"
    assert not quiet._SelfTalkFilter().filter(record(message, logging.ERROR))


def test_tensorflow_imported_too_early_is_said(repository_root):
    code = "import os, sys; os.environ.pop('TF_USE_LEGACY_KERAS', 0); sys.modules['tensorflow'] = sys; from scripts.lib.object_detection_api import patches; patches.apply()"
    result = subprocess.run([sys.executable, "-c", code], cwd=repository_root, capture_output=True, text=True)
    assert "TensorFlow was imported before" in result.stderr
