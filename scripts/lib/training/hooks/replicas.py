"""What the trainer and the evaluator need to work as processes of a cluster that come and go.

Call these when `object_detection` can be imported and before the entry point's `main`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable

from scripts.lib.object_detection_api.wrapping import wrap
from scripts.lib.training.cluster import MASTER, Replica

STEP_REPORT_ENVIRONMENT = "APPAREL_STEP_REPORT_SECS"  # time between two lines about a replica's steps
STEP_REPORT_SECS = 60.0
EXIT_START_ANEW = 75  # EX_TEMPFAIL of sysexits.h: to be started again
EXIT_LEFT = 143  # as shells report SIGTERM


def rejoin(replica: Replica, in_step: bool, is_leaving: Callable[[], bool]) -> None:
    """Has the trainer's session survive that other processes end and are started again, and count its steps.

    Without this, a session spans the whole cluster: it waits for every worker at its start, and is lost with any.
    `device_filters` leave it this process, the parameter servers and nothing else: a worker or the master that is
    preempted disturbs nobody. A parameter server takes its variables with it. tf-slim's training loop retries then
    where TensorFlow reports AbortedError, but not for UnavailableError, the usual one; and its retry finds the input
    queues closed, which outlive the session in the process's server. So the process starts anew, in its place: the
    master restores the last checkpoint, and the workers wait for it to have done so.

    Args:
        replica: this process's part.
        in_step: whether the config says sync_replicas.
        is_leaving: whether this process has been asked to end before the training does.
    """
    from tensorflow.python.framework import errors
    from tensorflow.python.training import supervisor

    own_device = f"/job:{replica.task_type}/task:{replica.index}"

    @wrap(supervisor.Supervisor, "managed_session")
    @contextlib.contextmanager
    def managed_session(original, self, master="", config=None, **kwargs):
        del config.device_filters[:]
        config.device_filters.extend(["/job:ps", own_device])
        try:
            with original(self, master, config=config, **kwargs) as session:
                _count_steps(session, _step_reporter(replica))
                if in_step and replica.task_type == MASTER:
                    _end_in_step(self, session, is_leaving)
                try:
                    yield session
                except (errors.AbortedError, errors.UnavailableError) as error:
                    _start_anew(error)  # here: leaving the block would wait two minutes for the queues' threads
        except (errors.AbortedError, errors.UnavailableError) as error:
            _start_anew(error)


def _end_in_step(sv, session, is_leaving: Callable[[], bool]) -> None:
    """Has the master of a training in step (`SyncReplicasOptimizer`) leave as it should.

    At the end it asks its threads to stop, which closes the queue of tokens, by which the workers know. But the thread
    that waits for the gradients of the next step, which nobody computes any more, hears nothing, and after two minutes
    the supervisor calls it an error. Closing the session ends it. A master that is only asked to leave, when its
    machine is about to be taken away, must leave the queue open: it is the cluster's, and cannot be opened again.
    """
    request_stop, stop = sv.request_stop, sv.stop

    def request_stop_unless_leaving(ex=None) -> None:
        if ex is not None or not is_leaving():
            request_stop(ex)

    def close_and_stop(threads=None, **options) -> None:
        if threads is not None and is_leaving():  # from tf-slim, which has saved a checkpoint
            print("The master leaves; the others wait until it is back.", flush=True)
            os._exit(EXIT_LEFT)
        request_stop()
        for thread in threading.enumerate():
            if thread.name.endswith("close_on_stop"):
                thread.join(timeout=10)
        session.close()
        stop(threads, **options)

    sv.request_stop, sv.stop = request_stop_unless_leaving, close_and_stop


def evaluate_until(step: int, eval_interval_secs: float | None) -> None:
    """Has the evaluator, which would wait for checkpoints for ever, end with the first one of this step or later.

    Args:
        step: the training's last one; 0: for ever.
        eval_interval_secs: time between two looks for a new checkpoint; None: the config's.
    """
    from object_detection import eval_util

    @wrap(eval_util, "repeated_checkpoint_run")
    def run(original, *args, **kwargs):
        if eval_interval_secs is not None:
            kwargs["eval_interval_secs"] = eval_interval_secs
        return original(*args, max_evaluation_global_step=step or None, **kwargs)


def _count_steps(session, report: Callable[[int], None]) -> None:
    """Has `report(global_step)` called after each training step, for which [train_op, global step, ...] is fetched."""
    run = session.run

    def run_and_count(fetches, *args, **kwargs):
        result = run(fetches, *args, **kwargs)
        if isinstance(fetches, list) and getattr(fetches[0], "name", None) == "train_op:0":
            report(int(result[1]))
        return result

    session.run = run_and_count


def _step_reporter(replica: Replica) -> Callable[[int], None]:
    """Prints now and then a JSON line about what this replica has done, so that a job's log tells who did how much."""
    interval = float(os.environ.get(STEP_REPORT_ENVIRONMENT, STEP_REPORT_SECS))
    start = last_line = time.monotonic()
    steps = 0

    def report(global_step: int) -> None:
        nonlocal last_line, steps
        steps += 1
        now = time.monotonic()
        if now - last_line >= interval:
            last_line = now
            content = {"replica": replica.name, "steps": steps, "global_step": global_step}
            print(json.dumps({**content, "seconds": round(now - start, 3)}), flush=True)

    return report


def _start_anew(error: Exception) -> None:
    """Replaces this process by a new one with the same command."""
    print(f"a parameter server has gone ({type(error).__name__}); starting anew", flush=True)
    sys.stderr.flush()
    if os.name == "nt":  # Windows cannot replace a process; who started it has to
        os._exit(EXIT_START_ANEW)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
