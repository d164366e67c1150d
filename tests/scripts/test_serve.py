"""serve.py: starts a server on a model, says where, ends with Ctrl+C, and names mistakes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from scripts import serve
from scripts.lib.core.errors import UsageError
from tests import made_onnx

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(os.name == "nt", reason="Ctrl+C cannot be sent to one process")
def test_the_script_answers_all_its_addresses_and_ends_with_ctrl_c(tmp_path):
    folder = made_onnx.write(tmp_path / "model")
    process = subprocess.Popen(
        [sys.executable, "-X", "utf8", ROOT / "scripts/serve.py", "--model", folder, "--port", "0", "--threads", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert process.stdout.readline() == "model (Green, Blue) runs in onnx\n"
        url = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())[0]
        with urllib.request.urlopen(url, timeout=60) as page:
            assert page.headers["Content-Type"].startswith("text/html") and b"/detect" in page.read()
        with urllib.request.urlopen(f"{url}health", timeout=60) as health:
            assert json.load(health) == {"status": "ok"}
        with urllib.request.urlopen(f"{url}detect", made_onnx.encoded_image(), timeout=60) as detect:
            assert json.load(detect)["tags"] == {"Green": 0.902}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "stopped\n")
    lines = [
        re.fullmatch(r'\d\d:\d\d:\d\d 127\.0\.0\.1:\d+ - "(.*) HTTP/1.1" (\d+)', line) for line in err.splitlines()
    ]
    assert [line.groups() for line in lines] == [("GET /", "200"), ("GET /health", "200"), ("POST /detect", "200")]


def test_a_port_that_is_taken_and_a_folder_without_a_model_are_named(tmp_path):
    with serve.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"--port {port}: .*--port 0"):
            serve.main(["--model", str(made_onnx.write(tmp_path)), "--port", str(port)])
    with pytest.raises(UsageError, match="--port 65536: .*--port 0"):
        serve.main(["--model", str(tmp_path), "--port", "65536"])
    with pytest.raises(UsageError, match=r"--host a\.\.b --port 0: "):
        serve.main(["--model", str(tmp_path), "--host", "a..b", "--port", "0"])
    with pytest.raises(UsageError, match="CUDAExecutionProvider comes with onnxruntime-gpu"):
        serve.main(["--model", str(tmp_path), "--providers", "CUDAExecutionProvider"])
    with pytest.raises(UsageError, match="exported model"):
        serve.main(["--model", str(tmp_path / "nothing")])
