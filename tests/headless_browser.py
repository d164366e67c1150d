"""A page looked at in headless Chromium: what the browser complains of, pictures that do not load, screenshots."""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)
# The page in a frame of a phone's or a desk's width (Chromium's own window is never narrower than 500 pixels), with
# the lazy pictures asked for at once. What was found is left in the DOM, which --dump-dom prints.
_FRAME = """<!DOCTYPE html><link rel="icon" href="data:,"><body style="margin:0">
<iframe id="frame" src="/PAGE" style="border:0;width:WIDTHpx;height:HEIGHTpx"></iframe><pre id="found"></pre><script>
document.getElementById("frame").addEventListener("load", async event => {
  const page = event.target.contentDocument;
  const pictures = [...page.images];
  pictures.forEach(picture => picture.loading = "eager");
  await Promise.all(pictures.map(picture => picture.complete || new Promise(done => {
    picture.onload = picture.onerror = done;
  })));
  document.getElementById("found").textContent = JSON.stringify({
    pictures: pictures.map(picture => picture.currentSrc),
    broken: pictures.filter(picture => !picture.naturalWidth).map(picture => picture.src),
    overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    ground: getComputedStyle(page.body).backgroundColor,
  });
});
</script>"""


class ImageResult(NamedTuple):
    """What the browser saw.

    Attributes:
        complaints: lines of its console, and addresses that were asked for in vain.
        pictures: addresses of all pictures, as chosen for the scheme.
        broken: addresses of the pictures that did not load.
        overflow: pixels by which the page is wider than the window.
        ground: colour of the page's background.
    """

    complaints: list[str]
    pictures: list[str]
    broken: list[str]
    overflow: int
    ground: str


def look(
    folder: Path,
    page: str = "index.html",
    width: int = 1280,
    height: int = 2400,
    dark: bool = False,
    screenshot: Path | None = None,
) -> ImageResult:
    """Opens a page of a folder through a server on this machine; skips the test where there is no Chromium."""
    chromium = find_chromium()
    frame = _FRAME.replace("PAGE", page).replace("WIDTH", str(width)).replace("HEIGHT", str(height))
    with _Server(folder, frame) as server:
        command = [
            chromium,
            *FLAGS,
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--window-size={max(width, 500)},{height}",
            "--virtual-time-budget=20000",
        ]
        if screenshot:
            subprocess.run(
                [*command, f"--screenshot={screenshot}", server.address], check=True, capture_output=True, timeout=120
            )
        shown = subprocess.run(
            [*command, "--dump-dom", server.address],
            check=True,
            capture_output=True,
            timeout=120,
            text=True,
            encoding="utf-8",
        )
    found = json.loads(re.search(r'<pre id="found">(.*?)</pre>', shown.stdout, re.DOTALL)[1].replace("&amp;", "&"))
    console = [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
    return ImageResult(console + server.missing, **found)


def find_chromium() -> str:
    """Its path; skips the test where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed; on Debian: apt install chromium")
    return chromium


class _Server:
    """Serves the folder, and at `/` the page in its frame; remembers what it had not."""

    def __init__(self, folder: Path, frame: str):
        self.missing: list[str] = []
        handler = functools.partial(_Handler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.frame, self._server.missing = frame.encode(), self.missing
        self.address = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> _Server:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.server.frame)

    def send_error(self, code: int, *_) -> None:
        self.server.missing.append(f"{code} {self.path}")
        super().send_error(code)

    def log_message(self, *_) -> None:
        pass
