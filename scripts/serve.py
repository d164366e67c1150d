"""Serve a detector on this machine: a page to drop images on, and an address for programs.

In:   an exported model, as detect.py takes it; TensorFlow is needed only to make its model.onnx, where it has none.
Out:  an HTTP server:
        GET  /        a page: drop, choose or paste an image, see its boxes and tags
        POST /detect  the bytes of an image file, or a form with one -> size, detections in pixels, tags as JSON;
                      ?min_score=0.2 instead of the score thresholds that report.py found
        GET  /health  {"status": "ok"}
      Errors are {"error": "..."}.

It prints one line for each request. Only this machine can connect, unless --host says otherwise. Ctrl+C ends it.

  python scripts/serve.py --model exported_model
  curl -F "file=@photo.jpg" http://127.0.0.1:8501/detect
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
from collections.abc import Sequence

import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files
from scripts.lib.core.errors import UsageError
from scripts.lib.models import runtimes


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    from scripts.lib.serving import server
    from scripts.lib.serving.served_model import ServedModel

    model = ServedModel(args.model, args.runtime, args.threads, args.providers)
    app = server.application(model, [args.host, *args.allowed_host], args.allow_origin)
    try:
        listening = listen(args.host, args.port)
    except (OSError, OverflowError, UnicodeError) as error:  # the last: a host name like a..b
        where = f"--host {args.host} --port {args.port}"
        raise UsageError(f"cannot listen at {where}: {error}; --port 0 takes a free one") from None
    with listening:
        host = f"[{args.host}]" if ":" in args.host else args.host
        names = ", ".join(model.score_thresholds)
        print(f"{files.shown_path(args.model)} ({names}) runs in {model.detector.runtime}", flush=True)
        print(f"Serving at http://{host}:{listening.getsockname()[1]}/ (end with Ctrl+C)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.server(app).run(sockets=[listening])
    print("stopped", flush=True)
    os._exit(0)  # an image that is still looked at would hold the process: a thread cannot be stopped


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise OSError where the port is taken, OverflowError where it is not one."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    model = files.default_path("exported_model")
    parser.add_argument("--model", type=command_line.local_path, default=model, help="exported model")
    runtimes.add_flags(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0: other machines can connect")
    parser.add_argument("--port", type=int, default=8501, help="port to listen at; 0: any free one")
    help_text = "further host name of this server, beside localhost and IP addresses; may be repeated"
    parser.add_argument("--allowed_host", action="append", default=[], metavar="NAME", help=help_text)
    help_text = "site whose pages may send images, e.g. https://shop.example, or * for any; may be repeated"
    parser.add_argument("--allow_origin", action="append", default=[], metavar="ORIGIN", help=help_text)
    return parser.parse_args(argv)


if __name__ == "__main__":
    command_line.run(main)
