"""Test that the Dockerfile, the ignore files and the pinned versions fit together."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from scripts.lib.core import files
from tests import made_onnx

TEXT = re.sub(r"\\\n\s*", "", files.default_path("cloud/Dockerfile").read_text(encoding="utf-8"))
INSTRUCTIONS = re.findall(r"^([A-Z]+) (.+)$", TEXT, re.MULTILINE)
SOURCES = [word for name, text in INSTRUCTIONS if name == "COPY" for word in text.split()[:-1]]


SERVE = files.default_path("cloud/Dockerfile.serve").read_text(encoding="utf-8")


def lines(path: str) -> list[str]:
    """Return the lines of a file of the repository without comments and blank lines."""
    text = files.default_path(path).read_text(encoding="utf-8")
    return [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()) if line]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-object-detection.txt"])
def test_every_requirement_is_pinned_within_its_range(name):
    pins = {canonical(pin.name): pin for pin in map(Requirement, lines("cloud/constraints.txt"))}
    for requirement in map(Requirement, lines(name)):
        if requirement.marker and not requirement.marker.evaluate({"sys_platform": "linux", "python_version": "3.11"}):
            continue
        pin = pins.get(canonical(requirement.name))
        assert pin, f"{requirement.name} is not in cloud/constraints.txt; its head says how to make it anew"
        (version,) = (each.version for each in pin.specifier)
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement.name} {version}"


def test_the_job_runs_the_entry_point_as_a_user_of_its_own():
    names = [name for name, _ in INSTRUCTIONS]
    assert names.index("USER") > max(number for number, name in enumerate(names) if name == "RUN")
    assert INSTRUCTIONS[-1] == ("ENTRYPOINT", '["python", "cloud/task.py"]')


@pytest.mark.parametrize("source", SOURCES)
def test_every_copied_file_exists(source):
    assert files.default_path(source).exists()


@pytest.mark.parametrize("ignore_file", ["cloud/Dockerfile.dockerignore", "cloud/.gcloudignore"])
def test_the_build_gets_the_copied_files_and_no_others(ignore_file):
    patterns = [line.lstrip("!/").rstrip("/") for line in lines(ignore_file) if line.startswith("!")]
    assert lines(ignore_file)[0] in ("*", "/*")
    for source in SOURCES:
        assert any(fnmatch.fnmatch(source, pattern) for pattern in patterns), f"{ignore_file} keeps {source} out"
    for name in ("data/train.record", "samples/a.jpg", ".git"):
        assert not any(fnmatch.fnmatch(name, pattern) for pattern in patterns), f"{ignore_file} lets {name} in"


def test_the_server_gets_pinned_libraries_and_only_the_scripts():
    names = re.search(r"constraints\.txt \\\n(.*) \\", SERVE)[1].split()
    pins = {canonical(pin.name) for pin in map(Requirement, lines("cloud/constraints.txt"))}
    assert {canonical(name) for name in names} <= pins and "tensorflow" not in names
    assert re.findall(r"^COPY (\S+)", SERVE, re.MULTILINE) == ["cloud/constraints.txt", "scripts"]
    assert lines("cloud/Dockerfile.serve.dockerignore") == ["*", "!cloud/constraints.txt", "!scripts", "**/__pycache__"]


def test_the_server_needs_no_library_that_its_container_lacks(repository_root, tmp_path):
    """Import, load and detect with nothing else."""
    code = """
import sys
from pathlib import Path
from scripts.lib.serving import server
from scripts.lib.serving.served_model import ServedModel
model = ServedModel(Path(sys.argv[1]), "onnx")
model.detect(Path(sys.argv[2]).read_bytes())
files = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
print(*{Path(file).parts[Path(file).parts.index("site-packages") + 1] for file in files if "site-packages" in file})
"""
    (tmp_path / "a.png").write_bytes(made_onnx.encoded_image())
    model = made_onnx.write(tmp_path / "model")
    (model / "label_map.pbtxt").write_text("item { id: 1 name: 'Green' }", encoding="utf-8")
    command = [sys.executable, "-c", code, model, tmp_path / "a.png"]
    done = subprocess.run(command, cwd=repository_root, capture_output=True, text=True, check=True, timeout=300)
    named = {
        "google_crc32c",
        "jinja2",
        "numpy",
        "onnx",
        "onnxruntime",
        "PIL",
        "google",
        "object_detection",
        "simplejpeg",
        "starlette",
        "uvicorn",
    }
    brought_along = {"anyio", "click", "h11", "idna", "markupsafe", "ml_dtypes", "sniffio", "typing_extensions"}
    assert {name.removesuffix(".py") for name in done.stdout.split()} - {"_distutils_hack"} <= named | brought_along
