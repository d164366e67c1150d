"""The folder that the tests of configs work in."""

import pytest

from tests import small_project


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The current folder: records of 8 and 2 images, a label map of 2 classes, a checkpoint."""
    monkeypatch.chdir(tmp_path)
    small_project.make(tmp_path)
    return tmp_path
