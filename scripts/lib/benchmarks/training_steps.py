"""One training of `benchmark.py train`, with the time of each step.

    python -m scripts.lib.benchmarks.training_steps (bare | train.py) CONFIG TRAIN_DIR STEPS_FILE [FLAG ...]

"bare" is the Object Detection API's legacy/train.py with nothing but the drift mended, so that it runs at all; the
other is scripts/train.py, given the flags. The steps go into STEPS_FILE as JSON: a list of [wall, CPU], seconds of the
process's clocks at the end of each step, and the memory at its highest.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from pathlib import Path

from scripts.lib import files, object_detection_api


def main(how: str, config: str, train_dir: str, steps_file: str, *flags: str) -> None:
    object_detection_api.prepare()
    steps: list[tuple[float, float]] = []
    time_steps(steps)
    argv = [f"--pipeline_config_path={config}", f"--train_dir={train_dir}", *flags]
    try:
        if how == "bare":
            object_detection_api.run("object_detection.legacy.train", argv)
        else:
            sys.path.append(str(files.REPOSITORY_ROOT / "scripts"))
            script = files.REPOSITORY_ROOT / "scripts" / "train.py"
            sys.argv[:] = [str(script), *argv]
            runpy.run_path(str(script), run_name="__main__")
    finally:
        Path(steps_file).write_text(json.dumps(steps), encoding="utf-8")


def time_steps(steps: list[tuple[float, float]]) -> None:
    """Has tf-slim's loop, in which both train, note when a step ends."""
    from tf_slim import learning

    original = learning.train

    def train(*args, train_step_fn=learning.train_step, **options):
        def timed(*step_args):
            result = train_step_fn(*step_args)
            steps.append((time.perf_counter(), time.process_time()))
            return result

        return original(*args, train_step_fn=timed, **options)

    learning.train = train


if __name__ == "__main__":
    main(*sys.argv[1:])
