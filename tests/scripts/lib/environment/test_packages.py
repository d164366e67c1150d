"""What is said of a package that is missing, and what stays a traceback."""

from __future__ import annotations

import sys

import pytest

from scripts import _check_python
from scripts.lib.environment import packages


def missing(name: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_the_commands_are_those_that_the_requirements_files_name(repository_root):
    for path in repository_root.glob("requirements-*.txt"):
        text = path.read_text(encoding="utf-8")
        assert packages._command(path.name) in text or "adds to requirements.txt" in text, path.name


@pytest.mark.parametrize(
    ("module", "distribution", "file"),
    [
        ("PIL", "Pillow", "requirements.txt"),
        ("absl", "absl-py", "requirements.txt"),
        ("google", "protobuf", "requirements.txt"),
        ("google.protobuf", "protobuf", "requirements.txt"),
        ("google_crc32c", "google_crc32c", "requirements.txt"),
        ("object_detection", "tf-models-research-object-detection", "requirements-object-detection.txt"),
        ("ai_edge_litert", "ai_edge_litert", "requirements-runtimes.txt"),
        ("PyQt5", "PyQt5", "requirements-label.txt"),
        ("google.cloud.aiplatform_v1", "google-cloud-aiplatform", "requirements-cloud.txt"),
        ("apache_beam", "apache_beam", "requirements-beam.txt"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch, module, distribution, file):
    monkeypatch.setattr(packages, "is_installed", lambda name: False)
    sentence = packages.explain(missing(module))
    assert sentence.startswith(f"{distribution} is not installed in {sys.prefix}: ")
    assert sentence.endswith(f"-r {file}")


@pytest.mark.parametrize("name", ["scripts.gone", "numpy.nothing", "contextlib2", "google.protobuf.nothing"])
def test_a_defect_stays_a_traceback(name):
    assert packages.explain(missing(name)) is None
    assert (
        packages.explain(ImportError("cannot import name 'f' from 'numpy'", name="numpy", path="numpy/core.py")) is None
    )
    assert packages.explain(ValueError("x")) is None


def test_an_environment_beside_that_is_not_active_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(packages, "is_installed", lambda name: False)
    monkeypatch.setattr(packages, "VENV", tmp_path)
    assert "activate .venv (" in packages.explain(missing("numpy"))
    assert "activate" not in packages.explain(missing("apache_beam")), ".venv lacks it, too"
    monkeypatch.setattr(packages.sys, "prefix", str(tmp_path))
    assert "activate" not in packages.explain(missing("numpy"))


def test_where_there_is_no_release_the_command_is_not_advised(monkeypatch):
    monkeypatch.setattr(_check_python, "this_computer", lambda: "macosx-x86_64")
    assert packages.how_to_install("tensorflow").startswith("TensorFlow 2.21 has no release for Intel Macs")
    assert "requirements-label.txt" in packages.how_to_install("PyQt5")
