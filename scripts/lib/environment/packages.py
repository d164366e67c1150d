"""Name a package that is missing in one sentence with the command that installs it; standard library only."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

from scripts import _check_python
from scripts.lib.core.files import REPOSITORY_ROOT
from scripts.lib.environment.venv import PIPELINE, VENV

# Modules, the longer names first, whose distribution has another name.
_DISTRIBUTIONS = {
    "google.auth": "google-cloud-aiplatform",
    "google.cloud": "google-cloud-aiplatform",
    "google.protobuf": "protobuf",
    "google": "protobuf",
    "absl": "absl-py",
    "object_detection": "tf-models-research-object-detection",
    "official": "tf-models-official",
    "PIL": "Pillow",
    "yaml": "PyYAML",
}
_IN_VENV = [requirements.file for requirements in PIPELINE]
_BEAM = "requirements-beam.txt"


def explain(error: BaseException) -> str | None:
    """Return a sentence for an import that failed since a package is missing; None for another error.

    A module that is missing in this project or inside a package, or that no requirements file names, is a defect.
    """
    if not isinstance(error, ModuleNotFoundError):
        return None
    name = error.name or ""
    module = next((known for known in _DISTRIBUTIONS if f"{name}.".startswith(f"{known}.")), name.partition(".")[0])
    return how_to_install(module) if _file_of(module) and not is_installed(module) else None


def how_to_install(*names: str) -> str:
    """Return what is missing where, and the commands that install it; the names are of modules or distributions."""
    files = {_file_of(name) or "requirements.txt" for name in names}
    if "requirements.txt" in files and (complaint := _check_python.complaint()):
        return complaint
    commands = ", then: ".join(map(_command, sorted(files, reverse=True)))  # requirements.txt first
    activate = ""
    if files <= {*_IN_VENV} and VENV.is_dir() and Path(sys.prefix).resolve() != VENV.resolve():
        script = r".venv\Scripts\activate" if sys.platform == "win32" else "source .venv/bin/activate"
        activate = f"activate .venv ({script}), or "
    what = " and ".join(_DISTRIBUTIONS.get(name, name) for name in names)
    are, them = ("is", "it") if len(names) == 1 else ("are", "them")
    apart = " in an environment of its own (cloud/beam.md)" if files == {_BEAM} else ""
    return f"{what} {are} not installed in {sys.prefix}: {activate}install {them}{apart} with: {commands}"


def is_installed(module: str) -> bool:
    """Return whether a module can be found; it may be broken."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _file_of(name: str) -> str | None:
    """Return the requirements file that names a module's distribution."""
    words = re.escape(_DISTRIBUTIONS.get(name, name)).replace("_", "[-_]")
    line = re.compile(rf"^{words}(?![\w-])", re.MULTILINE | re.IGNORECASE)
    files = sorted(REPOSITORY_ROOT.glob("requirements*.txt"), reverse=True)
    return next((path.name for path in files if line.search(path.read_text(encoding="utf-8"))), None)


def _command(file: str) -> str:
    options = "--no-deps " if file == _IN_VENV[1] else "-r requirements.txt " if file == _BEAM else ""
    return f"python -m pip install {options}-r {file}"
