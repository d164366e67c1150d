"""Downloads one file over HTTP: goes on where it was cut off, in this run and in a later one.

What has arrived stays in a partial file, with a note beside it of what the server said the whole is (RFC 9110: sections
13.1.5 If-Range, 14 Range Requests).
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib.core.progress import progress

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 10.0
STALL_SECONDS = 30.0  # without a byte
ATTEMPTS = 5  # in a row that bring nothing new
PAUSE_SECONDS = 1.0  # after the first of them; doubled after each further one

_MEGABYTE = 10**6
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


class Failed(Exception):
    """The file cannot be had from this address; the message says why, as the end of a sentence.

    Attributes:
        reached: whether a server answered at all.
    """

    def __init__(self, message: str, reached: bool = True):
        super().__init__(message)
        self.reached = reached


class _Broken(Exception):
    """An attempt ended early; another may go on."""


def fetch(url: str, partial: Path, name: str, begins: bytes = b"") -> None:
    """Downloads a file, or the rest of it, into a partial file, which is complete when this returns.

    Args:
        url: http:// or https://.
        partial: what an earlier call may have left and this one may leave behind; `discard` removes it.
        name: what the progress calls it.
        begins: what the file must begin with; anything else is taken for a page that a server or proxy shows instead.

    Raises:
        Failed: no server, an error of it, another file, or `ATTEMPTS` in a row without a new byte.
        OSError: the disk is full, or the like.
    """
    transfer = _Transfer(url, partial, begins)
    transfer.connect_patiently()
    left = None if transfer.total is None else math.ceil((transfer.total - transfer.size) / _MEGABYTE)
    start = f" from byte {transfer.size:,} on" if transfer.size else ""
    for _ in progress(transfer.megabytes(), f"downloading {name}{start}", left, "megabyte"):
        pass


def size(partial: Path) -> int:
    """Bytes that have arrived."""
    return partial.stat().st_size if partial.is_file() else 0


def discard(partial: Path) -> None:
    for path in (partial, _note_path(partial)):
        path.unlink(missing_ok=True)


def _note_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


class _Transfer:
    """One file on its way.

    Attributes:
        total: bytes of the whole file, or None where the server does not say.
    """

    def __init__(self, url: str, partial: Path, begins: bytes):
        self.url, self.partial, self.begins = url, partial, begins
        self.total: int | None = None
        self._validator = ""
        self._response: requests.Response | None = None
        self._ended = False  # the server said that this was all
        self._answered = False
        try:
            note = json.loads(_note_path(partial).read_text(encoding="utf-8"))
            self.total, self._validator = note["total"], note["validator"]
        except (OSError, ValueError, TypeError, KeyError):
            self._restart()
        self._most = self.size
        self._attempts = 0  # in a row that did not go beyond the most there has been

    @property
    def size(self) -> int:
        return size(self.partial)

    @property
    def complete(self) -> bool:
        return self._ended if self.total is None else self.size == self.total

    def connect_patiently(self) -> None:
        while not self.complete and self._response is None:
            with self._another_attempt():
                self._connect()

    def megabytes(self) -> Iterator[None]:
        """Yields for about each megabyte that has arrived."""
        while not self.complete:
            with self._another_attempt():
                if self._response is None:
                    self._connect()
                if self._response is not None:  # None where nothing was missing
                    yield from self._receive()

    @contextlib.contextmanager
    def _another_attempt(self) -> Iterator[None]:
        """What breaks an attempt is waited for and forgiven, unless it was one too many that brought nothing new."""
        try:
            yield
        except _Broken as error:
            self._response = None
            self._attempts = 1 if self.size > self._most else self._attempts + 1
            self._most = max(self._most, self.size)
            if self._attempts >= ATTEMPTS:
                of_total = f" of {self.total:,}" if self.total is not None else ""
                message = f"{error}, {self._attempts} times in a row, with {self.size:,}{of_total} bytes here"
                raise Failed(message) from None
            time.sleep(PAUSE_SECONDS * 2 ** (self._attempts - 1))

    def _connect(self) -> None:
        """Asks for what is missing; where the server begins anew, so do we."""
        import requests  # takes a while, and needs no waiting for --help

        headers = {"Accept-Encoding": "identity"}  # the bytes as they are: the archive is compressed by itself
        if self.size:
            headers |= {"Range": f"bytes={self.size}-"} | ({"If-Range": self._validator} if self._validator else {})
        try:
            response = requests.get(self.url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, STALL_SECONDS))
        except requests.exceptions.ReadTimeout:
            raise _Broken(f"no answer within {STALL_SECONDS:g} seconds") from None
        except requests.exceptions.ConnectionError as error:
            if self._answered or "Connection aborted" in str(error):
                raise _Broken(_reason(error)) from None
            raise Failed(_reason(error), reached=False) from None
        except requests.exceptions.RequestException as error:
            raise Failed(f"{error}", reached=False) from None
        self._answered = True
        if response.status_code == 429 or response.status_code >= 500:
            raise _Broken(f"the server answers {response.status_code} {response.reason}")
        self._take_up(response)

    def _take_up(self, response: requests.Response) -> None:
        """Fits the answer to what is there."""
        first, whole = _content_range(response)
        if response.status_code == 416 and whole == self.size:  # nothing is missing
            self.total = whole
            return
        if response.status_code == 206 and first == self.size and self.total in (None, whole):
            self.total = whole
        elif response.status_code in (206, 416):
            self._restart()
            raise _Broken("the server now has a file of another length")
        elif response.status_code == 200:
            self._restart()
            length = response.headers.get("Content-Length", "")
            self.total = int(length) if length.isdecimal() else None
            self._validator = _strong_validator(response)
            self.partial.parent.mkdir(parents=True, exist_ok=True)
            note = json.dumps({"url": self.url, "total": self.total, "validator": self._validator})
            _note_path(self.partial).write_text(note, encoding="utf-8")
        else:
            raise Failed(f"the server answers {response.status_code} {response.reason}")
        self._response = response

    def _receive(self) -> Iterator[None]:
        """Writes what arrives to the end of the partial file."""
        import urllib3

        arrived = 0
        with self.partial.open("ab") as file:
            try:
                while block := self._response.raw.read(2**16, decode_content=False):
                    if file.tell() == 0 and not block.startswith(self.begins):
                        kind = self._response.headers.get("Content-Type", "no type given")
                        raise Failed(f"what comes is no archive but {kind}, which begins {_shown(block)}")
                    file.write(block)
                    arrived += len(block)
                    if arrived >= _MEGABYTE:
                        arrived -= _MEGABYTE
                        yield
                self._ended = True
            except urllib3.exceptions.ReadTimeoutError:
                raise _Broken(f"nothing came for {STALL_SECONDS:g} seconds") from None
            except (urllib3.exceptions.HTTPError, ConnectionError):
                raise _Broken("the connection was cut") from None
        self._response = None
        if not self.complete:
            raise _Broken("the connection was cut")
        if arrived:
            yield

    def _restart(self) -> None:
        discard(self.partial)
        self.total, self._validator, self._ended = None, "", False


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte and length of the whole, each None where the answer does not say."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return tuple(int(text) if text and text != "*" else None for text in match.groups()) if match else (None, None)


def _strong_validator(response: requests.Response) -> str:
    """What tells this file from a later one of the same address, as If-Range takes it; empty where nothing does."""
    etag = response.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def _reason(error: Exception) -> str:
    """The innermost reason of a nested network error."""
    text = str(error)
    for pattern, reason in (
        (r"NameResolution|getaddrinfo|Name or service", "its name cannot be resolved"),
        (r"CERTIFICATE_VERIFY|SSLError|SSL:", "no secure connection"),
        (r"ProxyError|Tunnel connection", "the proxy refuses the connection"),
        (r"ConnectTimeout|timed out", f"no connection within {CONNECT_SECONDS:g} seconds"),
        (r"refused|10061", "the connection is refused"),
        (r"Connection aborted", "the connection was closed without an answer"),
        (r"unreachable", "the network is unreachable"),
    ):
        if re.search(pattern, text):
            return reason
    return f"no connection ({text[:200]})"


def _shown(block: bytes) -> str:
    text = " ".join(block[:60].decode("utf-8", "replace").split())
    return repr(text)
