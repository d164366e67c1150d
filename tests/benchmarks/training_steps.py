"""One training of `benchmark.py train`, with the time and the loss of each step.

    python -m tests.benchmarks.training_steps HOW INTRA INTER CONFIG TRAIN_DIR STEPS_FILE [FLAG ...]

HOW is "bare", the Object Detection API's legacy/train.py with only the patches that make it run on current libraries;
"traced", the same with the time of each operation of the last step; or "train.py", scripts/train.py, given the flags.
INTRA and INTER are TensorFlow's threads within an operation and for operations side by side, 0 for its own choice.
STEPS_FILE gets JSON: `steps`, a list of [wall, CPU, loss], seconds of the process's clocks at the end of each step, and
`milliseconds`, of the traced step by kind of operation.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from collections import Counter
from pathlib import Path

from scripts.lib import object_detection_api
from scripts.lib.core import files


def main(how: str, intra: str, inter: str, config: str, train_dir: str, steps_file: str, *flags: str) -> None:
    object_detection_api.prepare()
    steps: list[tuple[float, float, float]] = []
    milliseconds: Counter[str] = Counter()
    watch_steps(steps, milliseconds if how == "traced" else None, (int(intra), int(inter)))
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


def watch_steps(
    steps: list[tuple[float, float, float]], milliseconds: Counter[str] | None, threads: tuple[int, int]
) -> None:
    """Has tf-slim's loop, in which both train, note when a step ends, and with which loss.

    Args:
        steps: gets them.
        milliseconds: gets the time of the last step's operations; None: no trace.
        threads: within an operation, and for operations side by side; 0: TensorFlow's choice.
    """
    from tf_slim import learning

    original = learning.train  # not by `around`: train.py's own wrapping would take the place of this one

    def train(train_op, logdir, *args, session_config, train_step_fn=learning.train_step, **options):
        session_config.intra_op_parallelism_threads, session_config.inter_op_parallelism_threads = threads

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
