"""Headless Chromium by its DevTools protocol, over pipes: a page that a test chooses files on, drops them, and types.

The protocol: https://chromedevtools.github.io/devtools-protocol/. With --remote-debugging-pipe Chromium reads JSON
messages, each ended by a NUL, from file descriptor 3 and writes them to 4.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests import headless_browser

SECONDS = 60.0  # on a busy machine


class Page:
    """A page in a window of a desk's or a phone's size.

    Args:
        address: that it opens.
        width, height: of the window, in pixels.
        dark: what the page's reader prefers.

    Attributes:
        complaints: what the browser's console, its security policy and its network have complained of.
    """

    def __init__(self, address: str, width: int = 1280, height: int = 900, dark: bool = False):
        if sys.platform == "win32":
            pytest.skip("Chromium's pipes are set up by a shell")
        chromium = headless_browser.find_chromium()
        self.complaints: list[str] = []
        self._answers: dict[int, dict[str, Any]] = {}
        self._loaded = False
        self._pending = b""
        self._number = 0
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        from_us, self._write_end = os.pipe()
        self._read_end, from_browser = os.pipe()
        self._process = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$@" 3<&{from_us} 4>&{from_browser}',
                "bash",
                chromium,
                *headless_browser.FLAGS,
                "--remote-debugging-pipe",
                f"--user-data-dir={self._profile.name}",
                "about:blank",
            ],
            pass_fds=(from_us, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us)
        os.close(from_browser)
        try:
            self._session = None
            target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
            attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "DOM"):
                self.call(f"{domain}.enable")
            self.resize(width, height)
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            self.call("Emulation.setEmulatedMedia", features=[scheme])
            self.call("Page.navigate", url=address)
            self._until(lambda: self._loaded, f"{address} to load")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._write_end)  # Chromium ends with its pipe
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read_end)
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write_end, json.dumps(message).encode() + b"\0")
        self._until(lambda: number in self._answers, method)
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def value(self, expression: str) -> Any:
        """What an expression is in the page; promises are awaited."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Until an expression is true in the page."""
        end = time.monotonic() + SECONDS
        while not self.value(expression):
            assert time.monotonic() < end, f"{expression} has not become true"
            time.sleep(0.05)

    def choose(self, selector: str, file: Path) -> None:
        """As a person does in the dialog of a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def drop(self, file: Path, x: int, y: int) -> None:
        """Drags a file over the page from outside and lets it fall."""
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def press(self, key: str, code: int) -> None:
        """Presses a key.

        Args:
            key: as KeyboardEvent.key names it.
            code: its Windows virtual key code.
        """
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def _until(self, is_done, what: str) -> None:
        end = time.monotonic() + SECONDS
        while not is_done():
            ready, _, _ = select.select([self._read_end], [], [], max(end - time.monotonic(), 0))
            assert ready, f"Chromium has not answered in {SECONDS:.0f} s: {what}"
            read = os.read(self._read_end, 1 << 20)
            assert read, f"Chromium has ended: {what}"
            *messages, self._pending = (self._pending + read).split(b"\0")
            for message in messages:
                self._take(json.loads(message))

    def _take(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if "id" in message:
            self._answers[message["id"]] = message
        elif method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Log.entryAdded":
            entry = parameters["entry"]
            self.complaints.append(f"{entry['source']} {entry['level']}: {entry['text']} {entry.get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str([argument.get("value") for argument in parameters["args"]]))
