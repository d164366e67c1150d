"""Files from the web: read whole within limits of time and size, or refused with the reason."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import requests

_CHUNK = 2**16
_WORTH_ANOTHER_TRY = {408, 425, 429, 500, 502, 503, 504}  # HTTP: the server may answer better in a moment
_local = threading.local()


class Limits(NamedTuple):
    """Attributes:
    seconds: one attempt may take, from the request to the last byte.
    max_bytes: a file may have.
    retries: further attempts after one that failed for a reason that may pass.
    pause: seconds before the first of them; twice as long before each next one.
    """

    seconds: float = 20.0
    max_bytes: int = 32 * 2**20
    retries: int = 2
    pause: float = 0.5


class DownloadError(Exception):
    """Says why there is no file, as the end of a sentence."""

    def __init__(self, reason: str, may_pass: bool = False):
        super().__init__(reason)
        self.may_pass = may_pass


def is_web_address(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https://"))


def fetch(url: str, limits: Limits) -> bytes:
    """The content of a file on http or https; redirects are followed, a proxy of the environment is used.

    Raises:
        DownloadError: it cannot be had within the limits.
    """
    return retried(lambda: _fetch_once(url, limits), limits)


def retried(fetch_once: Callable[[], bytes], limits: Limits) -> bytes:
    """What the function returns, called again where it raises a DownloadError that may pass.

    Raises:
        DownloadError: the last one.
    """
    for attempt in range(limits.retries + 1):
        try:
            return fetch_once()
        except DownloadError as error:
            if not error.may_pass:
                raise
            if attempt == limits.retries:
                raise DownloadError(f"{error} ({attempt + 1} attempts)") from error
        time.sleep(limits.pause * 2**attempt)
    raise AssertionError("the loop returns or raises")


def _fetch_once(url: str, limits: Limits) -> bytes:
    import requests  # here, since most runs do without
    import urllib3

    deadline = time.monotonic() + limits.seconds
    too_slow = DownloadError(f"took longer than {limits.seconds:g} s", may_pass=True)
    try:
        with _session().get(url, stream=True, timeout=limits.seconds) as response:
            if response.status_code != requests.codes.ok:
                reason = f"the server answers {response.status_code} {response.reason or ''}".rstrip()
                raise DownloadError(reason, may_pass=response.status_code in _WORTH_ANOTHER_TRY)
            announced = response.headers.get("Content-Length", "")
            if announced.isdecimal() and int(announced) > limits.max_bytes:
                raise too_large(limits.max_bytes)
            content = bytearray()
            # Chunk by chunk as they come in: a server that sends a byte now and then keeps no deadline of a socket.
            while chunk := response.raw.read1(_CHUNK, decode_content=False):
                content += chunk
                if len(content) > limits.max_bytes:
                    raise too_large(limits.max_bytes)
                if time.monotonic() > deadline:
                    raise too_slow
            return bytes(content)
    except (requests.Timeout, urllib3.exceptions.ReadTimeoutError) as error:
        raise too_slow from error
    except urllib3.exceptions.HTTPError as error:
        raise DownloadError("the connection broke off", may_pass=True) from error
    except requests.ConnectionError as error:
        raise DownloadError(f"cannot be reached: {_innermost(error)}", may_pass=True) from error
    except (requests.RequestException, ValueError) as error:  # no valid URL, redirected too often
        raise DownloadError(f"cannot be fetched: {error}") from error


def too_large(max_bytes: int) -> DownloadError:
    return DownloadError(f"has more than {max_bytes / 2**20:.3g} MB")


def _session() -> requests.Session:
    """One for each thread, which keeps connections open."""
    import requests

    if not hasattr(_local, "session"):
        _local.session = requests.Session()
        _local.session.max_redirects = 5
        _local.session.headers.update({"Accept": "image/*", "Accept-Encoding": "identity"})
    return _local.session


def _innermost(error: BaseException) -> str:
    """The cause at the bottom, which says most in the fewest words."""
    while error.__context__ is not None:
        error = error.__context__
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
