"""One export of a real, tiny SSD in all formats, for the tests of export_model.py and of the models' modules."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from scripts import export_model
from scripts.lib.records import read
from tests import exporting, untrained_model


@pytest.fixture(scope="session")
def source(tf, tmp_path_factory):
    """A folder with a config and a checkpoint."""
    return untrained_model.write(tf, tmp_path_factory.mktemp("source")).parent


@pytest.fixture(scope="session")
def exported(source):
    formats = ",".join(["saved_model", "frozen", "onnx", *exporting.OPTIONAL])
    folder = source / "exported"
    command = [sys.executable, export_model.__file__, *exporting.arguments(source, folder, formats)]
    with (source / "output.txt").open("wb") as output:
        subprocess.run(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONUTF8": "1"}, check=True
        )
    return folder


@pytest.fixture(scope="session")
def images(source) -> list[np.ndarray]:
    """Of different sizes, one of them the model's own."""
    pixels = [image.pixels() for image in read.read(source / "test.record")]
    return [*pixels, np.random.default_rng(2).integers(0, 256, (96, 96, 3), np.uint8)]
