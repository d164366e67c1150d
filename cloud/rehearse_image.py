"""Runs the lines of cloud/Dockerfile without Docker: in a new virtual environment and a new folder.

In:   cloud/Dockerfile, and the files of the repository that its .dockerignore lets in; Linux or macOS with the Python
      version that the image has, and a package index.
Out:  DIR/venv and DIR/root, which hold what the image would; exit status 1 where a line fails. Every line is shown
      with what was made of it, and the entry point is started with the arguments after `--`, as `docker run IMAGE ARGS`
      would.

What differs from an image: this machine's Python and system libraries instead of the base image's (on Linux it is
checked that the packages need none that the base image lacks), this user instead of the image's, and no CUDA libraries
unless --build_arg TENSORFLOW="tensorflow[and-cuda]" asks for them.

  python cloud/rehearse_image.py --dir runs/image
  python cloud/rehearse_image.py --dir runs/image -- --pipeline_config_path gs://... --train_dir runs/image/train
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import shlex
import shutil
import string
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import _init_paths  # noqa: F401

from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import DataError, UsageError

DOCKERFILE = files.default_path("cloud/Dockerfile")

WITHOUT_CUDA = {"TENSORFLOW": "tensorflow"}  # of the Dockerfile's ARGs

# Commands that would change this machine, not the folder.
NOT_HERE = ("useradd", "groupadd", "adduser", "apt-get", "chown")

# What python:3.11-slim-bookworm has below /lib and /usr/lib, as far as Python packages use it.
BASE_IMAGE_LIBRARIES = (
    "ld-linux*",
    "libc.so*",
    "libm.so*",
    "libdl.so*",
    "libpthread.so*",
    "librt.so*",
    "libutil.so*",
    "libresolv.so*",
    "libgcc_s.so*",
    "libstdc++.so*",
    "libz.so*",
    "libbz2.so*",
    "liblzma.so*",
    "libffi.so*",
    "libssl.so*",
    "libcrypto.so*",
    "libsqlite3.so*",
    "libuuid.so*",
    "libexpat.so*",
    "libtinfo.so*",
    "libncurses*",
    "libreadline.so*",
    "libcrypt.so*",
    "libpython3*",
)


class Instruction(NamedTuple):
    """One instruction of a Dockerfile, e.g. COPY with "scripts scripts", and its line, counted from 1."""

    name: str
    text: str
    line: int


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    if os.name == "nt":
        raise UsageError("the image is a Linux one: run this on Linux, macOS or in WSL2")
    instructions = read(DOCKERFILE)
    folder = args.dir.absolute()
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"--dir {files.shown_path(folder)} is not empty; give a new folder")
    build_args = {**WITHOUT_CUDA, **dict(given.partition("=")[::2] for given in args.build_arg)}
    known = {instruction.text.partition("=")[0] for instruction in instructions if instruction.name == "ARG"}
    if unknown := build_args.keys() - known - WITHOUT_CUDA.keys():
        raise UsageError(f"--build_arg: the Dockerfile has no ARG {', '.join(sorted(unknown))}")
    Rehearsal(folder, build_args, args.entry_arguments).run(instructions)
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--dir", type=local_path, default=files.default_path("runs/image"), help="new folder")
    parser.add_argument(
        "--build_arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of an ARG of the Dockerfile; TENSORFLOW=tensorflow where nothing else is given",
    )
    parser.add_argument("entry_arguments", nargs="*", help="after --: arguments of the entry point (default: --help)")
    return parser.parse_args(argv)


def read(dockerfile: Path) -> list[Instruction]:
    """The instructions, lines that are continued joined, comments left out.

    Raises:
        UsageError: there is no such file.
    """
    if not dockerfile.is_file():
        raise UsageError(f"there is no {files.shown_path(dockerfile)}")
    instructions, begun, first = [], "", 0
    for number, line in enumerate(dockerfile.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        first = first if begun else number
        begun += line.strip().removesuffix("\\").rstrip() + " "
        if not line.rstrip().endswith("\\"):
            name, _, text = begun.strip().partition(" ")
            instructions.append(Instruction(name.upper(), text.strip(), first))
            begun = ""
    return instructions


class Rehearsal:
    """The state that a build goes through: arguments, environment, current folder."""

    def __init__(self, folder: Path, build_args: dict[str, str], entry_arguments: Sequence[str]):
        self.venv, self.root = folder / "venv", folder / "root"
        self.given, self.entry_arguments = build_args, list(entry_arguments) or ["--help"]
        self.values: dict[str, str] = {}  # ARG and ENV, for ${NAME}
        self.environment = {"PATH": os.pathsep.join([str(self.venv / "bin"), os.environ.get("PATH", "")])}
        self.workdir = self.root

    def run(self, instructions: Sequence[Instruction]) -> None:
        """Goes through all instructions.

        Raises:
            DataError: one failed; names it.
        """
        for instruction in instructions:
            print(f"[{instruction.line}] {instruction.name} {instruction.text}", flush=True)
            step = getattr(self, f"_{instruction.name.lower()}", None)
            if step is None:
                raise DataError([f"line {instruction.line}: {instruction.name} is not known here"])
            start = time.monotonic()
            step(instruction)
            if (seconds := time.monotonic() - start) > 1:
                print(f"    {seconds:.0f} s", flush=True)
        megabytes = sum(path.lstat().st_size for path in self.venv.rglob("*")) / 1e6
        print(f"The environment has {megabytes:.0f} MB.")

    def _expand(self, text: str) -> str:
        return string.Template(text).safe_substitute(self.values)

    def _arg(self, instruction: Instruction) -> None:
        name, _, default = instruction.text.partition("=")
        self.values[name] = self.given.get(name, default)
        if name in self.given:
            print(f"    here: {self.values[name]}")

    def _from(self, instruction: Instruction) -> None:
        version = re.search(r"python:(\d+\.\d+)", self._expand(instruction.text))[1]
        print(f"    here: a virtual environment of this machine's Python {version}")
        python = find_python(version)
        self.root.mkdir(parents=True)
        self._execute([python, "-m", "venv", self.venv], instruction)

    def _env(self, instruction: Instruction) -> None:
        for assignment in shlex.split(instruction.text):
            name, _, value = assignment.partition("=")
            self.values[name] = self.environment[name] = self._expand(value)

    def _workdir(self, instruction: Instruction) -> None:
        self.workdir = self.root / instruction.text.lstrip("/")
        self.workdir.mkdir(parents=True, exist_ok=True)

    def _copy(self, instruction: Instruction) -> None:
        *sources, target = shlex.split(instruction.text)
        for source in sources:
            names = list(let_in(source))
            if not names:
                raise DataError([f"line {instruction.line}: {source} is no file that the .dockerignore lets in"])
            for name in names:
                into_folder = target.endswith("/") or target == "."
                place = Path(name).name if into_folder else f"{target}{name[len(source) :]}"
                copy = self.workdir / (target if into_folder else "") / place
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(files.REPOSITORY_ROOT / name, copy)

    def _run(self, instruction: Instruction) -> None:
        if instruction.text.startswith(NOT_HERE):
            print("    left out: it would change this machine")
            return
        self._execute(["sh", "-c", instruction.text], instruction)

    def _user(self, instruction: Instruction) -> None:
        print("    left out: this machine's user goes on")

    def _entrypoint(self, instruction: Instruction) -> None:
        if sys.platform == "linux":
            self._check_libraries()
        command = [*json.loads(instruction.text), *self.entry_arguments]
        print(f"    {shlex.join(command)}", flush=True)
        self._execute(command, instruction)

    def _execute(self, command: Sequence[str | Path], instruction: Instruction) -> None:
        """Runs a command with the build's variables and nothing of this machine's Python settings.

        Raises:
            DataError: it failed.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        program = shutil.which(command[0], path=self.environment["PATH"]) or command[0]
        status = subprocess.run(
            [program, *command[1:]], cwd=self.workdir, env={**kept, **self.values, **self.environment}, check=False
        ).returncode
        if status:
            raise DataError([f"line {instruction.line} failed with status {status}: {instruction.text}"])

    def _check_libraries(self) -> None:
        """Looks for shared libraries of this machine that the packages need and the base image does not have.

        Raises:
            DataError: names library and package; the image would fail at import.
        """
        needed: dict[str, str] = {}
        for path in self.venv.rglob("*.so*"):
            if path.is_file() and not path.is_symlink():
                for name in foreign_libraries(path, self.venv):
                    needed.setdefault(name, path.relative_to(self.venv).as_posix())
        lacking = {
            name: user
            for name, user in needed.items()
            if not any(fnmatch.fnmatch(name, pattern) for pattern in BASE_IMAGE_LIBRARIES)
        }
        if lacking:
            raise DataError(f"{user} needs {name}, which the base image lacks" for name, user in lacking.items())
        print(f"    the packages need {len(needed)} system libraries, all of them in the base image")


