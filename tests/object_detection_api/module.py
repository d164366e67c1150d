"""Run one test module of the Object Detection API under the patches; write the results as JSON.

python -m tests.object_detection_api.module object_detection.utils.ops_test results.json
"""

from __future__ import annotations

import importlib
import json
import sys
import unittest
from pathlib import Path

from scripts.lib import object_detection_api


def main(name: str, results: str) -> None:
    """Write {"tests": how many ran, "failed": {test: its traceback}, "skipped": {test: its reason}}."""
    object_detection_api.prepare()
    import tensorflow.contrib
    from absl import flags

    tensorflow.contrib.tpu = None  # imported by the tests' base class, used where there is a TPU
    module = importlib.import_module(name)
    flags.FLAGS([name])
    outcome = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromModule(module))
    failed, skipped = (
        {test.id().partition(" ")[0].removeprefix(f"{name}."): text for test, text in pairs}
        for pairs in (outcome.failures + outcome.errors, outcome.skipped)
    )
    found = {"tests": outcome.testsRun, "failed": failed, "skipped": skipped}
    Path(results).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
