"""The project's virtual environment, .venv: created, filled, or recreated; standard library only.

pip installs, with the index, proxy and certificates that it is configured for. Known problems (no network, a full disk,
no wheel for this computer) become one sentence; all of pip's output is in `.venv/install.log`.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.core import json_text
from scripts.lib.core.errors import DataError
from scripts.lib.core.files import REPOSITORY_ROOT, atomic_write, sha256, shown_path
from scripts.lib.core.progress import stage

VENV = REPOSITORY_ROOT / ".venv"
STATE = "installed.json"
MEGABYTE = 1_000_000


@dataclasses.dataclass(frozen=True)
class Requirements:
    """A requirements file."""

    file: str  # path relative to the repository root
    options: tuple[str, ...] = ()  # for pip
    megabytes: int = 0  # disk space for the wheels and what is installed; measured on Linux, where it is largest

    @property
    def path(self) -> Path:
        return REPOSITORY_ROOT / self.file

    @property
    def digest(self) -> str:
        return sha256(self.path)


PIPELINE = (
    Requirements("requirements.txt", megabytes=3490),
    Requirements("requirements-object-detection.txt", ("--no-deps",), megabytes=50),
)
TESTS = (
    *PIPELINE,
    Requirements("requirements-runtimes.txt", megabytes=360),
    Requirements("requirements-cloud.txt", megabytes=280),
    Requirements("requirements-dev.txt", megabytes=220),
)


def prepare(wanted: Sequence[Requirements], folder: Path = VENV) -> Path:
    """Create the environment and install the requirements, if they are missing; return the environment's Python.

    Args:
        wanted: in the order of installation.
        folder: the environment.

    Raises:
        DataError: the environment cannot be made; says why in one sentence.
    """
    why_unusable = fault(folder)
    missing = wanted if why_unusable else missing_requirements(wanted, folder)
    if missing:
        check_disk_space(folder, sum(each.megabytes for each in missing) * MEGABYTE)
    if why_unusable:
        with stage(f"Making {shown_path(folder)} ({why_unusable})"):
            create(folder)
    for requirements in missing:
        with stage(f"Installing {requirements.file}"):
            install(requirements, folder)
    return python_of(folder)


def python_of(folder: Path) -> Path:
    """Return the path of the environment's Python interpreter."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fault(folder: Path) -> str | None:
    """Return in a few words why the environment has to be created or recreated, None if it is usable."""
    if not folder.exists():
        return "there is none yet"
    if _read_state(folder).get("unfinished"):
        return "an installation was interrupted"
    try:
        _run([python_of(folder), "-c", "import pip"]).check_returncode()
    except (OSError, subprocess.CalledProcessError):
        return "the one there is broken"
    return None


def missing_requirements(wanted: Sequence[Requirements], folder: Path) -> list[Requirements]:
    """Return those that are not installed or have changed since."""
    installed = _read_state(folder).get("requirements", {})
    return [requirements for requirements in wanted if installed.get(requirements.file) != requirements.digest]


def _read_state(folder: Path) -> dict:
    """Return {"requirements": {file: SHA-256}, "unfinished": file}, empty if nothing is installed."""
    try:
        return json_text.read(folder / STATE, {"requirements?": {str: str}, "unfinished?": (str, type(None))})
    except (OSError, ValueError):
        return {}


def _write_state(folder: Path, **changes: object) -> None:
    with atomic_write(folder / STATE, "w") as file:
        json.dump({**_read_state(folder), **changes}, file, indent=2)


