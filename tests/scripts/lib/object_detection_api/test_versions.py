"""The versions of the libraries that the patches were tested with."""

from __future__ import annotations

import pytest

from scripts.lib.core.errors import UsageError
from scripts.lib.object_detection_api import versions


def test_the_tested_versions_are_installed_and_pass_in_silence(tf, capsys):
    versions.check()
    assert capsys.readouterr().err == ""


def test_untested_versions_are_one_line(monkeypatch, capsys):
    found = {
        "tensorflow": "2.99.0",
        "tf_keras": "2.21.0",
        "tf-slim": "1.1.0",
        "tf-models-research-object-detection": "3.0",
    }
    monkeypatch.setattr(versions.metadata, "version", found.__getitem__)
    versions.check()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "tensorflow 2.99.0 (tested: 2.21)" in lines[0]
    assert "tf-models-research-object-detection 3.0" in lines[0]
    assert "tf_keras" not in lines[0]


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch):
    def version(name: str) -> str:
        if name.startswith("tf-"):
            raise versions.metadata.PackageNotFoundError(name)
        return "2.21.0"

    monkeypatch.setattr(versions.metadata, "version", version)
    with pytest.raises(
        UsageError, match=r"tf-slim .*, tf-models-research-object-detection .*requirements-object-detection"
    ):
        versions.check()
