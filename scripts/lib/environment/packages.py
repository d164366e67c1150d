"""Name a package that is missing or broken in one sentence with the command that installs it; standard library only."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
import sys
import traceback
from pathlib import Path

from scripts import _check_python
from scripts.lib.core.files import REPOSITORY_ROOT
from scripts.lib.environment.venv import PIPELINE, VENV

# Modules, the longer names first, whose distribution has another name.
_DISTRIBUTIONS = {
    "google.cloud": "google-cloud-aiplatform",
    "google.protobuf": "protobuf",
    "google": "protobuf",
    "absl": "absl-py",
    "object_detection": "tf-models-research-object-detection",
    "official": "tf-models-official",
    "PIL": "Pillow",
    "yaml": "PyYAML",
}
# In the order of installation; what pip takes for each, where that is not "-r FILE".
_FILES = {
    "requirements.txt": "",
    "requirements-object-detection.txt": "--no-deps -r requirements-object-detection.txt",
    "requirements-runtimes.txt": "",
    "requirements-label.txt": "",
    "requirements-cloud.txt": "",
    "requirements-beam.txt": "-r requirements.txt -r requirements-beam.txt",
    "requirements-dev.txt": "",
}
_IN_VENV = {requirements.file for requirements in PIPELINE}
_BINARIES = tuple(importlib.machinery.EXTENSION_SUFFIXES)
_BROKEN = re.compile(r"binary incompatibility|multiarray failed to import")  # compiled for another numpy


def explain(error: BaseException) -> str | None:
    """Return a sentence for an error of an import: a package is missing or broken. None: it is something else.

    A missing module of this project, or one inside a package that is there, is a defect, and so is a missing package
    that no requirements file names.
    """
    if isinstance(error, ModuleNotFoundError):
        name = error.name or ""
        known = (module for module in _DISTRIBUTIONS if f"{name}.".startswith(f"{module}."))
        module = next(known, name.partition(".")[0])
        return how_to_install(module) if _file_of(module) and not is_installed(module) else None
    package, reason = _broken_package(error)
    if not package:
        return None
    again = f"python -m pip uninstall -y {package}, then: {_command(_file_of(package) or 'requirements.txt')}"
    return f"{package} in {sys.prefix} is broken ({reason}); install it again with: {again}"


def how_to_install(*names: str) -> str:
    """Return what is missing where, and the commands that install it; the names are of modules or distributions."""
    files = {_file_of(name) or "requirements.txt" for name in names}
    if "requirements.txt" in files and (complaint := _check_python.complaint()):
        return complaint
    commands = ", then: ".join(_command(file) for file in _FILES if file in files)
    elsewhere = VENV.is_dir() and Path(sys.prefix).resolve() != VENV.resolve()
    activate = f"activate .venv ({_activation()}), or " if elsewhere and files <= _IN_VENV else ""
    names = tuple(_DISTRIBUTIONS.get(name, name) for name in names)
    what = f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not installed in {sys.prefix}"
    return f"{what}: {activate}install {'it' if len(names) == 1 else 'them'} with: {commands}"


def is_installed(module: str) -> bool:
    """Return whether a module can be found; it may be broken."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _file_of(name: str) -> str | None:
    """Return the requirements file that names a module's distribution."""
    wanted = _normalized(_DISTRIBUTIONS.get(name, name))
    for file in _FILES:
        lines = (REPOSITORY_ROOT / file).read_text(encoding="utf-8").splitlines()
        if wanted in {_normalized(re.split(r"[^\w.-]", line)[0]) for line in lines}:
            return file
    return None


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _command(file: str) -> str:
    return f"python -m pip install {_FILES[file] or f'-r {file}'}"


def _activation() -> str:
    return r".venv\Scripts\activate" if sys.platform == "win32" else "source .venv/bin/activate"


def _broken_package(error: BaseException) -> tuple[str | None, str]:
    """Return the package whose compiled part cannot be loaded, and why; None where the error is another one."""
    chain = [error]
    while cause := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(cause)
    for each in reversed(chain if isinstance(error, ImportError) else chain[:1]):
        places = [frame.filename for frame in traceback.extract_tb(each.__traceback__)]
        if isinstance(each, ImportError) and (each.path or "").endswith(_BINARIES):
            places.append(each.path)
        elif not _BROKEN.search(str(each)):
            continue
        for place in reversed(places):
            if found := re.search(r"(?:site|dist)-packages[\\/](\w+)", place):
                return found[1], str(each).strip().partition("\n")[0]
    return None, ""
