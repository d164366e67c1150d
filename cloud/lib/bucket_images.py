"""Images read by their addresses, on a bucket, on the web, or wherever Beam reaches; failures that pass are retried."""

from __future__ import annotations

import functools
import threading

from cloud.lib import beam_support
from scripts.lib.core import http
from scripts.lib.core.http import DownloadError, DownloadLimits

_PASSING = {408, 429}  # HTTP statuses below 500 that are worth a retry
_local = threading.local()


def fetch(address: str, limits: DownloadLimits) -> bytes:
    """Return the content of an image; raise DownloadError where it cannot be read."""
    if http.is_web_address(address):
        return http.fetch(address, limits)
    return http.retried(functools.partial(_read_once, address, limits.max_bytes), limits.retries, limits.pause)


def _read_once(address: str, max_bytes: int) -> bytes:
    read = _read_from_bucket if address.startswith("gs://") else beam_support.read_bytes
    try:
        content = read(address, max_bytes + 1)
    except Exception as error:  # each file system has its own
        status = getattr(error, "code", None)
        if isinstance(error, FileNotFoundError) or status == 404:
            raise DownloadError("there is no such image") from error
        final = isinstance(status, int) and status < 500 and status not in _PASSING
        raise DownloadError(str(error) or type(error).__name__, may_pass=not final) from error
    if len(content) > max_bytes:
        raise http.too_large(max_bytes)
    return content


def _read_from_bucket(address: str, limit: int) -> bytes:
    """Send one request per image, with one client per thread; Beam makes a client per file, and two requests."""
    from google.api_core.exceptions import RequestRangeNotSatisfiable
    from google.cloud import storage

    if not hasattr(_local, "client"):
        _local.client = storage.Client()
    bucket, _, name = address.removeprefix("gs://").partition("/")
    try:
        return _local.client.bucket(bucket).blob(name).download_as_bytes(end=limit - 1)
    except RequestRangeNotSatisfiable:  # an empty file
        return b""
