"""A server on loopback that does all that servers and proxies do to a download, and the archive of a model for it."""

from __future__ import annotations

import hashlib
import io
import random
import re
import socket
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = "ssd_inception_v2"
STEM = "ssd_inception_v2_coco_2018_01_28"
CHECKPOINT = {
    f"{STEM}/model.ckpt.index": b"index",
    f"{STEM}/model.ckpt.data-00000-of-00001": random.Random(1).randbytes(1_200_000),
}


def packed(content: dict[str, bytes], *odd: tarfile.TarInfo) -> bytes:
    """A .tar.gz of files, and of members that are none."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in odd:
            tar.addfile(member)
    return buffer.getvalue()


ARCHIVE = packed(CHECKPOINT)
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `content` at any path; `behaviours` change the answers to the first requests, one each.

    Attributes:
        requests: method-line path and Range header of each request.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.behaviours, self.requests = ARCHIVE, [], []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/models/{STEM}.tar.gz"

    def handle_error(self, *_) -> None:
        """A client that hung up is what many tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        behaviour = server.behaviours.pop(0) if server.behaviours else "ok"
        if isinstance(behaviour, int):
            return self.send_error(behaviour)
        content, start, length = server.content, 0, len(server.content)
        if behaviour == "html":
            content, length = b"<html><title>Please sign in</title></html>", 42
        requested = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if requested and behaviour != "no ranges":
            start = int(requested[1]) + (7 if behaviour == "other range" else 0)
        if requested and start >= length:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{length}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{length - 1}/{length}")
        announced = {"too long": length - start + 1000, "too short": length - start - 1000}.get(
            behaviour, length - start
        )
        if behaviour != "no length":
            self.send_header("Content-Length", str(announced))
        self.send_header("Content-Type", "text/html" if behaviour == "html" else "application/gzip")
        self.end_headers()
        if behaviour in ("cut", "stall"):
            self.wfile.write(content[start : start + 500_000])
            self.wfile.flush()
            if behaviour == "stall":
                server.released.wait(20)
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.wfile.write(content[start:])
        self.close_connection = True
        return None
