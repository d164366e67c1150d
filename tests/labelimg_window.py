"""LabelImg in a real window, on a display of its own (Xvfb), worked with mouse and keys (xdotool)."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "label_images.py"
WIDTH, HEIGHT = 1000, 800
_SECONDS = 20  # for anything to happen, on a busy machine


@contextlib.contextmanager
def open_window(tmp_path: Path, *arguments: str) -> Iterator[Window]:
    """Runs label_images.py with these arguments; skips the test where LabelImg, Xvfb or xdotool is missing."""
    missing = [name for name in ("labelImg", "PyQt5") if importlib.util.find_spec(name) is None]
    missing += [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    home = tmp_path / "home"  # LabelImg keeps its settings there
    home.mkdir(0o700, exist_ok=True)
    read_end, write_end = os.pipe()
    display = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as number:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "WAYLAND_DISPLAY"},
            "DISPLAY": f":{number.readline().strip()}",
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
        }
    log = tmp_path / "labelimg.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield Window(process, log, environment)
        finally:
            for one in (process, display):
                one.terminate()
                one.wait(10)


class Window:
    """The main window, at a known place and size."""

    def __init__(self, process: subprocess.Popen, log: Path, environment: dict[str, str]):
        self.process, self.log, self._environment = process, log, environment
        self._window = self._wait(lambda: self._search(r"\[[0-9]+./.[0-9]+\]"), "the window")[0]
        self._known = self._search(".*")
        self.do(f"windowmove {self._window} 0 0 windowsize {self._window} {WIDTH} {HEIGHT}")
        self._wait(lambda: f"Geometry: {WIDTH}x{HEIGHT}" in self.do(f"getwindowgeometry {self._window}"), "its size")
        self.keys()

    def wait_for_title(self, end: str) -> None:
        self._wait(lambda: self.do(f"getwindowname {self._window}").strip().endswith(end), f"the title {end!r}")

    def do(self, commands: str) -> str:
        """Runs xdotool; fails where LabelImg has ended."""
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        answer = subprocess.run(["xdotool", *commands.split()], env=self._environment, capture_output=True, text=True)
        return answer.stdout

    def keys(self, *names: str) -> None:
        for name in names:
            self.do(f"windowfocus --sync {self._window} key {name}")
            time.sleep(0.3)  # there is no telling when a window has done what it was told
        self.do(f"windowfocus --sync {self._window}")

    def wheel(self, x: int, y: int, button: int, times: int, modifier: str = "") -> None:
        """Turns the mouse wheel: button 4 is up, 5 is down."""
        held = (f"keydown {modifier} ", f" keyup {modifier}") if modifier else ("", "")
        self.do(f"{held[0]}mousemove {x} {y} click --repeat {times} --delay 100 {button}{held[1]}")
        time.sleep(0.3)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        middle = [(a + b) // 2 for a, b in zip(start, end, strict=True)]
        for commands in (
            f"mousemove {start[0]} {start[1]}",
            "mousedown 1",
            f"mousemove {middle[0]} {middle[1]}",
            f"mousemove {end[0]} {end[1]}",
            "mouseup 1",
        ):
            self.do(commands)
            time.sleep(0.2)

    def draw_box(self, start: tuple[int, int], end: tuple[int, int], class_name: str) -> None:
        self.keys("w")
        self.drag(start, end)
        dialog = self._wait(self._dialogs, "the dialog that asks for the class")[0]
        self.do(f"windowfocus --sync {dialog} type --delay 30 {class_name}")
        for _ in range(3):  # the first Return may go to the list of completions
            if not self._dialogs():
                break
            self.do(f"windowfocus {dialog} key Return")
            time.sleep(0.4)
        assert not self._dialogs()
        self.keys()

    def screenshot(self, path: Path) -> None:
        """For a person to look at; nothing where ImageMagick is missing."""
        if shutil.which("import"):
            subprocess.run(["import", "-window", "root", str(path)], env=self._environment, check=True)

    def _search(self, name: str) -> list[str]:
        return self.do(f"search --onlyvisible --name {name}").split()

    def _dialogs(self) -> list[str]:
        """All windows but the main one and what was there before; a dialog has no title to find it by."""
        return [window for window in self._search(".*") if window not in self._known]

    def _wait(self, there: Callable[[], object], what: str):
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            if found := there():
                return found
            time.sleep(0.1)
        raise AssertionError(f"{what} did not come\n{self.log.read_text(encoding='utf-8')}")
