"""Run the Object Detection API's own entry points, patched and without noise in the output."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from types import ModuleType

from scripts.lib.core import parallel
from scripts.lib.core.errors import UsageError
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.environment import packages
from scripts.lib.object_detection_api import patches

# distribution -> beginning of the versions with which the patches were tested
TESTED = {
    "tensorflow": "2.21.",
    "tf_keras": "2.21.",
    "tf-slim": "1.1.",
    "tf-models-research-object-detection": "2.8.0",
}


def prepare() -> None:
    """Make `object_detection` importable: check the versions, import TensorFlow, apply the patches.

    Raises:
        UsageError: TensorFlow, tf_keras or the Object Detection API is missing.
    """
    check_versions()
    import_tensorflow()
    patches.apply()


def check_versions() -> None:
    """Warn in one line about untested versions; raise UsageError where distributions are missing."""
    missing, untested = [], []
    for name, tested in TESTED.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
        else:
            if not version.startswith(tested):
                untested.append(f"{name} {version} (tested: {tested.rstrip('.')})")
    if missing:
        raise UsageError(packages.how_to_install(*missing))
    if untested:
        print(f"warning: untested versions: {', '.join(untested)}; they may cause errors.", file=sys.stderr)


def run(module_name: str, argv: Sequence[str], before_main: Callable[[], None] | None = None) -> None:
    """Run an entry point of the API as `python -m MODULE ARGV` would.

    Args:
        module_name: e.g. "object_detection.legacy.train".
        argv: its flags, without the program's name.
        before_main: called when the module is imported, before its `main`, e.g. to install hooks.

    Raises:
        UsageError: the checkpoint is of another model than the pipeline config.
    """
    prepare()
    tf = import_tensorflow()
    _say_devices()
    module = importlib.import_module(module_name)
    if before_main:
        before_main()

    from absl import flags, logging

    logging.use_absl_handler()  # as tf.app.run does, which would end the process
    flags.FLAGS([module_name, *argv], known_only=True)
    with _explained_misfit(tf):
        module.main([module_name])


@contextlib.contextmanager
def _explained_misfit(tf: ModuleType) -> Iterator[None]:
    """Turn the page that `Saver.restore` raises for a checkpoint of another graph into one sentence."""
    try:
        yield
    except (tf.errors.NotFoundError, tf.errors.InvalidArgumentError) as error:
        if not error.message.startswith("Restoring from checkpoint failed"):
            raise
        if shapes := re.search(r"lhs shape= ?(\[.*?\]) rhs shape= ?(\[.*?\])", error.message):
            what = f"of one variable the model's shape is {shapes[1]}, the checkpoint's {shapes[2]}"
        else:
            missing = re.search(r"Key \S+ not found in checkpoint", error.message)
            what = missing[0] if missing else error.message[:200]
        remedy = "give the config that it was trained with, or another --train_dir to start from the beginning"
        raise UsageError(f"the checkpoint is of another model than the pipeline config: {what}; {remedy}") from None


@functools.cache  # an export of several formats runs several entry points
def _say_devices() -> None:
    print(f"Device: {describe_devices()}", flush=True)


def describe_devices() -> str:
    """Return the devices that TensorFlow will use, and what to do where it does not use a GPU."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return ", ".join(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus)
    cpu = f"CPU, {parallel.available_cores()} cores"
    if not shutil.which("nvidia-smi"):
        return cpu
    if os.name == "nt":
        return f"{cpu}; there is an NVIDIA GPU, but since 2.11 TensorFlow uses it under WSL2 only"
    return f"{cpu}; there is an NVIDIA GPU, but TensorFlow does not see it: python -m pip install tensorflow[and-cuda]"
