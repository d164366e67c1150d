"""The trainer as one process of a cluster: its session, and how it restarts and ends."""

from __future__ import annotations

import contextlib

import pytest

from scripts.lib.training import replicas
from scripts.lib.training.cluster import ClusterTask

ADDRESSES = {"master": ("m:1",), "worker": ("w:1", "w:2"), "ps": ("p:1",)}
WORKER = ClusterTask("worker", 1, ADDRESSES)
MASTER = ClusterTask("master", 0, ADDRESSES)


class RestartedError(Exception):
    """In place of the new process."""


class Session:
    def __init__(self):
        self.closed = False

    def close(self):
        self.closed = True


@pytest.fixture
def supervisor(tf, monkeypatch):
    """A supervisor whose sessions are stand-ins, and what it was asked for."""
    from tensorflow.python.training import supervisor as module

    class Supervisor:
        def __init__(self):
            self.session, self.config, self.stops, self.failure = Session(), tf.ConfigProto(), [], None

        @contextlib.contextmanager
        def managed_session(self, master="", config=None, **_):
            if self.failure:
                raise self.failure
            yield self.session

        def request_stop(self, ex=None):
            self.stops.append("request")

        def stop(self, threads=None, **_):
            self.stops.append("stop")

    monkeypatch.setattr(module, "Supervisor", Supervisor)
    monkeypatch.setattr(replicas, "_restart", lambda error: (_ for _ in ()).throw(RestartedError))
    return Supervisor


def session_of(sv):
    return sv.managed_session("grpc://x", config=sv.config, start_standard_services=False)


def test_a_session_spans_its_own_process_and_the_parameter_servers(supervisor):
    replicas.install(WORKER, False, lambda: False)
    sv = supervisor()
    sv.config.device_filters.append("/job:worker")
    with session_of(sv):
        assert list(sv.config.device_filters) == ["/job:ps", "/job:worker/task:1"]


@pytest.mark.parametrize("error", ["UnavailableError", "AbortedError"])
def test_a_lost_parameter_server_restarts_the_process(error, supervisor, tf):
    lost = getattr(tf.errors, error)(None, None, "Socket closed")
    replicas.install(WORKER, False, lambda: False)
    with pytest.raises(RestartedError), session_of(supervisor()):
        raise lost
    sv = supervisor()
    sv.failure = lost  # while the session is made
    with pytest.raises(RestartedError), session_of(sv):
        pass


def test_other_errors_pass(supervisor):
    replicas.install(WORKER, False, lambda: False)
    with pytest.raises(ZeroDivisionError), session_of(supervisor()):
        raise ZeroDivisionError


def test_in_step_the_master_closes_its_session_before_it_waits_for_its_threads(supervisor):
    replicas.install(MASTER, True, lambda: False)
    sv = supervisor()
    with session_of(sv) as session:
        sv.request_stop()
        sv.stop([], close_summary_writer=True)
        assert session.closed
    assert sv.stops == ["request", "request", "stop"]


def test_in_step_a_master_that_is_taken_away_leaves_the_tokens_queue_open(supervisor, monkeypatch):
    left = []
    monkeypatch.setattr(replicas.os, "_exit", left.append)
    replicas.install(MASTER, True, lambda: True)
    sv = supervisor()
    with session_of(sv):
        sv.request_stop()  # which would close the queue
        assert sv.stops == []
        sv.stop([])
    assert left == [143]


def test_a_worker_in_step_ends_as_without(supervisor):
    replicas.install(WORKER, True, lambda: False)
    sv = supervisor()
    with session_of(sv) as session:
        sv.stop([])
        assert not session.closed