def let_in(source: str) -> Iterator[str]:
    """The files of a COPY's source that `cloud/Dockerfile.dockerignore` lets into the build, relative, with `/`."""
    ignore = DOCKERFILE.with_name(f"{DOCKERFILE.name}.dockerignore").read_text(encoding="utf-8")
    patterns = [line.strip() for line in ignore.splitlines() if line.strip() and not line.startswith("#")]
    path = files.REPOSITORY_ROOT / source
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        name = file.relative_to(files.REPOSITORY_ROOT).as_posix()
        if file.is_file() and not is_ignored(name, patterns):
            yield name


def is_ignored(name: str, patterns: Sequence[str]) -> bool:
    """Whether .dockerignore patterns keep a file out: the last one counts that matches it or a folder above it."""
    ignored = False
    places = [name, *(parent.as_posix() for parent in Path(name).parents[:-1])]
    for pattern in patterns:
        anywhere = pattern.lstrip("!").removeprefix("**/")
        tails = [place.rpartition("/")[2] for place in places] if "**/" in pattern else places
        if any(fnmatch.fnmatchcase(tail, anywhere) for tail in tails):
            ignored = not pattern.startswith("!")
    return ignored


def find_python(version: str) -> str:
    """A Python of this machine with the image's version.

    Raises:
        UsageError: there is none.
    """
    if "{}.{}".format(*sys.version_info[:2]) == version:
        return sys.executable
    found = shutil.which(f"python{version}")
    if found is None:
        raise UsageError(f"the image has Python {version}, and this machine has no python{version}: install it")
    return found


def foreign_libraries(path: Path, venv: Path) -> set[str]:
    """The names of the shared libraries that an ELF file loads from outside of the environment."""
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return set()
    listed = subprocess.run(["ldd", path], capture_output=True, encoding="utf-8", check=False).stdout
    loaded = re.findall(r"^\s*(\S+) => (.+?)(?: \(0x\w+\))?$", listed, re.MULTILINE)
    return {name for name, place in loaded if place.startswith("/") and not Path(place).is_relative_to(venv)}


if __name__ == "__main__":
    command_line.run(main)
