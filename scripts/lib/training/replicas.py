"""Hooks that let the trainer work as one of several processes of a cluster that come and go."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable

from scripts.lib.object_detection_api.hooks import wrap
from scripts.lib.training.cluster import MASTER, ClusterTask

EXIT_RESTART = 75  # EX_TEMPFAIL of sysexits.h: start the process again
EXIT_LEFT = 143  # as shells report SIGTERM


def install(task: ClusterTask, synchronous: bool, is_leaving: Callable[[], bool]) -> None:
    """Keep the session when other processes end and are started again.

    Without `device_filters`, a session spans the whole cluster: it waits for every worker, and is lost with any. With
    them only the end of a parameter server, which takes its variables with it, is felt. tf-slim's retry would find the
    input queues closed, so the process restarts: the master restores the last checkpoint, and the workers wait for it.

    Args:
        task: this process's part.
        synchronous: the config's `sync_replicas`.
        is_leaving: return whether this process has been asked to end before the training does.
    """
    from tensorflow.python.framework import errors
    from tensorflow.python.training import supervisor

    @wrap(supervisor.Supervisor, "managed_session")
    @contextlib.contextmanager
    def managed_session(original, self, master="", config=None, **kwargs):
        del config.device_filters[:]
        config.device_filters.extend(["/job:ps", f"/job:{task.type}/task:{task.index}"])
        try:
            with original(self, master, config=config, **kwargs) as session:
                if synchronous and task.type == MASTER:
                    _end_synchronous_training(self, session, is_leaving)
                try:
                    yield session
                except (errors.AbortedError, errors.UnavailableError) as error:
                    _restart(error)  # here: leaving the block would wait two minutes for the queues' threads
        except (errors.AbortedError, errors.UnavailableError) as error:
            _restart(error)


def _end_synchronous_training(sv, session, is_leaving: Callable[[], bool]) -> None:
    """Let the master of a synchronous training (`SyncReplicasOptimizer`) end without an error.

    Its end closes the queue of tokens, and so tells the workers. But the thread that waits for the next gradients hears
    nothing, and after two minutes the supervisor calls it an error; closing the session ends it. A master that is asked
    to leave, because its machine is taken away, must leave the queue open: it belongs to the cluster.
    """
    request_stop, stop = sv.request_stop, sv.stop

    def request_stop_unless_leaving(ex=None) -> None:
        if ex is not None or not is_leaving():
            request_stop(ex)

    def close_and_stop(threads=None, **options) -> None:
        if threads is not None and is_leaving():  # called by tf-slim, which has saved a checkpoint
            print("The master leaves; the others wait until it is back.", flush=True)
            os._exit(EXIT_LEFT)
        request_stop()
        for thread in threading.enumerate():
            if thread.name.endswith("close_on_stop"):
                thread.join(timeout=10)
        session.close()
        stop(threads, **options)

    sv.request_stop, sv.stop = request_stop_unless_leaving, close_and_stop


def _restart(error: Exception) -> None:
    """Replace this process by a new one with the same command."""
    print(f"a parameter server has gone ({type(error).__name__}); restarting this process", flush=True)
    sys.stderr.flush()
    if os.name == "nt":  # Windows cannot replace a process; the parent process has to start it again
        os._exit(EXIT_RESTART)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
