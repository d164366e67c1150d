"""Serves a detector on this machine: TensorFlow Serving's REST form, and a page where one drops a picture.

In:   an exported model, as detect.py takes it; TensorFlow is needed only to make its model.onnx, where it has none.
Out:  an HTTP server:
        GET  /                                a page: drop, choose or paste a picture, see its boxes and tags
        POST /detect                          the bytes of an image file -> size, detections in pixels, tags as JSON;
                                              ?min_score=0.2 instead of the thresholds by report.py
        POST /v1/models/apparel:predict       {"instances": [{"b64": "..."}, ...]} -> {"predictions": [...]}, or
                                              {"inputs": [...]} -> {"outputs": {...}}
        GET  /v1/models/apparel               status
        GET  /v1/models/apparel/metadata      the signature
      The last three are TensorFlow Serving's REST form (also with /versions/1), with names and shapes of the SavedModel
      that export_inference_graph.py --input_type encoded_image_string_tensor writes. Errors are {"error": "..."}.

One line is printed for each request. Only this machine can connect, unless --host says otherwise. Ends with Ctrl+C.

  python scripts/serve.py --model exported_model
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence

import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files, parallel
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import UsageError
from scripts.lib.images import image_bytes
from scripts.lib.models import runtimes


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    from scripts.lib.serving import server
    from scripts.lib.serving.served_model import ServedModel

    limits = server.Limits(
        int(args.max_megabytes * 2**20),
        args.max_pictures,
        args.max_requests,
        args.num_workers,
        args.read_seconds,
        args.request_seconds,
    )
    model = ServedModel(args.model, args.runtime, int(args.max_megapixels * 1e6))
    address = server.Address(args.model_name, args.model_version)
    app = server.application(model, address, limits, [args.host, *args.allowed_host])
    try:
        listening = server.listen(args.host, args.port)
    except OSError as error:
        where = f"--host {args.host} --port {args.port}"
        raise UsageError(f"cannot listen at {where}: {error.strerror or error}; --port 0 takes a free one") from None
    with listening:
        host = f"[{args.host}]" if ":" in args.host else args.host
        url = f"http://{host}:{listening.getsockname()[1]}"
        names = ", ".join(model.least_scores)
        print(f"{files.shown_path(args.model)} ({names}) through {model.detector.runtime}", flush=True)
        print(f"Serving at {url}/ and {url}/v1/models/{args.model_name}:predict (ends with Ctrl+C)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):  # how it is meant to end
            server.server(app, limits).run(sockets=[listening])
    print("stopped", flush=True)
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--model", type=local_path, default=files.default_path("exported_model"), help="exported model")
    runtimes.add_flag(parser)
    parser.add_argument("--model_name", type=model_name, default="apparel", help="in the addresses")
    parser.add_argument("--model_version", type=command_line.positive_int, default=1, help="in the addresses")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0: other machines can connect")
    parser.add_argument("--port", type=port, default=8501, help="TensorFlow Serving's by default; 0: any that is free")
    parser.add_argument(
        "--allowed_host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which the server is called, beside localhost and IP addresses; may be repeated",
    )

    limits = parser.add_argument_group("limits")
    limits.add_argument("--max_megabytes", type=command_line.positive, default=32.0, help="of a request's body")
    limits.add_argument("--max_megapixels", type=megapixels, default=50.0, help="of a picture")
    limits.add_argument("--max_pictures", type=command_line.positive_int, default=16, help="in a request")
    limits.add_argument(
        "--max_requests", type=command_line.positive_int, default=16, help="at a time; those beyond are answered by 503"
    )
    limits.add_argument(
        "--num_workers",
        type=command_line.positive_int,
        default=parallel.available_cores(),
        help="requests that are worked on at a time; the others wait",
    )
    limits.add_argument("--read_seconds", type=command_line.positive, default=20.0, help="until a request has arrived")
    limits.add_argument(
        "--request_seconds", type=command_line.positive, default=30.0, help="from then until it is answered"
    )
    return parser.parse_args(argv)


def model_name(text: str) -> str:
    """An argparse type: a name that stands in an address as it is."""
    if not text or not set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."):
        raise argparse.ArgumentTypeError(f"{text!r} has to consist of letters without accents, digits, _, - and .")
    return text


def port(text: str) -> int:
    """An argparse type: a TCP port."""
    value = int(text)
    if not 0 <= value < 2**16:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 65535")
    return value


def megapixels(text: str) -> float:
    """An argparse type: no more than is ever decoded."""
    value, most = command_line.positive(text), image_bytes.MAX_PIXELS / 1e6
    if value > most:
        raise argparse.ArgumentTypeError(f"{value:g} is above {most:.0f}, the most that is decoded at all")
    return value


if __name__ == "__main__":
    command_line.run(main)
