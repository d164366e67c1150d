"""The server: answers, limits, pages of other sites, and its page in a browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
from typing import NamedTuple

import pytest

from scripts.lib.images.palette import PALETTE
from scripts.lib.serving import server as serving
from scripts.lib.serving.served_model import ServedModel
from tests import chromium, made_onnx
from tests.made_onnx import encoded_image

LIMITS = serving.Limits(max_bytes=200_000, max_requests=2, num_workers=1, read_seconds=30, request_seconds=60)


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
        app = serving.application(model, ["shop.example"], ["https://friend.example"], limits)
        self._socket = socket.create_server(("127.0.0.1", 0))
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


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return ServedModel(made_onnx.write(tmp_path_factory.mktemp("model"), Green=0.8), "onnx")


@pytest.fixture(scope="module")
def served(model):
    with Served(model) as server:
        yield server


def test_health_and_detect_answer_in_json(served):
    answer = served.ask("GET", "/health")
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    answer = served.ask("POST", "/detect?min_score=0.3", encoded_image((0, 190, 100)))
    assert answer.headers["Content-Type"] == "application/json"
    assert [found["class"] for found in answer.json["detections"]] == ["Green", "Blue"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "/detect", b"no image", 400, "the file is not an image that can be read"),
        ("POST", "/detect", encoded_image(format="JPEG")[:700], 400, "the image is damaged"),
        ("POST", "/detect", b"", 400, "the image file is empty"),
        ("POST", "/detect", b"<html>", 400, "the file is a web page"),
        ("POST", "/detect", bytes(20_000_000), 413, "the body exceeds 0.190735 MiB"),
        ("POST", "/detect", (bytes(50_000) for _ in range(100)), 413, "the body exceeds"),
        ("GET", "/detect", None, 405, "Method Not Allowed"),
        ("GET", "/../../../etc/passwd", None, 404, "Not Found"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", None, 404, "Not Found"),
        ("POST", "/detect?min_score=2", encoded_image(), 400, "min_score has to be a number from 0 to 1"),
        ("POST", "/detect?min_score=nan", encoded_image(), 400, "min_score has to be a number from 0 to 1"),
    ],
)
def test_errors_are_json_with_a_status(served, method, path, body, status, message):
    answer = served.ask(method, path, body)
    assert (answer.status, list(answer.json)) == (status, ["error"])
    assert message in answer.json["error"]


def form(content: bytes, *fields: str) -> tuple[bytes, dict[str, str]]:
    """Return the body and headers of a form with fields of text and then a file, as curl -F sends it."""
    parts = [
        b'Content-Disposition: form-data; name="%d"\r\n\r\n%s' % item for item in enumerate(map(str.encode, fields))
    ]
    parts.append(
        b'Content-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n' + content
    )
    body = b"".join(b"--x7\r\n" + part + b"\r\n" for part in parts) + b"--x7--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=x7"}


def test_a_form_is_answered_as_the_file_in_it(served):
    image = encoded_image(format="JPEG")
    expected = served.ask("POST", "/detect", image).json
    for fields in ((), ("a field", "")):
        assert served.ask("POST", "/detect", *form(image, *fields)).json == expected
    every_byte = bytes(range(256)) * 3 + b"\r\n--x\r\n\r\n"
    assert serving._first_file(form(every_byte)[0], "x7") == every_byte


@pytest.mark.parametrize(
    "body", [b"", b"--x7", b"--x7\r\n\r\n", form(b"")[0][:-7], form(b"", *["a"] * 99)[0], b"--x7\r\n" * 9]
)
def test_a_form_without_a_file_is_refused(served, body):
    answer = served.ask("POST", "/detect", body, form(b"")[1])
    assert (answer.status, answer.json) == (
        400,
        {"error": "the form holds no file; send one as curl -F file=@photo.jpg does"},
    )


def test_json_is_refused_with_what_to_send_instead(served):
    answer = served.ask("POST", "/detect", b'{"instances": []}', {"Content-Type": "application/json; charset=utf-8"})
    assert answer.status == 415 and "no longer taken: send the file itself" in answer.json["error"]


def test_pages_of_an_allowed_site_may_send_images_and_see_the_answer(served):
    origin = {"Origin": "https://friend.example"}
    for body, status in ((encoded_image(), 200), (b"no image", 400)):
        answer = served.ask("POST", "/detect", body, origin)
        assert answer.status == status and answer.headers["Access-Control-Allow-Origin"] == "https://friend.example"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = served.ask("OPTIONS", "/detect", None, {**origin, **asked})
    assert answer.status == 200 and "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert served.ask("OPTIONS", "/detect", None, {"Origin": "https://evil.example", **asked}).status == 403


def test_case_28_a_jpeg_of_many_scans_is_refused_before_it_is_decoded(served):
    image = encoded_image(size=(2000, 2000), format="JPEG", progressive=True)
    scan = image.index(b"\xff\xda")
    answer = served.ask("POST", "/detect", image[:-2] + image[scan:-2][:90] * 1000 + b"\xff\xd9", timeout=20)
    assert answer.status == 400 and "scans, and would take minutes to decode" in answer.json["error"]


def test_case_28_connections_that_send_no_request_are_closed_and_keep_nobody_out(model, capfd):
    with Served(model, LIMITS._replace(read_seconds=2, max_waiting=20)) as server, contextlib.ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        clients = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(60)]
        for client in clients[1::2]:
            client.sendall(b"POST /detect HTTP/1.1\r\nHost: local")  # and never the rest
        assert server.ask("POST", "/detect", encoded_image()).status == 200
        for client in clients:
            assert client.recv(1) == b""
    assert "Traceback" not in capfd.readouterr().err


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
        assert server.ask("GET", "/health").status == 200
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


def test_a_body_that_does_not_arrive_is_408_and_the_connection_is_closed(model):
    with Served(model, LIMITS._replace(read_seconds=0.5)) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(b"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nbegin")
            received = b""
            while more := connection.recv(1 << 16):  # until the server closes it
                received += more
        assert received.startswith(b"HTTP/1.1 408 ") and b"did not arrive within 0.5 s" in received


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
        ({"Origin": "https://friend.example.evil.example"}, 403),
    ],
)
def test_pages_of_other_sites_are_refused(served, headers, status):
    answer = served.ask("POST", "/detect", encoded_image(), headers)
    assert answer.status == status
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


def test_the_page_may_run_only_its_own_script(served):
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
    assert re.fullmatch(r'\d\d:\d\d:\d\d 127\.0\.0\.1:\d+ - "GET /a%0D%0Ab%1B%5B31m HTTP/1\.1" 404', line)


def test_an_internal_error_is_500_without_details(model, capfd):
    broken = Slow(model)
    broken.detect = lambda data, min_score: 1 / 0
    with Served(broken) as server:
        answer = server.ask("POST", "/detect", b"x")
    assert (answer.status, answer.json) == (500, {"error": "internal server error"})
    assert "Traceback" not in (printed := capfd.readouterr().err) and "ZeroDivisionError" in printed


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


def test_an_image_that_is_chosen_dropped_or_pasted_shows_its_boxes(served, tmp_path):
    (tmp_path / "wide photo.png").write_bytes(encoded_image((0, 230, 100), (800, 400)))
    (tmp_path / "notes.txt").write_text("no image")
    with chromium.Page(f"http://127.0.0.1:{served.port}/", 1000, 800) as page:
        page.press("Tab", 9)
        assert page.value("document.activeElement.id") == "place"
        page.choose("#file", tmp_path / "wide photo.png")
        page.wait_for(f"{FOUND} === 'Green90%'")
        assert page.value(MESSAGE) == "1 box in an image of 800×400 pixels"
        assert page.value("document.querySelector('#tags').textContent") == "Green 90%"
        frame = page.value(
            "(() => { const box = document.querySelector('#boxes rect').getBoundingClientRect(),"
            " image = document.querySelector('#image').getBoundingClientRect();"
            " return [(box.left - image.left) / image.width, (box.top - image.top) / image.height,"
            " (box.right - image.left) / image.width, (box.bottom - image.top) / image.height]; })()"
        )
        assert frame == pytest.approx([0.1, 0.25, 0.6, 0.75], abs=0.01)
        assert page.value("document.querySelector('#boxes rect').getAttribute('stroke')") == PALETTE[0]

        page.value("document.getElementById('score').focus()")  # the slider, by the keyboard
        for _ in range(15):
            page.press("ArrowLeft", 37)
        page.wait_for(f"{FOUND} === 'Green90%,Blue39%'")

        page.drop(tmp_path / "notes.txt", 300, 300)
        page.wait_for(f"{MESSAGE}.includes('not an image that can be read')")
        assert page.value("document.getElementById('result').hidden")
        page.drop(tmp_path / "wide photo.png", 300, 300)
        page.wait_for(f"{FOUND} === 'Green90%,Blue39%'")
        page.value(PASTE)
        page.wait_for(f"{FOUND} === 'Green100%'")
    refused = [complaint for complaint in page.complaints if "status of 400" not in complaint]
    assert refused == [] and len(page.complaints) == 1


def test_the_page_fits_a_phone_in_the_dark(served, tmp_path):
    (tmp_path / "photo.png").write_bytes(encoded_image((0, 230, 240), (600, 800)))
    with chromium.Page(f"http://127.0.0.1:{served.port}/", 360, 740, dark=True) as page:
        page.drop(tmp_path / "photo.png", 100, 300)
        page.wait_for(f"{FOUND}.startsWith('Blue94%')")
        assert page.value("document.documentElement.scrollWidth") <= 360
        assert page.value("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
        place = """(taken, box) => { answer = {width: 100, height: 80};
            const {x, y} = labelPlace(box, {width: 40, height: 10}, taken.map(([x, y]) => ({x, y, width: 40, height: 10})));
            return [x, y]; }"""
        box, edge = "{xmin: 10, ymin: 20, xmax: 90, ymax: 70}", "{xmin: 80, ymin: 5, xmax: 99, ymax: 79}"
        assert page.value(f"({place})([], {box})") == [10, 10], "on the box"
        assert page.value(f"({place})([[10, 10], [12, 18]], {box})") == [10, 30], "below other labels"
        assert page.value(f"({place})([], {edge})") == [60, 5], "not cut off"
    assert page.complaints == []