def create(folder: Path) -> None:
    """Create an empty environment with the running Python; an earlier one is removed.

    Raises:
        DataError: this Python cannot create one, or the folder holds something else and is left alone.
    """
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        raise DataError(
            [
                f"The Python at {sys.executable} comes without venv and ensurepip, which .venv needs: install them "
                f"(Debian and Ubuntu: sudo apt install {package}) and run this again."
            ]
        )
    if Path(sys.prefix).resolve() == folder.resolve():
        raise DataError(
            [f"{shown_path(folder)} must be recreated, which its own Python cannot do: use another Python."]
        )
    if folder.exists():
        if not (folder / "pyvenv.cfg").is_file() and any(folder.iterdir()):
            raise DataError([f"{shown_path(folder)} is not a virtual environment: move it elsewhere."])
        shutil.rmtree(folder)
    made = _run([sys.executable, "-I", "-m", "venv", folder])
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise DataError([f"{sys.executable} -m venv failed: {_last_line(made.stdout)}"])


def install(requirements: Requirements, folder: Path) -> None:
    """Install one requirements file, and note in the state that it is there, or that this was interrupted.

    Raises:
        DataError: pip failed; says why in one sentence.
    """
    log = folder / "install.log"
    logged_before = log.stat().st_size if log.exists() else 0
    _write_state(folder, unfinished=requirements.file)
    # without PYTHONPATH and the like; pip's own configuration (PIP_..., pip.conf) holds
    command = [str(python_of(folder)), "-I", "-X", "utf8", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command += ["install", "--prefer-binary", "--use-pep517", "--no-compile", "--log", str(log)]
    command += [*requirements.options, "-r", str(requirements.path)]
    command += [] if sys.stdout.isatty() else ["--quiet"]
    status = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    said = log.read_bytes()[logged_before:].decode("utf-8", "replace") if log.exists() else ""
    if status:
        if "Installing collected packages" not in said:  # it failed before it had changed anything
            _write_state(folder, unfinished=None)
        raise DataError([explain(said)], f"{requirements.file} was not installed; pip's log is {shown_path(log)}")
    installed = {**_read_state(folder).get("requirements", {}), requirements.file: requirements.digest}
    _write_state(folder, requirements=installed, unfinished=None)


def check_disk_space(folder: Path, needed: int) -> None:
    """Raise DataError if the disk of the folder, which need not exist, has fewer bytes free than needed."""
    folder = folder.absolute()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        space = f"{free / 1e9:.1f} GB are free and {needed / 1e9:.1f} GB are needed"
        raise DataError([f"The disk is too small: {space} in {folder}; free some space."])


_NO_INDEX = (
    "The package index cannot be used: check the network, HTTPS_PROXY, PIP_CERT and `pip config list`, and run this "
    "again. pip says: {0}"
)

# Pattern in pip's log -> explanation. The first match counts; {0} is the pattern's group.
_EXPLANATIONS = {
    r"No space left on device|There is not enough space on the disk": (
        "The disk filled up during the installation: free some space, or let TMPDIR and PIP_CACHE_DIR point to another "
        "disk, and run this again."
    ),
    r"Windows Long Path support": (
        "A path became too long for Windows: move the project to a short folder such as C:\\apparel, or switch on long "
        "paths (docs/windows.md), and run this again."
    ),
    r"(Could not fetch URL \S+: (?!404).*)": _NO_INDEX,
    r"(The repository located at \S+ is not a trusted or secure host)": _NO_INDEX,
    r"(.*(?:ProxyError|timed out|IncompleteRead|ConnectionResetError|connection broken by).*)": _NO_INDEX,
    r"No matching distribution found for (\S+)": "The package index has no {0} for {computer}.",
}


def explain(log: str) -> str:
    """Return one sentence for the failure in pip's output."""
    computer = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    for pattern, sentence in _EXPLANATIONS.items():
        match = re.search(pattern, log)
        if match:
            return sentence.format(*match.groups(), computer=computer)
    errors = re.findall(r"ERROR: (.+)", log)
    return f"pip failed: {errors[-1] if errors else _last_line(log)}"


def _run(command: Sequence[str | Path]) -> subprocess.CompletedProcess:
    """Run a command without a terminal; `stdout` has all of its output."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(list(map(str, command)), check=False, encoding="utf-8", errors="replace", **streams)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
