"""The requirements files: bounds and reasons, and that everything exists ready-made for all platforms and Pythons."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path.name for path in ROOT.glob("requirements*.txt"))
# Installed together: .venv with all its additions, the API (without its dependencies), and the environment for Beam.
ENVIRONMENTS = {
    "venv": [f"requirements{name}.txt" for name in ("", "-runtimes", "-label", "-cloud", "-dev")],
    "api": ["requirements-object-detection.txt"],
    "beam": ["requirements.txt", "requirements-beam.txt"],
}
PLATFORMS = (
    "x86_64-pc-windows-msvc",
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_35",  # OpenVINO needs this glibc on ARM
    "aarch64-apple-darwin",
)
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
SOURCE_ONLY = ("labelImg", "tf-models-research-object-detection")  # pure Python, published without wheels
NO_WHEEL = {"aarch64-manylinux_2_35": ("PyQt5",)}  # distributions have it: python3-pyqt5


def lines(file: str) -> list[str]:
    return [line for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]


def name_of(line: str) -> str:
    return re.match(r"[\w.-]+", line)[0]


@pytest.mark.parametrize("file", FILES)
def test_every_requirement_has_bounds_and_says_what_for(file):
    for line in lines(file):
        requirement, _, purpose = line.partition("#")
        assert purpose.strip(), line
        assert "==" in requirement or (">=" in requirement and "<" in requirement), line


def test_every_file_belongs_to_an_environment():
    assert sorted({file for files in ENVIRONMENTS.values() for file in files}) == FILES


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_wheels_exist_for_every_platform_and_python(environment, platform, python, tmp_path):
    """uv resolves for other platforms; --only-binary leaves out what would have to be compiled there."""
    uv = shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed (requirements-dev.txt)")
    left_out = (*SOURCE_ONLY, *NO_WHEEL.get(platform, ()))
    wanted = [line for file in ENVIRONMENTS[environment] for line in lines(file) if name_of(line) not in left_out]
    (tmp_path / "requirements.in").write_text("\n".join(wanted), encoding="utf-8")
    resolved = subprocess.run(
        [
            *(uv, "pip", "compile", "--quiet", "--no-header", "--only-binary", ":all:"),
            *("--python-platform", platform, "--python-version", python),
            *(["--no-deps"] if environment == "api" else []),
            "requirements.in",
        ],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    if re.search(r"error sending request|Failed to fetch|dns error|Could not connect", resolved.stderr):
        pytest.skip(f"the package index cannot be reached: {resolved.stderr.strip().splitlines()[-1]}")
    assert resolved.returncode == 0, resolved.stderr
    found = {re.sub(r"[-_.]+", "-", name_of(line)).lower() for line in resolved.stdout.splitlines() if "==" in line}
    assert {re.sub(r"[-_.]+", "-", name_of(line)).lower() for line in wanted} <= found
