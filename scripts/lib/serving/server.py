"""The HTTP server of serve.py: routes, limits, and what every answer has.

What the limits are for: one request takes no more than its share of memory (body, pixels, pictures), none waits or is
waited for longer than said, and of those beyond what can be done each is told at once, by 503, to come back. Nothing in
a request names a file, and nothing of it is written to disk.
"""

from __future__ import annotations

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
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from scripts.lib.pages import render
from scripts.lib.serving import rest
from scripts.lib.serving.rest import RequestError
from scripts.lib.serving.served_model import ServedModel

_RETRY = {"Retry-After": "1"}
_MAX_CONNECTIONS = 100
_HEADERS = {  # of every answer
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Limits(NamedTuple):
    """What a request may take.

    Attributes:
        max_bytes: of its body.
        max_pictures: in it.
        max_requests: that are read, waited with and worked on at a time.
        num_workers: that are worked on at a time.
        read_seconds: until it has arrived; its headers, and then its body.
        request_seconds: until it is answered, from when it has arrived.
    """

    max_bytes: int
    max_pictures: int
    max_requests: int
    num_workers: int
    read_seconds: float
    request_seconds: float


class Address(NamedTuple):
    """What a model is served as: /v1/models/NAME[/versions/VERSION]."""

    name: str
    version: int


def application(model: ServedModel, address: Address, limits: Limits, allowed_hosts: Collection[str]) -> Gate:
    """The ASGI application.

    Args:
        model: that is served.
        address: of the model.
        limits: of a request.
        allowed_hosts: names by which browsers may call this server, beside IP addresses and localhost.
    """
    page, page_headers = _page(model, address)
    metadata = rest.metadata(*address, model.output_shapes)
    work = Work(limits)

    async def show_page(request: Request) -> Response:
        return Response(page, headers=page_headers, media_type="text/html")

    async def status(request: Request) -> Response:
        check_address(request)
        return _json(rest.status(address.version))

    async def show_metadata(request: Request) -> Response:
        check_address(request)
        return _json(metadata)

    async def predict(request: Request) -> Response:
        check_address(request)

        def answer(body: bytes) -> bytes:
            asked = rest.parse(body, limits.max_pictures)
            outputs = [model.outputs(data, f"picture {number}") for number, data in enumerate(asked.pictures)]
            return rest.encode(rest.response(outputs, asked.is_row))

        return Response(await work.done(request, answer), media_type="application/json")

    async def detect(request: Request) -> Response:
        min_score = _score(request.query_params.get("min_score"))
        answer = await work.done(request, lambda body: rest.encode(model.detect(body, min_score)))
        return Response(answer, media_type="application/json")

    def check_address(request: Request) -> None:
        name, version = request.path_params["name"], request.path_params.get("version", address.version)
        if (name, version) != address:
            known = f"{address.name}, version {address.version}"
            raise RequestError(404, f"Servable not found for request: {name[:100]}, version {version}; here is {known}")

    model_path, version_path = "/v1/models/{name}", "/v1/models/{name}/versions/{version:int}"
    routes = [
        Route("/", show_page),
        Route("/detect", detect, methods=["POST"]),
        *(Route(f"{path}:predict", predict, methods=["POST"]) for path in (version_path, model_path)),
        *(Route(f"{path}/metadata", show_metadata) for path in (version_path, model_path)),
        *(Route(path, status) for path in (version_path, model_path)),
    ]
    handlers = {RequestError: _refusal, HTTPException: _refusal, Exception: _refusal}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Gate(app, allowed_hosts)


def _page(model: ServedModel, address: Address) -> tuple[str, dict[str, str]]:
    """The page at /, and headers that let a browser run its own script and style alone."""
    page = render.render(
        "serve.html",
        title=f"{address.name}: what is on a picture?",
        note="",
        predict_path=_predict_path(address),
        classes=[
            {"name": name, "color": color, "least_score": model.least_scores[name]}
            for name, color in model.colors.items()
        ],
    )
    script, style = (_hashes(page, tag) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src {script}; style-src {style}; img-src blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, {"Content-Security-Policy": policy}


def _predict_path(address: Address) -> str:
    return f"/v1/models/{urllib.parse.quote(address.name)}:predict"


def _hashes(page: str, tag: str) -> str:
    """'sha256-...' of each inline script or style (Content Security Policy Level 3, 2.3.1)."""
    contents = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def _json(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(rest.encode(content), status, headers, media_type="application/json")


def _refusal(request: Request, error: Exception) -> Response:
    """Every error as TensorFlow Serving words it: {"error": "..."}."""
    if isinstance(error, RequestError):
        return _json({"error": str(error)}, error.status, error.headers)
    if isinstance(error, HTTPException):
        what = f"{error.detail}: {request.method} {request.url.path[:200]}"
        return _json({"error": what}, error.status_code, error.headers)
    return _json({"error": "the server made a mistake"}, 500)


def _score(text: str | None) -> float | None:
    try:
        value = None if text is None else float(text)
    except ValueError:
        value = -1.0
    if value is not None and not 0 <= value <= 1:
        raise RequestError(400, "min_score has to be a number from 0 to 1")
    return value


class Work:
    """Requests' bodies are read, and answered in threads, within the limits."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._places = threading.BoundedSemaphore(limits.max_requests)
        self._pool = ThreadPoolExecutor(limits.num_workers, thread_name_prefix="detect")

    async def done(self, request: Request, answer: Callable[[bytes], bytes]) -> bytes:
        """What `answer` makes of the request's body.

        Raises:
            RequestError: a limit, or what `answer` raises.
        """
        if not self._places.acquire(blocking=False):
            raise RequestError(503, "too many requests at a time; try again", _RETRY)
        try:
            body = await _body(request, self._limits)
            future = self._pool.submit(answer, body)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(lambda _: self._places.release())  # not before: a thread cannot be stopped
        seconds = self._limits.request_seconds
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
        except asyncio.TimeoutError:
            if future.cancel():
                raise RequestError(503, f"its turn did not come within {seconds:g} s; try again", _RETRY) from None
            raise RequestError(504, f"it took longer than {seconds:g} s") from None


async def _body(request: Request, limits: Limits) -> bytes:
    """The body, as far as the limits allow.

    Of a body that is refused uvicorn reads on what arrives, and drops it, so that the client comes to read the answer;
    `_ImpatientProtocol` ends that.

    Raises:
        RequestError: it is too large, too slow, or compressed.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise RequestError(415, "the body has to come without Content-Encoding")
    too_large = RequestError(413, f"the body exceeds {limits.max_bytes / 2**20:g} MiB")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limits.max_bytes:
        raise too_large
    body = bytearray()

    async def read() -> None:
        async for chunk in request.stream():
            if len(body) + len(chunk) > limits.max_bytes:
                raise too_large
            body.extend(chunk)

    try:
        await asyncio.wait_for(read(), limits.read_seconds)
    except asyncio.TimeoutError:
        late = f"the body did not arrive within {limits.read_seconds:g} s"
        raise RequestError(408, late, {"Connection": "close"}) from None
    except ClientDisconnect:
        raise RequestError(400, "the client went away") from None
    return bytes(body)


class Gate:
    """What every request passes: refuses those of foreign web pages, adds headers, prints a line.

    A page of another site could send requests from the visitor's browser. Its script cannot read the answers, since no
    CORS header allows it to, unless its host's name is made to point to this machine (DNS rebinding): hence names are
    looked at, too.
    """

    def __init__(self, app: Starlette, allowed_hosts: Collection[str] = ()):
        self._app = app
        self._allowed_hosts = {"localhost", *(name.lower() for name in allowed_hosts)}

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def send_on(message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
            await send(message)

        mistake = ""
        try:
            reason = self._foreign(Request(scope))
            app = _json({"error": reason}, 403) if reason else self._app
            await app(scope, receive, send_on)
        except Exception as error:  # Starlette has answered with 500
            mistake = f" {error!r:.300}"
        finally:
            client = scope["client"][0] if scope["client"] else "-"
            path = urllib.parse.quote(scope["path"][:200], safe="/:")  # no control character reaches the terminal
            took = f"{(time.perf_counter() - begun) * 1000:.0f} ms"
            now = time.strftime("%H:%M:%S")
            print(f"{now} {client} {scope['method']} {path} {status} {took}{mistake}", file=sys.stderr, flush=True)

    def _foreign(self, request: Request) -> str:
        """Why a request is refused; empty where it is not."""
        host = request.headers.get("host", "")
        name = _host_name(f"//{host}")
        if name not in self._allowed_hosts and not _is_ip_address(name):
            return "this server is not known by that Host; serve.py --allowed_host adds names"
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return "requests from the pages of other sites are refused"
        return ""


def _host_name(address: str) -> str:
    try:
        return urllib.parse.urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: the port is taken, or the address is not of this machine.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)


def server(app: Gate, limits: Limits) -> uvicorn.Server:
    """uvicorn, quiet; its `run(sockets=[...])` returns after Ctrl+C."""

    class Protocol(_ImpatientProtocol):
        read_seconds = limits.read_seconds

    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


class _ImpatientProtocol(H11Protocol):
    """uvicorn waits for ever for the rest of a request's headers; this one hangs up."""

    read_seconds: float

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._expect_request()

    def on_response_complete(self) -> None:
        self._expect_request()
        super().on_response_complete()

    def _expect_request(self) -> None:
        self.loop.call_later(self.read_seconds, self._hang_up, self.cycle)

    def _hang_up(self, last_cycle: object) -> None:
        if self.cycle is last_cycle:  # no request has begun since
            self.transport.close()
