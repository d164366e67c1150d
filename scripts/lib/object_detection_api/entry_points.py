"""Run the Object Detection API's own entry points, patched and without noise in the output."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

from scripts.lib.core.errors import UsageError
from scripts.lib.core.tensorflow import import_tensorflow
from scripts.lib.object_detection_api import patches, versions


def prepare(verbose: bool = False) -> None:
    """Make `object_detection` importable: check the versions, set up the log, apply the patches. Idempotent.

    Args:
        verbose: show TensorFlow's messages about itself, too.

    Raises:
        UsageError: TensorFlow, tf_keras or the Object Detection API is missing.
    """
    versions.check()
    import_tensorflow(verbose)
    patches.apply()


def run(
    module_name: str,
    argv: Sequence[str],
    verbose: bool = False,
    before_main: Callable[[], None] | None = None,
) -> None:
    """Run an entry point of the API as `python -m MODULE ARGV` would.

    Args:
        module_name: e.g. "object_detection.legacy.train".
        argv: its flags, without the program's name.
        verbose: as in `prepare`.
        before_main: called when the module is imported, before its `main`, e.g. to install hooks.

    Raises:
        UsageError: the checkpoint is of another model than the pipeline config.
    """
    prepare(verbose)
    tf = import_tensorflow(verbose)
    print(f"Device: {describe_devices()}", flush=True)
    module = importlib.import_module(module_name)
    if before_main:
        before_main()

    def main(argv: list[str]) -> None:
        module.main(argv)
        raise _FinishedError

    with contextlib.suppress(_FinishedError), _explained_misfit(tf):
        tf.app.run(main, [module_name, *argv])


@contextlib.contextmanager
def _explained_misfit(tf: ModuleType) -> Iterator[None]:
    """Turn the page that `Saver.restore` raises for a checkpoint of another graph into one sentence."""
    try:
        yield
    except (tf.errors.NotFoundError, tf.errors.InvalidArgumentError) as error:
        if not error.message.startswith("Restoring from checkpoint failed"):
            raise
        if missing := re.search(r"Key (\S+) not found in checkpoint", error.message):
            what = f"it has no {missing[1]}"
        elif shapes := re.search(r"lhs shape= ?(\[.*?\]) rhs shape= ?(\[.*?\])", error.message):
            what = f"of one variable the model's shape is {shapes[1]}, the checkpoint's {shapes[2]}"
        else:
            what = error.message.partition("Original error:")[2].strip().partition("\n")[0][:200]
        remedy = "give the config that it was trained with, or another --train_dir to start from the beginning"
        raise UsageError(f"the checkpoint is of another model than the pipeline config: {what}; {remedy}") from None


class _FinishedError(BaseException):
    """Leaves `tf.app.run` before its `sys.exit`, so that the caller goes on."""


def describe_devices() -> str:
    """Return the devices that TensorFlow will use, and what to do where it does not use a GPU."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return ", ".join(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus)
    return f"CPU, {os.cpu_count()} cores{_why_no_gpu()}"


def _why_no_gpu() -> str:
    if not shutil.which("nvidia-smi"):
        return ""
    if os.name == "nt":
        return "; there is an NVIDIA GPU, but since 2.11 TensorFlow uses none on native Windows, only under WSL2"
    return "; there is an NVIDIA GPU, but TensorFlow does not see it: python -m pip install tensorflow[and-cuda]"
