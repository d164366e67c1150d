"""Downloads against a server on this machine that behaves badly in each way that matters."""

from __future__ import annotations

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.lib.core import http
from scripts.lib.core.http import DownloadError, DownloadLimits

LIMITS = DownloadLimits(seconds=0.6, max_bytes=1000, retries=2, pause=0.01)


class Handler(BaseHTTPRequestHandler):
    """Answers by the path."""

    protocol_version = "HTTP/1.1"
    asked: list[str] = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        what = self.path.strip("/")
        self.asked.append(what)
        if what == "stalls":
            time.sleep(1.5)
        elif what == "drips":
            self._head(200, 500)
            with contextlib.suppress(ConnectionError):  # the client gives up before the end
                for _ in range(20):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.1)
        elif what == "breaks-off":
            self._head(200, 500)
            self.wfile.write(b"x" * 100)
        elif what == "announces-much":
            self._head(200, 10_000_000)
        elif what == "sends-much":
            self._head(200, None)
            self.wfile.write(b"x" * 5000)
        elif what == "redirects":
            self._head(302, 0, Location="/photo")
        elif what == "in-circles":
            self._head(302, 0, Location="/in-circles")
        elif what == "to-a-file":
            self._head(302, 0, Location="file:///etc/passwd")
        elif what == "busy-once" and self.asked.count("busy-once") == 1:
            self._head(503, 0)
        elif what in ("photo", "busy-once"):
            self._head(200, 5)
            self.wfile.write(b"photo")
        else:
            self._head(404 if what == "missing" else 500, 0)
        self.close_connection = True

    def _head(self, status, length, **headers):
        self.send_response(status)
        self.send_header("Connection", "close")
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(autouse=True)
def _direct(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Handler.asked.clear()


@pytest.mark.parametrize("what", ["photo", "redirects", "busy-once"])
def test_a_file_is_fetched(server, what):
    assert http.fetch(f"{server}/{what}", LIMITS) == b"photo"


@pytest.mark.parametrize(
    ("what", "says", "attempts"),
    [
        ("stalls", "nothing came for 0.6 s (3 attempts)", 3),
        ("drips", "took longer than 0.6 s (3 attempts)", 3),
        ("breaks-off", "the connection broke off (3 attempts)", 3),
        ("broken", "the server answers 500 Internal Server Error (3 attempts)", 3),
        ("missing", "the server answers 404 Not Found", 1),
        ("announces-much", "has more than 0.000954 MB", 1),
        ("sends-much", "has more than 0.000954 MB", 1),
        ("in-circles", "cannot be fetched: Exceeded 5 redirects.", 6),
        ("to-a-file", "cannot be fetched: No connection adapters were found for 'file:///etc/passwd'", 1),
    ],
)
def test_what_cannot_be_had_is_said_and_tried_again_only_where_that_may_help(server, what, says, attempts):
    with pytest.raises(DownloadError) as raised:
        http.fetch(f"{server}/{what}", LIMITS)
    assert str(raised.value) == says
    assert len(Handler.asked) == attempts


def test_a_server_that_is_not_there():
    with pytest.raises(DownloadError, match=r"cannot be reached: .*refused$"):
        http.fetch("http://127.0.0.1:9/a.jpg", LIMITS._replace(retries=0))


@pytest.mark.parametrize("address", ["http://", "http://[::1", "http://a b/", "https://ex\nample/"])
def test_addresses_that_are_none(address):
    with pytest.raises(DownloadError):
        http.fetch(address, LIMITS._replace(retries=0))


def test_web_addresses_are_told_from_paths():
    assert http.is_web_address("HTTPS://x.example/a.jpg")
    assert not any(map(http.is_web_address, ("a.jpg", "C:\\http", "gs://bucket/a.jpg", "file:///etc/passwd")))
