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
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.lib.core.errors import DataError
from scripts.lib.core.files import REPOSITORY_ROOT, atomic_write, sha256, shown_path
from scripts.lib.environment.stages import Stages

VENV = REPOSITORY_ROOT / ".venv"
PROBE = "six"  # a small wheel (11 kB) that is required anyway
MEGABYTE = 1_000_000


@dataclasses.dataclass(frozen=True)
class Requirements:
    """A requirements file.

    Attributes:
        file: path relative to the repository root.
        options: for pip.
        installed_mb: disk space in .venv, in megabytes; measured on Linux, where it is largest.
        download_mb: size of the wheels, likewise.
    """

    file: str
    options: tuple[str, ...] = ()
    installed_mb: int = 0
    download_mb: int = 0

    @property
    def path(self) -> Path:
        return REPOSITORY_ROOT / self.file

    @property
    def digest(self) -> str:
        return sha256(self.path)


PIPELINE = (
    Requirements("requirements.txt", installed_mb=2650, download_mb=840),
    Requirements("requirements-object-detection.txt", ("--no-deps",), installed_mb=40, download_mb=10),
)
TESTS = (
    *PIPELINE,
    Requirements("requirements-runtimes.txt", installed_mb=270, download_mb=90),
    Requirements("requirements-cloud.txt", installed_mb=240, download_mb=40),
    Requirements("requirements-dev.txt", installed_mb=50, download_mb=20),
)


def prepare(wanted: Sequence[Requirements], stages: Stages, folder: Path = VENV) -> Path:
    """Create the environment and install the requirements, if they are missing; return the environment's Python.

    Args:
        wanted: in the order of installation.
        stages: announces the work.
        folder: the environment.

    Raises:
        DataError: the environment cannot be made; says why in one sentence.
    """
    why_unusable = fault(folder)
    missing = [] if why_unusable else missing_requirements(wanted, folder)
    if why_unusable or missing:
        check_disk_space(space_needed(missing or wanted, folder))
    if why_unusable:
        with stages.stage(f"Making {shown_path(folder)} ({why_unusable})"):
            create(folder)
        missing = list(wanted)
    if missing:
        with stages.stage("Asking the package index"):
            check_package_index(python_of(folder))
    for requirements in missing:
        with stages.stage(f"Installing {requirements.file}"):
            install(requirements, folder)
    return python_of(folder)


def python_of(folder: Path) -> Path:
    """Return the path of the environment's Python interpreter."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fault(folder: Path) -> str | None:
    """Return in a few words why the environment has to be created or recreated, None if it is usable."""
    if not folder.exists():
        return "there is none yet"
    state = _read_state(folder)
    if state.get("unfinished"):
        return "an installation was interrupted"
    try:
        probe = _run([python_of(folder), "-c", "import sys, pip; print('%d.%d' % sys.version_info[:2])"])
        probe.check_returncode()
    except (OSError, subprocess.CalledProcessError):
        return "the one there is broken"
    version = probe.stdout.strip()
    if state.get("python", version) != version:
        return f"the one there was made with Python {state['python']} and finds Python {version}"
    return None


def missing_requirements(wanted: Sequence[Requirements], folder: Path) -> list[Requirements]:
    """Return those that are not installed or have changed since."""
    installed = _read_state(folder).get("requirements", {})
    return [requirements for requirements in wanted if installed.get(requirements.file) != requirements.digest]


def _state_file(folder: Path) -> Path:
    return folder / "installed.json"


def _read_state(folder: Path) -> dict:
    """Return {"python": "3.11", "requirements": {file: SHA-256}, "unfinished": file}, empty if nothing is installed."""
    try:
        state = json.loads(_state_file(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _write_state(folder: Path, **changes: object) -> None:
    with atomic_write(_state_file(folder), "w") as file:
        json.dump({**_read_state(folder), **changes}, file, indent=2)


def create(folder: Path) -> None:
    """Create an empty environment with the running Python; an earlier one is removed.

    Raises:
        DataError: this Python cannot create one, or the folder holds something else and is left alone.
    """
    package = "python{}.{}-venv".format(*sys.version_info[:2])
    no_venv = (
        f"The Python at {sys.executable} comes without venv and ensurepip, which .venv needs: install them "
        f"(Debian and Ubuntu: sudo apt install {package}) and run this again."
    )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise DataError([no_venv])
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
        if "ensurepip" in made.stdout and sys.platform == "linux":
            raise DataError([no_venv])
        raise DataError([f"{sys.executable} -m venv failed: {_last_line(made.stdout)}"])
    _write_state(folder, python="{}.{}".format(*sys.version_info[:2]))


def install(requirements: Requirements, folder: Path) -> None:
    """Install one requirements file, and note in the state that it is there, or that this was interrupted.

    Raises:
        DataError: pip failed; says why in one sentence.
    """
    log = folder / "install.log"
    logged_before = log.stat().st_size if log.exists() else 0
    _write_state(folder, unfinished=requirements.file)
    pip_install = [*pip(python_of(folder)), "install", "--prefer-binary", "--use-pep517", "--no-compile"]
    status = _install_with_progress(
        [*pip_install, "--log", str(log), *requirements.options, "-r", str(requirements.path)]
    )
    said = log.read_bytes()[logged_before:].decode("utf-8", "replace") if log.exists() else ""
    if status:
        if "Installing collected packages" not in said:  # it failed before it had changed anything
            _write_state(folder, unfinished=None)
        raise DataError([explain(said)], f"{requirements.file} was not installed; pip's log is {shown_path(log)}")
    installed = {**_read_state(folder).get("requirements", {}), requirements.file: requirements.digest}
    _write_state(folder, requirements=installed, unfinished=None)


def _install_with_progress(command: Sequence[str]) -> int:
    """Run pip: a terminal shows all of its output, a log only the lines about large downloads, and errors."""
    if sys.stdout.isatty():
        return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    with subprocess.Popen(command, **_CAPTURED) as process:
        for line in process.stdout:
            if re.search(r"\([\d.]+ [MG]B\)|^\s*(Building|Installing|ERROR)", line):
                print(f"    {line.strip()[:110]}", flush=True)
    return process.returncode


def pip(python: Path) -> list[str]:
    """Return the command of pip without PYTHONPATH and the like; its own configuration (PIP_..., pip.conf) holds."""
    return [str(python), "-I", "-X", "utf8", "-m", "pip", "--disable-pip-version-check", "--no-input"]


def space_needed(requirements: Sequence[Requirements], folder: Path) -> dict[Path, int]:
    """Return folder -> bytes needed there: the environment, pip's temporary files, pip's cache."""
    downloads = sum(each.download_mb for each in requirements) * MEGABYTE
    installed = sum(each.installed_mb for each in requirements) * MEGABYTE
    needed = {folder: installed, Path(tempfile.gettempdir()): downloads}
    if not os.environ.get("PIP_NO_CACHE_DIR"):
        needed[_cache_folder()] = downloads
    return needed


def _cache_folder() -> Path:
    """Return the folder of pip's downloads, as documented by pip."""
    if "PIP_CACHE_DIR" in os.environ:
        return Path(os.environ["PIP_CACHE_DIR"])
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", Path.home()))
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))


