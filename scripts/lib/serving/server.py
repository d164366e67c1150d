"""The HTTP server of serve.py: the page, POST /detect, GET /health, and what each request is allowed.

Nothing in a request names a file, and nothing of it is written to disk.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import re
import sys
import threading
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from scripts.lib.core import command_line, parallel
from scripts.lib.pages import render
from scripts.lib.serving.served_model import ServedModel

_TRY_AGAIN = {"Retry-After": "1"}
_HEADERS = [  # of every answer
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
]
_LOGGING = {  # a line for each request; nothing of asyncio, which out of sockets writes a traceback for each client
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(message)s", "datefmt": "%H:%M:%S"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "uvicorn.access": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        **dict.fromkeys(("uvicorn.error", "asyncio"), {"level": "CRITICAL"}),
    },
}
_NO_JSON = "images in JSON (base64) are no longer taken: send the file itself, as curl --data-binary or curl -F does"


class Limits(NamedTuple):
    """What requests are allowed."""

    max_bytes: int = 32 * 2**20  # of a request's body
    max_requests: int = 16  # at a time; further ones are refused
    max_waiting: int = 200  # connections without a request; of more, the oldest are closed
    num_workers: int = parallel.available_cores()  # requests that are worked on at a time; the others wait
    read_seconds: float = 20.0  # until a request's headers have arrived, and again until its body has
    request_seconds: float = 30.0  # from then until it is answered


_LIMITS = Limits()


def application(
    model: ServedModel, allowed_hosts: Collection[str], allowed_origins: Collection[str] = (), limits: Limits = _LIMITS
) -> ASGIApp:
    """Return the ASGI application.

    Browsers may call it by IP addresses, localhost and the `allowed_hosts`, from its own page and from those of the
    `allowed_origins`, e.g. "https://shop.example"; "*": any.
    """
    page, page_headers = _page(model)
    routes = [
        Route("/", lambda request: Response(page, headers=page_headers, media_type="text/html")),
        Route("/health", lambda request: JSONResponse({"status": "ok"})),
        Route("/detect", _Queue(model, limits).detect, methods=["POST"]),
    ]
    allowed = {"allow_origins": list(allowed_origins), "allow_methods": ["POST"], "allow_headers": ["Content-Type"]}
    handlers = {HTTPException: _refusal, Exception: _refusal}
    app = Starlette(routes=routes, middleware=[Middleware(CORSMiddleware, **allowed)], exception_handlers=handlers)
    return _guarded(app, {"localhost", *(name.lower() for name in allowed_hosts)}, allowed_origins)


def _page(model: ServedModel) -> tuple[str, dict[str, str]]:
    """Return the page at / and headers that let a browser run only its own script and style."""
    classes = [
        {"name": name, "color": color, "score_threshold": model.score_thresholds[name]}
        for name, color in model.colors.items()
    ]
    page = render.render("serve.html", title="What is in an image?", note="", classes=classes)
    policy = [
        "default-src 'none'; img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'",
        "frame-ancestors 'none'",
    ]
    for tag in ("script", "style"):  # Content Security Policy Level 3, 2.3.1: the hash of each inline element
        contents = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = (base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents)
        policy.append(f"{tag}-src " + " ".join(f"'sha256-{digest}'" for digest in digests))
    return page, {"Content-Security-Policy": "; ".join(policy)}


def _min_score(request: Request) -> float | None:
    try:
        return command_line.score(request.query_params["min_score"])
    except KeyError:
        return None
    except (ValueError, argparse.ArgumentTypeError):
        raise HTTPException(400, "min_score has to be a number from 0 to 1") from None


def _refusal(request: Request, error: Exception) -> Response:
    """Answer every error by {"error": "..."}."""
    if not isinstance(error, HTTPException):
        print(f"{error!r:.300}", file=sys.stderr, flush=True)
        error = HTTPException(500, "internal server error")
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


class _Queue:
    """Reads the images of requests, and answers them in threads, within the limits."""

    def __init__(self, model: ServedModel, limits: Limits):
        self._model = model
        self._limits = limits
        self._places = threading.BoundedSemaphore(limits.max_requests)
        self._pool = ThreadPoolExecutor(limits.num_workers, thread_name_prefix="detect")

    async def detect(self, request: Request) -> Response:
        """Return the model's answer to the image in the body; raise HTTPException beyond a limit."""
        min_score = _min_score(request)
        if not self._places.acquire(blocking=False):
            raise HTTPException(503, "too many requests at a time; try again", _TRY_AGAIN)
        try:
            future = self._pool.submit(self._model.detect, await self._image(request), min_score)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(lambda _: self._places.release())  # not earlier: a thread cannot be stopped
        seconds = self._limits.request_seconds
        try:
            return JSONResponse(await asyncio.wait_for(asyncio.wrap_future(future), seconds))
        except asyncio.TimeoutError:
            status, what = (503, "not begun") if future.cancel() else (504, "not answered")
            raise HTTPException(status, f"{what} within {seconds:g} s; try again", _TRY_AGAIN) from None

    async def _image(self, request: Request) -> bytes:
        """Return the image file in the body: the body itself, or a form's first file.

        uvicorn reads and drops the rest of a body that is refused, so that the client sees why.
        """
        content_type = request.headers.get("content-type", "")
        if content_type.lower().startswith("application/json"):
            raise HTTPException(415, _NO_JSON)
        body, seconds = bytearray(), self._limits.read_seconds
        try:
            with anyio.fail_after(seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._limits.max_bytes:
                        raise HTTPException(413, f"the body exceeds {self._limits.max_bytes / 2**20:g} MiB")
        except TimeoutError:
            raise HTTPException(408, f"the body did not arrive within {seconds:g} s", {"Connection": "close"}) from None
        form = re.match(r'multipart/form-data;.*boundary="?([^";]+)', content_type, re.IGNORECASE)
        return _first_file(bytes(body), form[1]) if form else bytes(body)


def _first_file(form: bytes, boundary: str) -> bytes:
    """Return the content of the first file of a form, multipart/form-data (RFC 7578, RFC 2046 section 5.1.1)."""
    delimiter = f"--{boundary}".encode()
    begin = form.find(delimiter)
    for _ in range(10):  # parts of the form, among which the file is looked for
        content = form.find(b"\r\n\r\n", begin)
        end = form.find(b"\r\n" + delimiter, content)
        if -1 in (begin, content, end):
            break
        if b"filename=" in form[begin:content]:
            return form[content + 4 : end]
        begin = end + 2
    raise HTTPException(400, "the form holds no file; send one as curl -F file=@photo.jpg does")


def _guarded(app: ASGIApp, allowed_hosts: Collection[str], allowed_origins: Collection[str]) -> ASGIApp:
    """Return an application that refuses requests of other sites' pages.

    Such a page may send requests from the visitor's browser, and may let its own name point to this machine (DNS
    rebinding): both `Origin` and `Host` are checked.
    """

    async def guarded(scope, receive, send) -> None:
        headers, reason = Request(scope).headers, ""
        host = headers.get("host", "").lower()
        name = re.sub(r":\d+$", "", host)
        origin = headers.get("origin", f"http://{host}")
        if name not in allowed_hosts and not re.fullmatch(r"[\d.]+|\[[\da-f:.]+\]", name):  # of an IP address
            reason = "this server does not go by that Host; serve.py --allowed_host adds names"
        elif {origin, "*"}.isdisjoint(allowed_origins) and origin.partition("://")[2].lower() != host:
            reason = "requests from the pages of other sites are refused; serve.py --allow_origin adds sites"
        await (JSONResponse({"error": reason}, 403) if reason else app)(scope, receive, send)

    return guarded


def server(app: ASGIApp, limits: Limits = _LIMITS) -> uvicorn.Server:
    """Return uvicorn; its `run(sockets=[...])` returns a second after Ctrl+C."""
    waiting = {}  # a connection and its latest request -> since when no further one has come

    async def close_idle() -> None:
        """Close connections whose client sends no request, or not all of its headers."""
        nonlocal waiting
        now, connections = time.monotonic(), made.server_state.connections
        idle = [(one, one.cycle) for one in connections if one.cycle is None or one.cycle.response_complete]
        waiting = {key: waiting.get(key, now) for key in idle}
        for number, key in enumerate(sorted(idle, key=waiting.get)):
            if number < len(idle) - limits.max_waiting or now - waiting[key] > limits.read_seconds:
                key[0].transport.close()

    made = uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            headers=_HEADERS,
            log_config=_LOGGING,
            server_header=False,
            backlog=128,
            callback_notify=close_idle,
            timeout_notify=0,  # every second, as often as uvicorn looks
            timeout_graceful_shutdown=1,
        )
    )
    return made
