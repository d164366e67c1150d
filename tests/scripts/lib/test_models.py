"""No runtime phones home."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WATCH = """
import socket, sys, threading
asked = []
def refuse(*address, **_):
    asked.append(address)
    raise OSError("no network in tests")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import scripts.lib.models
import {0} as module
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(5)
print(module.__name__, asked, "openvino_telemetry.main" in sys.modules, flush=True)
"""


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_case_27_telemetry_is_off(name, repository_root, tmp_path):
    pytest.importorskip(name)
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "ORT_DISABLE_TELEMETRY")}
    home = dict.fromkeys(("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME"), str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", WATCH.format(name)],
        cwd=repository_root,
        env={**environment, **home},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout == f"{name} [] False\n", done.stderr
    assert list(tmp_path.rglob("*")) == []
