"""The HTTP server of serve.py: the page, POST /detect, GET /health, and what each request is allowed.

A request gets a bounded share of memory and time, and those beyond the server's capacity are refused at once by 503.
Nothing in a request names a file, and nothing of it is written to disk.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import ipaddress
import re
import socket
import sys
import threading
import time
import urllib.parse
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scripts.lib.core import command_line, parallel
from scripts.lib.pages import render
from scripts.lib.serving.served_model import RequestError, ServedModel

_TRY_AGAIN = {"Retry-After": "1"}
_HEADERS = {  # of every answer
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Limits(NamedTuple):
    """What requests are allowed."""

    max_bytes: int = 32 * 2**20  # of a request's body
    max_requests: int = 16  # at a time; further ones are refused
    num_workers: int = parallel.available_cores()  # requests that are worked on at a time; the others wait
    read_seconds: float = 20.0  # until a request's body has arrived
    request_seconds: float = 30.0  # from then until it is answered


_LIMITS = Limits()


def application(model: ServedModel, allowed_hosts: Collection[str], limits: Limits = _LIMITS) -> Gate:
    """Return the ASGI application.

    `allowed_hosts` are the names by which browsers may call this server, beside IP addresses and localhost.
    """
    page, page_headers = _page(model)
    queue = _Queue(model, limits)

    async def show_page(request: Request) -> Response:
        return Response(page, headers=page_headers, media_type="text/html")

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def detect(request: Request) -> Response:
        return JSONResponse(await queue.detect(request, _min_score(request)))

    routes = [Route("/", show_page), Route("/health", health), Route("/detect", detect, methods=["POST"])]
    handlers = {RequestError: _refusal, HTTPException: _refusal, Exception: _refusal}
    return Gate(Starlette(routes=routes, exception_handlers=handlers), allowed_hosts)


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
        raise RequestError(400, "min_score has to be a number from 0 to 1") from None


def _refusal(request: Request, error: Exception) -> Response:
    """Answer every error by {"error": "..."}."""
    if isinstance(error, RequestError):
        return JSONResponse({"error": str(error)}, error.status, error.headers)
    if isinstance(error, HTTPException):
        message = f"{error.detail}: {request.method} {request.url.path[:200]}"
        return JSONResponse({"error": message}, error.status_code, error.headers)
    return JSONResponse({"error": "internal server error"}, 500)


class _Queue:
    """Reads the bodies of requests, and answers them in threads, within the limits."""

    def __init__(self, model: ServedModel, limits: Limits):
        self._model = model
        self._limits = limits
        self._places = threading.BoundedSemaphore(limits.max_requests)
        self._pool = ThreadPoolExecutor(limits.num_workers, thread_name_prefix="detect")

    async def detect(self, request: Request, min_score: float | None) -> dict:
        """Return the model's answer to the image in the body; raise RequestError beyond a limit."""
        if not self._places.acquire(blocking=False):
            raise RequestError(503, "too many requests at a time; try again", _TRY_AGAIN)
        try:
            future = self._pool.submit(self._model.detect, await self._body(request), min_score)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(lambda _: self._places.release())  # not earlier: a thread cannot be stopped
        seconds = self._limits.request_seconds
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
        except asyncio.TimeoutError:
            if future.cancel():  # it had not begun
                raise RequestError(503, f"its turn did not come within {seconds:g} s; try again", _TRY_AGAIN) from None
            raise RequestError(504, f"it took longer than {seconds:g} s") from None

    async def _body(self, request: Request) -> bytes:
        """Read the body; uvicorn reads and drops the rest of one that is refused, so that the client sees why."""
        body = bytearray()

        async def read() -> None:
            async for chunk in request.stream():
                body.extend(chunk)
                if len(body) > self._limits.max_bytes:
                    raise RequestError(413, f"the body exceeds {self._limits.max_bytes / 2**20:g} MiB")

        try:
            await asyncio.wait_for(read(), self._limits.read_seconds)
        except asyncio.TimeoutError:
            message = f"the body did not arrive within {self._limits.read_seconds:g} s"
            raise RequestError(408, message, {"Connection": "close"}) from None
        except ClientDisconnect:
            raise RequestError(400, "the client went away") from None
        return bytes(body)


class Gate:
    """Refuse requests of other sites' pages, add headers to every answer, and print a line for each request.

    A page of another site may send requests from the visitor's browser, and may let its own name point to this machine
    (DNS rebinding): both `Origin` and `Host` are checked.
    """

    def __init__(self, app: Starlette, allowed_hosts: Collection[str]):
        self._app = app
        self._allowed_hosts = {"localhost", *(name.lower() for name in allowed_hosts)}

    async def __call__(self, scope, receive, send) -> None:
        begun, status, failure = time.perf_counter(), 0, ""

        async def send_on(message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
            await send(message)

        try:
            reason = self._reason_to_refuse(Request(scope))
            app = JSONResponse({"error": reason}, 403) if reason else self._app
            await app(scope, receive, send_on)
        except Exception as error:  # Starlette has answered it by 500
            failure = f" {error!r:.300}"
        finally:
            client = scope["client"][0] if scope["client"] else "-"
            path = urllib.parse.quote(scope["path"][:200], safe="/:")  # no control character reaches the terminal
            took = f"{(time.perf_counter() - begun) * 1000:.0f} ms"
            now = time.strftime("%H:%M:%S")
            print(f"{now} {client} {scope['method']} {path} {status} {took}{failure}", file=sys.stderr, flush=True)

    def _reason_to_refuse(self, request: Request) -> str:
        host = request.headers.get("host", "")
        if not self._is_allowed(host):
            return "this server does not go by that Host; serve.py --allowed_host adds names"
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return "requests from the pages of other sites are refused"
        return ""

    def _is_allowed(self, host: str) -> bool:
        try:
            name = urllib.parse.urlsplit(f"//{host}").hostname or ""
            return name in self._allowed_hosts or bool(ipaddress.ip_address(name))
        except ValueError:
            return False


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise OSError where the port is taken, OverflowError where it is not one."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)


def server(app: Gate) -> uvicorn.Server:
    """Return uvicorn, quiet; its `run(sockets=[...])` returns after Ctrl+C."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=100,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)
