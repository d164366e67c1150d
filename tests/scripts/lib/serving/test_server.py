"""serve.py: TensorFlow Serving's REST form, limits, foreign pages, and the page in a browser."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from scripts import export_inference_graph, serve
from scripts.lib.core.errors import UsageError
from scripts.lib.serving import server as serving
from scripts.lib.serving.served_model import ServedModel
from tests import chromium, made_onnx, untrained_model

ROOT = Path(__file__).resolve().parents[2]
PREDICT = "/v1/models/apparel:predict"
LIMITS = serving.Limits(
    max_bytes=200_000, max_pictures=3, max_requests=2, num_workers=1, read_seconds=30, request_seconds=60
)
OUTPUTS = {
    "detection_boxes": [5, 4],
    "detection_scores": [5],
    "detection_classes": [5],
    "num_detections": [],
    "detection_multiclass_scores": [5, 3],
    "raw_detection_boxes": [-1, 4],
    "raw_detection_scores": [-1, 3],
}


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def json(self):
        return json.loads(self.content)


class Served:
    """A server in a thread of this process."""

    def __init__(self, model: ServedModel, limits: serving.Limits = LIMITS):
        app = serving.application(model, serving.Address("apparel", 1), limits, ["shop.example"])
        self._socket = serving.listen("127.0.0.1", 0)
        self.port = self._socket.getsockname()[1]
        self._server = serving.server(app, limits)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    def __enter__(self) -> Served:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.should_exit = True
        self._thread.join(60)
        self._socket.close()
        assert not self._thread.is_alive()

    def ask(self, method: str, path: str, body=None, headers=(), timeout: float = 60) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers), encode_chunked=not isinstance(body, bytes))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def predict(self, *pictures: bytes, path: str = PREDICT) -> Answer:
        return self.ask("POST", path, rows(*pictures))


def rows(*pictures: bytes) -> bytes:
    return json.dumps({"instances": [{"b64": base64.b64encode(data).decode()} for data in pictures]}).encode()


def picture(color=(0, 230, 0), size=(200, 100), format="PNG", **options) -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", size, color).save(encoded, format, **options)
    return encoded.getvalue()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return ServedModel(made_onnx.write(tmp_path_factory.mktemp("model"), Green=0.8), "onnx", max_pixels=1_000_000)


@pytest.fixture(scope="module")
def served(model):
    with Served(model) as server:
        yield server


# --- TensorFlow Serving's REST form ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PREDICT, "/v1/models/apparel/versions/1:predict"])
def test_rows_give_predictions_with_all_fields_of_the_signature(served, path):
    answer = served.predict(picture(), picture((0, 0, 51), (30, 90)), path=path)
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    green, blue = answer.json["predictions"]
    shapes = {name: list(np.shape(value)) for name, value in green.items()}
    assert shapes == {**OUTPUTS, "raw_detection_boxes": [1, 4], "raw_detection_scores": [1, 3]}
    assert green["detection_boxes"] == [pytest.approx(made_onnx.BOX_YXYX), *[[0.0] * 4] * 4]
    assert green["detection_scores"] == pytest.approx([230 / 255, 0, 0, 0, 0])
    assert (green["detection_classes"], green["num_detections"]) == ([1.0] * 5, 1.0)
    assert blue["detection_scores"][0] == pytest.approx(0.2) and blue["detection_classes"][0] == 2.0
    assert blue["raw_detection_scores"] == [pytest.approx([0, 0, 0.2])]


def test_columns_give_outputs(served):
    encoded = {"b64": base64.b64encode(picture()).decode()}
    answer = served.ask("POST", PREDICT, json.dumps({"inputs": [encoded, encoded]}).encode())
    assert {name: np.shape(value)[0] for name, value in answer.json["outputs"].items()} == dict.fromkeys(OUTPUTS, 2)


@pytest.mark.parametrize("place", ["", "/versions/1"])
def test_status_and_metadata(served, place):
    status = served.ask("GET", f"/v1/models/apparel{place}").json["model_version_status"]
    assert status == [{"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}]
    metadata = served.ask("GET", f"/v1/models/apparel{place}/metadata").json
    assert metadata["model_spec"] == {"name": "apparel", "signature_name": "", "version": "1"}
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert shapes_of(signature["outputs"]) == OUTPUTS
    assert signature["inputs"]["inputs"]["dtype"] == "DT_STRING"


def shapes_of(tensors: dict) -> dict[str, list[int]]:
    """Name -> shape without the batch dimension, of a signature as JSON."""
    sizes = {name: [int(dim["size"]) for dim in one["tensor_shape"].get("dim", [])] for name, one in tensors.items()}
    assert {shape[0] for shape in sizes.values()} == {-1}
    return {name: shape[1:] for name, shape in sizes.items()}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", PREDICT, b"{", 400, "JSON Parse error"),
        ("POST", PREDICT, rows(b"no picture"), 400, "picture 0: the file is no image that can be read"),
        ("POST", PREDICT, rows(picture(), picture(format="JPEG")[:700]), 400, "picture 1: the image is damaged"),
        ("POST", PREDICT, rows(b""), 400, "picture 0: the image file is empty"),
        ("POST", PREDICT, rows(*[picture()] * 4), 413, "4 pictures; a request has 1 to 3"),
        ("POST", PREDICT, rows(picture(size=(1100, 1000))), 413, "has 1100x1000 pixels; at most 1 million"),
        ("POST", PREDICT, bytes(20_000_000), 413, "the body exceeds 0.190735 MiB"),
        ("POST", PREDICT, (bytes(50_000) for _ in range(100)), 413, "the body exceeds"),
        ("POST", "/v1/models/shoes:predict", rows(picture()), 404, "Servable not found for request: shoes"),
        (
            "POST",
            "/v1/models/apparel/versions/2:predict",
            rows(picture()),
            404,
            "version 2; here is apparel, version 1",
        ),
        ("GET", "/v1/models/shoes", None, 404, "Servable not found"),
        ("GET", "/v1/models/apparel/versions/x/metadata", None, 404, "Not Found"),
        ("GET", "/detect", None, 405, "Method Not Allowed"),
        ("GET", "/../../../etc/passwd", None, 404, "Not Found"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", None, 404, "Not Found"),
        ("POST", "/detect", b"<html>", 400, "the picture: the file is a web page"),
        ("POST", "/detect?min_score=2", picture(), 400, "min_score has to be a number from 0 to 1"),
        ("POST", "/detect?min_score=nan", picture(), 400, "min_score has to be a number from 0 to 1"),
    ],
)
def test_errors_are_json_with_a_status(served, method, path, body, status, message):
    answer = served.ask(method, path, body)
    assert (answer.status, list(answer.json)) == (status, ["error"])
    assert message in answer.json["error"]


def test_a_compressed_body_is_refused(served):
    assert served.ask("POST", PREDICT, b"x", {"Content-Encoding": "gzip"}).status == 415


def test_a_decompression_bomb_is_refused_by_its_header(served):
    bomb = bytearray(picture(size=(16, 16)))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2  # width and height in IHDR
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    answer = served.predict(bytes(bomb))
    assert answer.status in (400, 413)
    assert "pixels" in answer.json["error"]


# --- In words -------------------------------------------------------------------------------------------------------


def test_detect_gives_pixels_names_and_tags_above_each_class_threshold(served):
    content = served.ask("POST", "/detect", picture((0, 230, 153))).json
    box = {"xmin": 20.0, "ymin": 25.0, "xmax": 120.0, "ymax": 75.0}
    assert content == {
        "width": 200,
        "height": 100,
        "detections": [{"class": "Green", "score": 0.902, **box}, {"class": "Blue", "score": 0.6, **box}],
        "tags": {"Green": 0.902, "Blue": 0.6},
        "least_scores": {"Green": 0.8, "Blue": 0.5},
    }
    content = served.ask("POST", "/detect", picture((0, 190, 100))).json
    assert (content["detections"], content["tags"]) == ([], {})


def test_min_score_shows_more_boxes_and_leaves_the_tags(served):
    content = served.ask("POST", "/detect?min_score=0.3", picture((0, 190, 100))).json
    assert [found["class"] for found in content["detections"]] == ["Green", "Blue"]
    assert content["tags"] == {}


def test_a_photo_that_exif_turns_is_looked_at_upright(served):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = served.ask("POST", "/detect", picture(size=(40, 80), format="JPEG", exif=exif)).json
    assert (content["width"], content["height"]) == (80, 40)


# --- Limits ---------------------------------------------------------------------------------------------------------


class Slow:
    """A model whose detections wait until they are let go."""

    def __init__(self, model: ServedModel):
        self.__dict__.update(model.__dict__)
        self.began, self.go = threading.Semaphore(0), threading.Event()

    def detect(self, data: bytes, min_score: float | None) -> dict:
        self.began.release()
        assert self.go.wait(60)
        return {}


def in_background(count: int, ask) -> tuple[list[threading.Thread], list[Answer]]:
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def test_requests_beyond_the_bound_are_told_at_once_to_come_back(model):
    slow = Slow(model)
    with Served(slow, LIMITS._replace(num_workers=2)) as server:
        threads, answers = in_background(2, lambda: server.ask("POST", "/detect", b"x"))
        assert slow.began.acquire(timeout=60) and slow.began.acquire(timeout=60)
        refused = server.ask("POST", "/detect", b"x")
        assert refused.status == 503
        assert refused.headers["Retry-After"] == "1" and "try again" in refused.json["error"]
        assert server.ask("GET", "/v1/models/apparel").status == 200
        slow.go.set()
        for thread in threads:
            thread.join(60)
        assert [answer.status for answer in answers] == [200, 200]
        assert server.ask("POST", "/detect", b"x").status == 200  # the places are free again


def test_what_takes_too_long_is_504_and_what_did_not_begin_503(model):
    slow = Slow(model)
    with Served(slow, LIMITS._replace(request_seconds=0.5)) as server:
        threads, answers = in_background(2, lambda: server.ask("POST", "/detect", b"x"))
        for thread in threads:
            thread.join(60)
        assert sorted(answer.status for answer in answers) == [503, 504]
        assert next(answer for answer in answers if answer.status == 503).headers["Retry-After"] == "1"
        slow.go.set()


def test_a_client_that_dawdles_is_hung_up_on(model):
    with Served(model, LIMITS._replace(read_seconds=0.5)) as server:
        for sent, status in (
            (b"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nbegin", b"HTTP/1.1 408 "),
            (b"GET / HTTP/1.1\r\nHost: loc", b""),
            (b"GET /v1/models/apparel HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT", b"HTTP/1.1 200 "),
        ):
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
                connection.sendall(sent)
                received = b""
                while more := connection.recv(1 << 16):  # until the server closes it
                    received += more
            assert received[: len(status)] == status and bool(received) == bool(status)


# --- Foreign pages, and what is printed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1234"}, 200),
        ({"Host": "192.168.1.7"}, 200),
        ({"Host": "[::1]:80"}, 200),
        ({"Host": "SHOP.example"}, 200),
        ({"Host": "localhost:80", "Origin": "http://localhost:80"}, 200),
        ({"Host": "evil.example"}, 403),  # DNS rebinding
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "["}, 403),
        ({"Host": "localhost:80", "Origin": "http://localhost:81"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_pages_of_other_sites_are_refused(served, headers, status):
    answer = served.ask("POST", "/detect", picture(), headers)
    assert answer.status == status
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


def test_the_page_may_run_its_own_script_alone(served):
    answer = served.ask("GET", "/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"(?:src|href)=\"(?!data:)", answer.content.decode())  # nothing to fetch


def test_a_request_is_one_line_without_control_characters(model, capfd):
    with Served(model) as server:
        server.ask("GET", "/a%0d%0ab%1b[31m")
    lines = capfd.readouterr().err.splitlines()  # the server of the other tests may still be writing its own
    (line,) = [line for line in lines if "/a" in line]
    assert re.fullmatch(r"\d\d:\d\d:\d\d 127\.0\.0\.1 GET /a%0D%0Ab%1B%5B31m 404 \d+ ms", line)


def test_a_mistake_of_ours_is_500_without_details(model, capfd):
    broken = Slow(model)
    broken.detect = lambda data, min_score: 1 / 0
    with Served(broken) as server:
        answer = server.ask("POST", "/detect", b"x")
    assert (answer.status, answer.json) == (500, {"error": "the server made a mistake"})
    assert "Traceback" not in (printed := capfd.readouterr().err) and "ZeroDivisionError" in printed


# --- The script -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Ctrl+C cannot be sent to one process")
def test_the_script_says_where_it_serves_and_ends_with_ctrl_c(tmp_path):
    folder = made_onnx.write(tmp_path / "model")
    process = subprocess.Popen(
        [sys.executable, "-X", "utf8", ROOT / "scripts/serve.py", "--model", folder, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert process.stdout.readline() == "model (Green, Blue) through onnx\n"
        port = re.search(r"http://127\.0\.0\.1:(\d+)/ and ", process.stdout.readline())[1]
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
        connection.request("GET", "/v1/models/apparel")
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "stopped\n")
    assert re.fullmatch(r".* GET /v1/models/apparel 200 \d+ ms\n", err)


def test_a_port_that_is_taken_and_a_folder_without_a_model_are_said(tmp_path):
    with serving.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"--port {port}: .*--port 0"):
            serve.main(["--model", str(made_onnx.write(tmp_path)), "--port", str(port)])
    with pytest.raises(UsageError, match="is no exported model"):
        serve.main(["--model", str(tmp_path / "nothing")])


# --- In the browser -----------------------------------------------------------------------------------------------------

FOUND = "[...document.querySelectorAll('#found li')].map(line => line.textContent).join()"
PASTE = """new Promise(done => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 50, height: 50});
  const context = canvas.getContext("2d");
  context.fillStyle = "#00ff00";
  context.fillRect(0, 0, 50, 50);
  canvas.toBlob(done);
}).then(blob => {
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([blob], "image.png", {type: "image/png"}));
  document.dispatchEvent(new ClipboardEvent("paste", {clipboardData}));
})"""
MESSAGE = "document.getElementById('message').textContent"


def test_one_chooses_drops_or_pastes_a_picture_and_sees_its_boxes(served, tmp_path):
    (tmp_path / "wide photo.png").write_bytes(picture((0, 230, 100), (800, 400)))
    (tmp_path / "notes.txt").write_text("no picture")
    with chromium.Page(f"http://127.0.0.1:{served.port}/", 1000, 800) as page:
        page.press("Tab", 9)
        assert page.value("document.activeElement.id") == "place"
        page.choose("#file", tmp_path / "wide photo.png")
        page.wait_for(f"{FOUND} === 'Green90%'")
        assert page.value(MESSAGE) == "1 box on a picture of 800×400 pixels"
        assert page.value("document.querySelector('#tags').textContent") == "Green 90%"
        frame = page.value(
            "(() => { const box = document.querySelector('#boxes rect').getBoundingClientRect(),"
            " image = document.querySelector('#image').getBoundingClientRect();"
            " return [(box.left - image.left) / image.width, (box.top - image.top) / image.height,"
            " (box.right - image.left) / image.width, (box.bottom - image.top) / image.height]; })()"
        )
        assert frame == pytest.approx([0.1, 0.25, 0.6, 0.75], abs=0.01)
        assert page.value("document.querySelector('#boxes rect').getAttribute('stroke')") == "#E69F00"

        page.value("document.getElementById('score').focus()")  # the slider, by the keyboard
        for _ in range(15):
            page.press("ArrowLeft", 37)
        page.wait_for(f"{FOUND} === 'Green90%,Blue39%'")

        page.drop(tmp_path / "notes.txt", 300, 300)
        page.wait_for(f"{MESSAGE}.includes('no image that can be read')")
        assert page.value("document.getElementById('result').hidden")
        page.drop(tmp_path / "wide photo.png", 300, 300)
        page.wait_for(f"{FOUND} === 'Green90%,Blue39%'")
        page.value(PASTE)
        page.wait_for(f"{FOUND} === 'Green100%'")
    refused = [complaint for complaint in page.complaints if "status of 400" not in complaint]
    assert refused == [] and len(page.complaints) == 1


def test_the_page_fits_a_phone_in_the_dark(served, tmp_path):
    (tmp_path / "photo.png").write_bytes(picture((0, 230, 240), (600, 800)))
    with chromium.Page(f"http://127.0.0.1:{served.port}/", 360, 740, dark=True) as page:
        page.drop(tmp_path / "photo.png", 100, 300)
        page.wait_for(f"{FOUND}.startsWith('Blue94%')")
        assert page.value("document.documentElement.scrollWidth") <= 360
        assert page.value("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    assert page.complaints == []


# --- Beside the SavedModel ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_server_answers_as_the_saved_model_does(tf, tmp_path):
    config = untrained_model.write(tf, tmp_path)
    exported = tmp_path / "exported"
    export_inference_graph.main(
        [
            "--input_type",
            "encoded_image_string_tensor",
            "--pipeline_config_path",
            str(config),
            "--trained_checkpoint_prefix",
            str(tmp_path / "model.ckpt-7"),
            "--output_directory",
            str(exported),
        ]
    )
    generator = np.random.default_rng(1)
    photo = Image.fromarray(generator.integers(0, 256, (6, 8, 3), np.uint8)).resize((200, 150), Image.BICUBIC)
    encoded = []
    for format_ in ("JPEG", "PNG"):
        photo.save(buffer := io.BytesIO(), format_)
        encoded.append(buffer.getvalue())

    from google.protobuf import json_format

    with tf.Session(graph=tf.Graph()) as session:
        loaded = tf.saved_model.load(session, ["serve"], str(exported / "saved_model"))
        signature = loaded.signature_def["serving_default"]
        names = {name: tensor.name for name, tensor in signature.outputs.items()}
        expected = session.run(names, {signature.inputs["inputs"].name: encoded})

    with Served(ServedModel(exported, "onnx", 10**7), LIMITS._replace(max_bytes=10**7)) as server:
        predictions = server.predict(*encoded).json["predictions"]
        metadata = server.ask("GET", "/v1/models/apparel/metadata").json
    served_signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    as_json = json_format.MessageToDict(signature, preserving_proto_field_name=True)
    for side in ("inputs", "outputs"):
        assert shapes_of(served_signature[side]) == shapes_of(as_json[side])
        for name, tensor in as_json[side].items():
            assert (served_signature[side][name]["dtype"], served_signature[side][name]["name"]) == (
                tensor["dtype"],
                tensor["name"],
            )
    assert served_signature["method_name"] == as_json["method_name"]

    assert {*predictions[0]} == {*expected}
    for number, one in enumerate(predictions):
        for name, value in one.items():
            assert np.shape(value) == expected[name][number].shape
            np.testing.assert_allclose(value, expected[name][number], atol=1e-4, err_msg=name)
