"""The container's build and its rehearsal without Docker."""

from __future__ import annotations

import os
import re

import pytest
from packaging.requirements import Requirement

from cloud import rehearse_image
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError

needs_posix = pytest.mark.skipif(os.name == "nt", reason="the image is a Linux one")


def requirements(name: str) -> list[Requirement]:
    lines = files.default_path(name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines) if line]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-object-detection.txt"])
def test_every_requirement_is_pinned_within_its_range(name):
    pins = {canonical(pin.name): pin for pin in requirements("cloud/constraints.txt")}
    for requirement in requirements(name):
        if requirement.marker and not requirement.marker.evaluate({"sys_platform": "linux", "python_version": "3.11"}):
            continue
        pin = pins.get(canonical(requirement.name))
        assert pin, f"{requirement.name} is not in cloud/constraints.txt; its head says how to make it anew"
        (version,) = (each.version for each in pin.specifier)
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement.name} {version}"


def test_the_dockerfile_holds_what_a_job_needs():
    instructions = rehearse_image.read(rehearse_image.DOCKERFILE)
    names = [instruction.name for instruction in instructions]
    assert names.index("USER") > max(number for number, name in enumerate(names) if name == "RUN")
    assert instructions[-1].text == '["python", "cloud/task.py"]'
    for instruction in instructions:
        if instruction.name == "COPY":
            *sources, _ = instruction.text.split()
            for source in sources:
                assert list(rehearse_image.let_in(source)), f"{source} is kept out by the .dockerignore"


def test_photos_and_caches_stay_out_of_the_image():
    patterns = ["*", "!scripts", "!requirements*.txt", "**/__pycache__"]
    assert rehearse_image.is_ignored("samples/a.jpg", patterns)
    assert rehearse_image.is_ignored("scripts/lib/__pycache__/a.pyc", patterns)
    assert not rehearse_image.is_ignored("scripts/lib/core/files.py", patterns)
    assert not rehearse_image.is_ignored("requirements-cloud.txt", patterns)


@pytest.fixture
def dockerfile(tmp_path, monkeypatch):
    """A small build below a repository of its own; without a virtual environment, whose making takes seconds."""
    monkeypatch.setattr(files, "REPOSITORY_ROOT", tmp_path)
    monkeypatch.setattr(rehearse_image, "DOCKERFILE", tmp_path / "Dockerfile")
    monkeypatch.setattr(rehearse_image.Rehearsal, "_from", lambda self, _: self.root.mkdir(parents=True))
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.txt").write_text("A")
    (tmp_path / "b.txt").write_text("B")
    (tmp_path / "Dockerfile.dockerignore").write_text("*\n!src\n!b.txt\n")
    return tmp_path / "Dockerfile"


@needs_posix
def test_the_lines_are_run_in_a_folder(dockerfile, tmp_path, capfd):
    dockerfile.write_text(
        "# a comment\nARG NAME=world\nFROM python:3.11-slim\nENV GREETING=hello\nWORKDIR /app\nCOPY src src\n"
        "COPY b.txt ./\nRUN cat src/a.txt b.txt \\\n    > c.txt\nRUN useradd trainer\nUSER trainer\n"
        'ENTRYPOINT ["sh", "-c", "echo $GREETING $NAME $0 $(cat c.txt)"]\n'
    )
    assert not rehearse_image.main(["--dir", str(tmp_path / "image"), "--build_arg", "NAME=moon", "--", "--flag"])
    out = capfd.readouterr().out
    assert "hello moon --flag AB" in out
    assert "[10] RUN useradd trainer\n    left out: it would change this machine" in out
    assert (tmp_path / "image/root/app/src/a.txt").read_text() == "A"


@needs_posix
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("RUN false", "line 2 failed with status 1: false"),
        ("COPY missing.txt ./", "missing.txt is no file that the .dockerignore lets in"),
        ("HEALTHCHECK NONE", "line 2: HEALTHCHECK is not known here"),
    ],
)
def test_a_line_that_fails_is_named(dockerfile, tmp_path, line, message):
    dockerfile.write_text(f"FROM python:3.11-slim\n{line}\n")
    with pytest.raises(DataError, match=re.escape(message)):
        rehearse_image.main(["--dir", str(tmp_path / "image")])


@needs_posix
def test_a_build_argument_that_the_dockerfile_lacks_is_refused(dockerfile, tmp_path):
    dockerfile.write_text("ARG NAME=world\nFROM python:3.11-slim\n")
    with pytest.raises(UsageError, match="--build_arg: the Dockerfile has no ARG NAMES"):
        rehearse_image.main(["--dir", str(tmp_path / "image"), "--build_arg", "NAMES=moon"])


@needs_posix
def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(UsageError, match="is not empty"):
        rehearse_image.main(["--dir", str(tmp_path)])
