"""Google Cloud Storage as TensorFlow sees it, on this machine.

TensorFlow takes gs:// to hosts that cannot be changed; yet it honours a proxy and a bundle of
certificates. So a proxy on loopback takes the connections that it asks for, with a certificate of our own, and relays
what they hold to gcp-storage-emulator.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import shutil
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

import pytest

HOSTS = ("www.googleapis.com", "storage.googleapis.com")  # what is said of files, and their content
BUCKET = "shop"
OPENER = build_opener(ProxyHandler({}))  # past the proxy, whatever the environment says


class Emulator(NamedTuple):
    """Attributes:
    environment: what a process needs that is to see it.
    address: of the emulator itself, past the proxy.
    """

    environment: dict[str, str]
    address: str

    def names(self, prefix: str = "") -> list[str]:
        """The files on the bucket, sorted."""
        listing = json.loads(self._ask(f"storage/v1/b/{BUCKET}/o?prefix={quote(prefix, safe='')}"))
        return sorted(entry["name"] for entry in listing.get("items", ()))

    def read(self, name: str) -> bytes:
        return self._ask(f"{BUCKET}/{quote(name)}")

    def write(self, name: str, content: bytes) -> str:
        """Returns the file's address."""
        self._ask(f"upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={quote(name, safe='')}", content)
        return f"gs://{BUCKET}/{name}"

    def _ask(self, path: str, content: bytes | None = None) -> bytes:
        with OPENER.open(Request(f"{self.address}/{path}", content)) as response:
            return response.read()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Emulator]:
    """Runs emulator and proxy; skips the test where what they need is not installed.

    Args:
        folder: for the certificate.
    """
    if sys.platform == "win32":
        pytest.skip(
            "TensorFlow for Windows is built without proxies (CURL_DISABLE_PROXY in its third_party/curl.BUILD)"
        )
    pytest.importorskip("cryptography", reason="cryptography is not installed (requirements-dev.txt)")
    server = pytest.importorskip(
        "gcp_storage_emulator.server", reason="gcp-storage-emulator is not installed (requirements-dev.txt)"
    )
    patch(server)
    emulator = server.create_server("127.0.0.1", 0, in_memory=True, default_bucket=BUCKET)
    emulator.start()
    proxy = Proxy(certificate(folder), emulator._api._httpd.server_address)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield Emulator(
            {
                "https_proxy": f"http://127.0.0.1:{proxy.server_address[1]}",
                "no_proxy": "",
                "CURL_CA_BUNDLE": str(folder / "certificate.pem"),
                "GOOGLE_AUTH_TOKEN_FOR_TESTING": "x",
                "NO_GCE_CHECK": "true",
                "GCS_RETRY_CONFIG_MAX_RETRIES": "1",
            },
            f"http://127.0.0.1:{emulator._api._httpd.server_address[1]}",
        )
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
        emulator.stop()


def patch(server) -> None:
    """What TensorFlow does and the emulator does not expect."""
    if hasattr(server._read_data, "__wrapped__"):
        return
    read_raw_data, read_data, init = server._read_raw_data, server._read_data, server.Request.__init__

    def read_chunks(handler):  # TensorFlow says both how it is encoded and how long; the former counts (RFC 9112, 6.3)
        if "chunked" in handler.headers.get("Transfer-Encoding", "").lower():
            del handler.headers["Content-Length"]
        return read_raw_data(handler)

    def read_even_nothing(handler, query):  # an empty file
        data = read_data(handler, query)
        return b"" if data is None else data

    def init_behind_tls(request, *arguments):  # or the rest of an upload would go past the proxy
        init(request, *arguments)
        request._base_url = request._base_url.replace("http://", "https://", 1)
        request._full_url = request._full_url.replace("http://", "https://", 1)

    read_even_nothing.__wrapped__ = read_data
    server._read_raw_data, server._read_data, server.Request.__init__ = read_chunks, read_even_nothing, init_behind_tls


def certificate(folder: Path) -> ssl.SSLContext:
    """Makes a certificate for HOSTS that lasts a day."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOSTS[0])])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, HOSTS))), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(made.public_bytes(encoding))
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


class Proxy(socketserver.ThreadingTCPServer):
    """Takes `CONNECT HOST:443`, plays that host, and relays to another address."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, context: ssl.SSLContext, target: tuple[str, int]):
        super().__init__(("127.0.0.1", 0), Relay)
        self.context, self.target = context, target


class Relay(socketserver.StreamRequestHandler):
    rbufsize = 0  # what comes after the head is TLS

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.rfile.read(1)
            if not byte:
                return
            head += byte
        if not head.startswith(tuple(f"CONNECT {host}:443 ".encode() for host in HOSTS)):
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with (
            contextlib.suppress(OSError),
            self.server.context.wrap_socket(self.connection, server_side=True) as client,
            socket.create_connection(self.server.target) as target,
        ):
            upwards = threading.Thread(target=copy, args=(client, target), daemon=True)
            upwards.start()
            copy(target, client)  # until the emulator has answered and closes


def copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError), source.makefile("rb", 0) as reader, target.makefile("wb", 0) as writer:
        shutil.copyfileobj(reader, writer)
