"""One training of `benchmark.py train`, with the time and the loss of each step.

    python -m scripts.lib.benchmarks.training_steps (bare | traced | train.py) CONFIG TRAIN_DIR STEPS_FILE [FLAG ...]

"bare" is the Object Detection API's legacy/train.py with nothing but the drift mended, so that it runs at all; "traced"
is the same on one thread, with the time of each operation of the last step; the third is scripts/train.py, given the
flags. STEPS_FILE gets JSON: `steps`, a list of [wall, CPU, loss], seconds of the process's clocks at the end of each
step, and `milliseconds`, of the traced step by kind of operation.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from collections import Counter
from pathlib import Path

from scripts.lib import files, object_detection_api


def main(how: str, config: str, train_dir: str, steps_file: str, *flags: str) -> None:
    object_detection_api.prepare()
    steps: list[tuple[float, float, float]] = []
    milliseconds: Counter[str] = Counter()
    watch_steps(steps, milliseconds if how == "traced" else None)
    argv = [f"--pipeline_config_path={config}", f"--train_dir={train_dir}", *flags]
    try:
        if how == "train.py":
            sys.path.append(str(files.REPOSITORY_ROOT / "scripts"))
            script = files.REPOSITORY_ROOT / "scripts" / "train.py"
            sys.argv[:] = [str(script), *argv]
            runpy.run_path(str(script), run_name="__main__")
        else:
            object_detection_api.run("object_detection.legacy.train", argv)
    finally:
        content = json.dumps({"steps": steps, "milliseconds": milliseconds})
        Path(steps_file).write_text(content, encoding="utf-8")


def watch_steps(steps: list[tuple[float, float, float]], milliseconds: Counter[str] | None) -> None:
    """Has tf-slim's loop, in which both train, note when a step ends, and with which loss.

    Args:
        steps: gets them.
        milliseconds: gets the time of the last step's operations, all of which then run on one thread; None: no trace.
    """
    from tf_slim import learning

    original = learning.train

    def train(train_op, logdir, *args, session_config, train_step_fn=learning.train_step, **options):
        if milliseconds is not None:
            session_config.inter_op_parallelism_threads = session_config.intra_op_parallelism_threads = 1

        def timed(session, *step_args):
            loss, ends = train_step_fn(session, *step_args)
            steps.append((time.perf_counter(), time.process_time(), float(loss)))
            if ends and milliseconds is not None:
                milliseconds.update(trace(session, train_op))
            return loss, ends

        return original(train_op, logdir, *args, session_config=session_config, train_step_fn=timed, **options)

    learning.train = train


def trace(session, fetch) -> dict[str, float]:
    """The milliseconds of one more run, by the names of its kernels (tensorflow/core/framework/step_stats.proto)."""
    import tensorflow.compat.v1 as tf

    metadata = tf.RunMetadata()
    session.run(fetch, options=tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), run_metadata=metadata)
    milliseconds: Counter[str] = Counter()
    for device in metadata.step_stats.dev_stats:
        for node in device.node_stats:
            kernel = node.timeline_label.partition(" = ")[2].partition("(")[0]  # "name = Conv2D(inputs)"
            milliseconds[kernel] += (node.op_end_rel_micros - node.op_start_rel_micros) / 1000
    return milliseconds


if __name__ == "__main__":
    main(*sys.argv[1:])