def check_disk_space(needed: Mapping[Path, int]) -> None:
    """Raise DataError for each disk that is too small, with the free and the needed space.

    Args:
        needed: folder, existing or not -> bytes; folders on one disk are added up.
    """
    by_disk: dict[int, list[Path]] = {}
    for folder in needed:
        by_disk.setdefault(_existing(folder).stat().st_dev, []).append(folder)
    sentences = []
    for folders in by_disk.values():
        total, free = sum(needed[folder] for folder in folders), shutil.disk_usage(_existing(folders[0])).free
        if free < total:
            purposes = ", ".join(f"{_gigabytes(needed[folder])} in {folder}" for folder in folders)
            sentences.append(
                f"The disk is too small: {_gigabytes(free)} are free and {_gigabytes(total)} are needed ({purposes}); "
                "free some space, or let TMPDIR and PIP_CACHE_DIR point to another disk."
            )
    if sentences:
        raise DataError(sentences)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def check_package_index(python: Path) -> None:
    """Download one small wheel with short timeouts, so that a missing network shows in seconds; else DataError."""
    with tempfile.TemporaryDirectory() as scratch:
        download = [*pip(python), "download", "-vv", "--no-deps", "--no-cache-dir"]
        probe = _run([*download, "--retries", "1", "--timeout", "10", "--dest", scratch, PROBE])
    if probe.returncode:
        raise DataError([explain(probe.stdout)], "nothing was installed")


_UNREACHABLE = (
    "The package index {0} cannot be reached ({1}): check the network, HTTPS_PROXY and `pip config list`, and run this "
    "again."
)

# Pattern in pip's log -> explanation. The first match counts; {0}, {1} are the pattern's groups.
_EXPLANATIONS = {
    r"No space left on device|There is not enough space on the disk": (
        "The disk filled up during the installation: free some space, or let TMPDIR and PIP_CACHE_DIR point to another "
        "disk, and run this again."
    ),
    r"Windows Long Path support": (
        "A path became too long for Windows: move the project to a short folder such as C:\\apparel, or switch on long "
        "paths (https://pip.pypa.io/warnings/enable-long-paths), and run this again."
    ),
    r"(?i)ProxyError|proxy connection error|connect to proxy|Tunnel connection failed": (
        "The proxy to the package index does not answer: check HTTPS_PROXY and `pip config list`, and run this again."
    ),
    r"Could not fetch URL (\S+): There was a problem confirming the ssl certificate": (
        "The certificate of the package index {0} is not trusted: where a company inspects the traffic, let PIP_CERT "
        "point to its certificate, and run this again."
    ),
    r"The repository located at (\S+) is not a trusted or secure host": (
        "pip does not take packages from {0} without encryption: configure its https address (`pip config list`)."
    ),
    r"Could not fetch URL (\S+): (401|403|407) Client Error": (
        "The package index {0} refuses access (HTTP {1}): check the name and password in `pip config list`."
    ),
    r"Could not fetch URL (\S+): connection error: .*\[\w+ -?\d+\] (.+?)(?:['\")]| - skipping)": _UNREACHABLE,
    r"Could not fetch URL (\S+): (connection error|5\d\d Server Error)": _UNREACHABLE,
    r"Read timed out|read operation timed out|IncompleteRead|ConnectionResetError|connection broken by": (
        "The connection to the package index broke off: run this again; what has been downloaded is kept."
    ),
    r"No matching distribution found for (\S+)": ("The package index has no {0} for {computer}."),
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


_CAPTURED = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.STDOUT,
    "encoding": "utf-8",
    "errors": "replace",
}


def _run(command: Sequence[str | Path]) -> subprocess.CompletedProcess:
    """Run a command without a terminal; `stdout` has all of its output."""
    return subprocess.run([str(part) for part in command], check=False, **_CAPTURED)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
