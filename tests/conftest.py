"""What the tests share."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import pytest

# Read when TensorFlow is imported, and whichever test does that first, it is to be as the scripts import it.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what it puts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # programs that tests start and interrupt inherit it

SLOW_SECONDS = 2400  # the limit of a slow test; that of the others is in pyproject.toml
REPOSITORY_ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS), append=False)
            if not config.getoption("--slow"):
                item.add_marker(pytest.mark.skip(reason="takes minutes; give --slow to run it"))


@pytest.fixture(scope="session")
def repository_root() -> Path:
    return REPOSITORY_ROOT


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """The folder of real photos and annotations, which is not part of the project."""
    path = Path(os.environ.get("APPAREL_REFERENCE_DIR", REPOSITORY_ROOT.parent / "shared" / "reference"))
    if not path.is_dir():
        pytest.skip(f"no reference data at {path}; set APPAREL_REFERENCE_DIR to its folder")
    return path


@pytest.fixture(scope="session")
def tf():
    """TensorFlow in graph mode, with the Object Detection API importable."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    from scripts.lib import object_detection_api
    from scripts.lib.core.tensorflow import import_tensorflow

    object_detection_api.prepare()
    return import_tensorflow()
