"""Test that the Dockerfile, the ignore files and the pinned versions fit together."""

from __future__ import annotations

import fnmatch
import re

import pytest
from packaging.requirements import Requirement

from scripts.lib.core import files

TEXT = re.sub(r"\\\n\s*", "", files.default_path("cloud/Dockerfile").read_text(encoding="utf-8"))
INSTRUCTIONS = re.findall(r"^([A-Z]+) (.+)$", TEXT, re.MULTILINE)
SOURCES = [word for name, text in INSTRUCTIONS if name == "COPY" for word in text.split()[:-1]]


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
    assert INSTRUCTIONS[-1] == ("ENTRYPOINT", '["python", "scripts/train.py"]')


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
