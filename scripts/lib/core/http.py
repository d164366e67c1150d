"""Read files over HTTP: small ones within limits of time and size, large ones so that a download can be resumed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import requests
import urllib3

from scripts.lib.core.files import naming
from scripts.lib.core.progress import StatusLine

CONNECT_SECONDS = 10.0
STALL_SECONDS = 30.0  # of `download`, without a byte
MIN_RATE = 1000  # of `download`, bytes a second after the first STALL_SECONDS
ATTEMPTS = 5  # of `download`, in a row that bring nothing new
PAUSE_SECONDS = 1.0  # of `download`; see `DownloadLimits.pause`
MAX_PAUSE_SECONDS = 120.0

_MAY_PASS = {408, 425, 429, 500, 502, 503, 504}  # statuses of a server that may answer better in a moment
_local = threading.local()


class DownloadLimits(NamedTuple):
    """Limits of a small file.

    Attributes:
        seconds: for one attempt, from the request to the last byte.
        max_bytes: size of the file.
        retries: further attempts after one that failed for a reason that may pass.
        pause: seconds; the first further attempt comes at once, the next ones after 2, 4, 8... times the pause.
    """

    seconds: float = 20.0
    max_bytes: int = 32 * 2**20
    retries: int = 2
    pause: float = 0.5


class DownloadError(Exception):
    """The file cannot be had; the message says why, as the end of a sentence.

    Attributes:
        may_pass: another attempt may help.
        reached: a server answered.
    """

    def __init__(self, reason: str, may_pass: bool = False, reached: bool = True):
        super().__init__(reason)
        self.may_pass, self.reached = may_pass, reached


def is_web_address(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https://"))


def fetch(url: str, limits: DownloadLimits) -> bytes:
    """Return the content of an image.

    Raises:
        DownloadError: it cannot be had within the limits.
    """

    def attempt() -> bytes:
        deadline, content = time.monotonic() + limits.seconds, bytearray()
        with _open(url, {"Accept": "image/*"}, limits.seconds) as response:
            if _content_length(response) > limits.max_bytes:
                raise too_large(limits.max_bytes)
            for block in _blocks(response):
                content += block
                if len(content) > limits.max_bytes:
                    raise too_large(limits.max_bytes)
                if time.monotonic() > deadline:
                    raise DownloadError(f"took longer than {limits.seconds:g} s", may_pass=True)
        return bytes(content)

    return retried(attempt, limits.retries, limits.pause)


def too_large(max_bytes: int) -> DownloadError:
    return DownloadError(f"has more than {max_bytes / 2**20:.3g} MB")


def retried(attempt: Callable, retries: int, pause: float, arrived: Callable[[], int] = lambda: 0):
    """Return what `attempt` returns, calling it again where it raises a DownloadError that may pass.

    Args:
        attempt: a function without arguments.
        retries, pause: as in `DownloadLimits`.
        arrived: returns the number of bytes that are here; an attempt that brings more than ever before does not count.

    Raises:
        DownloadError: the last one.
    """
    failures, most = 0, arrived()
    while True:
        try:
            return attempt()
        except DownloadError as error:
            if not error.may_pass:
                raise
            failures = 1 if arrived() > most else failures + 1
            most = max(most, arrived())
            if failures > retries:
                raise DownloadError(f"{error} ({failures} attempts)" if retries else str(error)) from error
        if failures > 1:
            time.sleep(min(pause * 2 ** (failures - 1), MAX_PAUSE_SECONDS))


def download(url: str, partial: Path, name: str, begins: bytes, max_bytes: int) -> None:
    """Download a large file, or the rest of it, into a partial file, which is complete when this returns.

    A rest that belongs to another version of the file is not noticed: such files have checksums of their own.

    Args:
        url: http:// or https://.
        partial: what an earlier call may have left and this one may leave.
        name: the file's name for the progress.
        begins: the first bytes of such a file; anything else is a page that a server or proxy shows instead.
        max_bytes: that such a file may have.

    Raises:
        DownloadError: no server, an error of it, another file, a larger one, a slower server than `MIN_RATE`, or
            `ATTEMPTS` in a row without a new byte.
        OSError: the disk is full, or the like.
    """
    transfer = _Transfer(url, partial, name, begins, max_bytes)
    try:
        retried(transfer.attempt, ATTEMPTS - 1, PAUSE_SECONDS, lambda: size(partial))
    except DownloadError as error:
        if not size(partial):
            raise
        raise DownloadError(f"{error}, with {size(partial):,}{transfer.of_total} bytes here") from error


def size(partial: Path) -> int:
    """Return the number of bytes that have arrived."""
    return partial.stat().st_size if partial.is_file() else 0


class _Transfer:
    """One large file on its way (RFC 9110, section 14: Range Requests).

    Attributes:
        of_total: e.g. " of 1,000"; empty where the server does not say how long the file is.
    """

    def __init__(self, url: str, partial: Path, name: str, begins: bytes, max_bytes: int):
        self.url, self.partial, self.name, self.begins, self.max_bytes = url, partial, name, begins, max_bytes
        self.of_total, self._answered = "", False

    def attempt(self) -> None:
        """Get what is missing."""
        arrived = size(self.partial)
        headers = {"Range": f"bytes={arrived}-"} if arrived else {}
        try:
            with _open(self.url, headers, STALL_SECONDS) as response:
                self._answered = True
                content_range = response.headers.get("Content-Range", "")
                if content_range == f"bytes */{arrived}":  # nothing is missing, whatever was announced
                    return
                if not content_range.startswith(f"bytes {arrived}-"):
                    self.partial.unlink(missing_ok=True)
                    arrived = 0
                    if response.status_code in (206, 416):
                        raise DownloadError("the server sends another part than was asked for", may_pass=True)
                length = _content_length(response)
                if arrived + length > self.max_bytes:
                    raise too_large(self.max_bytes)
                self.of_total = f" of {arrived + length:,}" if length else ""
                self._receive(response)
        except DownloadError as error:
            error.may_pass &= error.reached or self._answered  # there are other addresses: do not wait for this one
            raise

    def _receive(self, response: requests.Response) -> None:
        """Write what arrives to the end of the partial file."""
        line, begun, received = StatusLine(), time.monotonic(), 0
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        with naming(self.partial), self.partial.open("ab") as file, contextlib.ExitStack() as at_end:
            at_end.callback(line.clear)
            for block in _blocks(response):
                if file.tell() == 0 and not block.startswith(self.begins):
                    kind = response.headers.get("Content-Type", "no type given")
                    text = " ".join(block[:60].decode("utf-8", "replace").split())
                    raise DownloadError(f"the server sends not an archive but {kind}, which begins {text!r}")
                file.write(block)
                if file.tell() > self.max_bytes:
                    file.truncate(0)  # it is another file
                    raise too_large(self.max_bytes)
                received += len(block)
                if (seconds := time.monotonic() - begun) > STALL_SECONDS and received < MIN_RATE * seconds:
                    raise DownloadError(f"sends fewer than {MIN_RATE:,} bytes a second")
                line.update(lambda: f"downloading {self.name}: {file.tell():,}{self.of_total} bytes")


@contextlib.contextmanager
def _open(url: str, headers: Mapping[str, str], seconds: float) -> Iterator[requests.Response]:
    """Open a URL; what goes wrong with the connection until the block ends becomes a DownloadError.

    Redirects are followed, and a proxy of the environment is used.

    Args:
        url: http:// or https://.
        headers: of the request.
        seconds: longest time to wait for the next byte.
    """
    if not hasattr(_local, "session"):  # one per thread, which keeps connections open
        _local.session = requests.Session()
        _local.session.max_redirects = 5
        _local.session.headers["Accept-Encoding"] = "identity"  # the bytes as they are
    try:
        timeout = (min(CONNECT_SECONDS, seconds), seconds)
        with _local.session.get(url, headers=headers, stream=True, timeout=timeout) as response:
            if not response.ok and response.status_code != 416:  # nothing after the range's start
                reason = f"the server answers {response.status_code} {response.reason or ''}".rstrip()
                raise DownloadError(reason, may_pass=response.status_code in _MAY_PASS)
            yield response
    except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as error:
        raise DownloadError(f"nothing came for {seconds:g} s", may_pass=True) from error
    except urllib3.exceptions.HTTPError as error:
        raise DownloadError("the connection broke off", may_pass=True) from error
    except requests.ConnectionError as error:
        reached = "Connection aborted" in str(error)
        raise DownloadError(f"cannot be reached: {_innermost(error)}", may_pass=True, reached=reached) from error
    except (requests.RequestException, ValueError) as error:  # not a valid URL, redirected too often
        raise DownloadError(f"cannot be fetched: {error}") from error


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """Yield the bytes as they come in: a socket has no deadline for a server that sends a byte now and then."""
    while block := response.raw.read1(2**16, decode_content=False):
        yield block


def _content_length(response: requests.Response) -> int:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else 0


def _innermost(error: BaseException) -> str:
    """Return the reason at the bottom, which says most in the fewest words."""
    while error.__context__ is not None:
        error = error.__context__
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
