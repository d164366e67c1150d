"""Checks that everything in the requirements files exists, ready-made, for every platform and Python.

In:   requirements*.txt, and the package index that pip is configured for.
Out:  a table: platform and Python against requirements file, with what does not resolve; exit status 1 if anything.

It is `pip install --dry-run --platform ... --only-binary=:all:`, which downloads no wheel where the index offers the
metadata apart (PEP 658): some ten minutes for all. pip judges environment markers by the machine that it runs on; what
another platform or Python needs besides (`; sys_platform == "win32"`) is therefore looked up and resolved, too.

  python scripts/check_requirements.py
  python scripts/check_requirements.py --platforms windows --pythons 3.12 3.13
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import _init_paths  # noqa: F401
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.lib.core import command_line, files
from scripts.lib.environment import venv

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
SHOWN = ("tensorflow", "numpy", "pandas", "pillow", "protobuf", "pytest", "pyqt5", "tf-models-official")
PARALLEL = 4  # pip mostly waits for the index


class Platform(NamedTuple):
    """A platform: the wheel tags that pip takes there, best first, and what environment markers see."""

    tags: tuple[str, ...]
    markers: Mapping[str, str]


def linux(machine: str) -> Platform:
    """Any Linux with glibc 2.28 or later (2018)."""
    tags = *(f"manylinux_2_{minor}_{machine}" for minor in range(28, 16, -1)), f"manylinux2014_{machine}"
    return Platform(tags, marker_values("Linux", "linux", "posix", machine))


def marker_values(system: str, sys_platform: str, os_name: str, machine: str) -> dict[str, str]:
    return {"platform_system": system, "sys_platform": sys_platform, "os_name": os_name, "platform_machine": machine}


PLATFORMS = {
    "windows": Platform(("win_amd64",), marker_values("Windows", "win32", "nt", "AMD64")),
    "macos-arm64": Platform(("macosx_13_0_arm64",), marker_values("Darwin", "darwin", "posix", "arm64")),
    "linux-x86_64": linux("x86_64"),
    "linux-aarch64": linux("aarch64"),
}

# Pure Python, published as source alone: installing builds them, on any platform.
SOURCE_ONLY = ("labelimg", "tf-models-research-object-detection")
# What is known to be missing, and what people do there.
GAPS = {
    ("linux-aarch64", "requirements-label.txt"): "PyQt5 has no wheel; distributions have it (python3-pyqt5)",
}
FILES = {
    "requirements.txt": (),
    "requirements-dev.txt": (),
    "requirements-object-detection.txt": ("--no-deps",),
    "requirements-label.txt": (),
    "requirements-cloud.txt": (),
    "requirements-runtimes.txt": (),
}


class Outcome(NamedTuple):
    """What pip would install, name -> version, or the sentence with which it refuses, or a gap that is known."""

    versions: dict[str, str]
    error: str = ""
    gap: str = ""

    def __str__(self) -> str:
        if self.gap:
            return f"not there: {self.gap}"
        if self.error:
            return f"FAILED: {self.error}"
        named = ", ".join(f"{name} {self.versions[name]}" for name in SHOWN if name in self.versions)
        return f"{len(self.versions)} found" + (f" ({named})" if named else "")


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    cases = list(itertools.product(args.platforms, args.pythons, FILES))
    with ThreadPoolExecutor(PARALLEL) as pool:
        outcomes = list(pool.map(lambda case: check(*case), cases))
        from_source = pool.submit(resolve, [line for file in FILES for line in lines(file, True)], "--no-deps").result()
    for (platform, python, file), outcome in zip(cases, outcomes, strict=True):
        print(f"{platform:<13}  {python:<4}  {file:<33}  {outcome}")
    print(f"{'any, built':<13}  {'':<4}  {', '.join(SOURCE_ONLY)}: {from_source}")
    failed = sum(bool(outcome.error) for outcome in (*outcomes, from_source))
    print(f"{failed} of {len(outcomes) + 1} failed" if failed else "Nothing failed.")
    return command_line.EXIT_DATA if failed else 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--platforms", nargs="+", choices=PLATFORMS, default=list(PLATFORMS), help="platforms to check")
    parser.add_argument("--pythons", nargs="+", choices=PYTHONS, default=list(PYTHONS), help="Python versions to check")
    return parser.parse_args(argv)


def lines(file: str, source_only: bool) -> list[str]:
    """The requirements of a file: those that are published as source alone, or the others."""
    text = files.default_path(file).read_text(encoding="utf-8")
    found = [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()) if line]
    return [line for line in found if (canonicalize_name(Requirement(line).name) in SOURCE_ONLY) == source_only]


def check(platform_name: str, python: str, file: str) -> Outcome:
    """Resolves a requirements file for a platform, with what its markers add there."""
    platform, options = PLATFORMS[platform_name], FILES[file]
    if (platform_name, file) in GAPS:
        return Outcome({}, gap=GAPS[platform_name, file])
    target = [f"--platform={tag}" for tag in platform.tags] + [f"--python-version={python}", "--only-binary=:all:"]
    markers = {**platform.markers, "python_version": python, "python_full_version": f"{python}.0"}
    wanted = lines(file, source_only=False)
    while True:
        packages = report(wanted, *target, *options, computer=f"{platform_name}, Python {python}")
        if isinstance(packages, str):
            return Outcome({}, packages)
        versions = {canonicalize_name(package["name"]): package["version"] for package in packages}
        besides = [] if options else unmet(packages, versions, markers)
        if not besides:
            return Outcome(versions)
        wanted += besides


def unmet(packages: Iterable[Mapping], versions: Mapping[str, str], markers: Mapping[str, str]) -> list[str]:
    """The dependencies that hold under these markers and that the resolved versions do not meet, without their markers.

    Args:
        packages: core metadata as pip's report has it.
        versions: canonical name -> version that was resolved.
        markers: the target's environment.
    """
    found = set()
    for package in packages:
        for text in package.get("requires_dist", ()):
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate({**markers, "extra": ""}):
                continue
            version = versions.get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                found.add(f"{requirement.name}{requirement.specifier}")
    return sorted(found)


def resolve(wanted: Sequence[str], *options: str) -> Outcome:
    """Resolves for the running platform."""
    packages = report(wanted, *options)
    if isinstance(packages, str):
        return Outcome({}, packages)
    return Outcome({canonicalize_name(package["name"]): package["version"] for package in packages})


def report(wanted: Sequence[str], *options: str, computer: str = "") -> list[dict] | str:
    """The metadata of what pip would install, or in a sentence why it cannot on that computer (default: this one)."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "report.json")
        pip = subprocess.run(
            [
                *venv.pip(Path(sys.executable)),
                "install",
                "--quiet",
                "--dry-run",
                "--ignore-installed",
                f"--target={scratch}",
                f"--report={out}",
                *options,
                *wanted,
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if pip.returncode:
            return venv.explain(pip.stderr, computer)
        return [each["metadata"] for each in json.loads(out.read_text(encoding="utf-8"))["install"]]


if __name__ == "__main__":
    command_line.run(main)
