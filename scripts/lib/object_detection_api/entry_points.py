"""Starts the Object Detection API's own entry points, with the drift mended and the noise kept out."""

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
    """Makes `object_detection` importable: checks the versions, sets up the log, applies the patches. Idempotent.

    Args:
        verbose: show what TensorFlow and its libraries log about themselves, too.

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
    """Runs an entry point of the API as `python -m MODULE ARGV` would.

    Args:
        module_name: e.g. "object_detection.legacy.train".
        argv: its flags, without the program's name.
        verbose: as in `prepare`.
        before_main: called when the module has been imported and before its `main`, e.g. to watch what it writes.

    Raises:
        UsageError: the checkpoint is of another model than the pipeline config.
    """
    prepare(verbose)
    tf = import_tensorflow(verbose)
    print(f"Device: {describe_devices()}", flush=True)
    module = importlib.import_module(module_name)
    if before_main:
        before_main()
    with contextlib.suppress(_FinishedError), _misfit_explained(tf):
        tf.app.run(_finish_after(module.main), [module_name, *argv])


@contextlib.contextmanager
def _misfit_explained(tf: ModuleType) -> Iterator[None]:
    """Says in a sentence what `Saver.restore` says of a checkpoint that does not fit the graph."""
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
        remedy = "give the config that it was trained with, or, to train anew, another --train_dir"
        raise UsageError(f"the checkpoint is of another model than the pipeline config: {what}; {remedy}") from None


class _FinishedError(BaseException):
    """`tf.app.run` ends in `sys.exit`; this leaves it earlier, so that the caller goes on."""


def _finish_after(main: Callable[[list[str]], None]) -> Callable[[list[str]], None]:
    def main_and_finish(argv: list[str]) -> None:
        main(argv)
        raise _FinishedError

    return main_and_finish


def describe_devices() -> str:
    """The devices TensorFlow will use, and what to do where a GPU is not used on Windows."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return ", ".join(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus)
    return f"CPU, {os.cpu_count()} cores{_why_no_gpu()}"


def _why_no_gpu() -> str:
    """What to do where the machine has a GPU and TensorFlow sees none."""
    if not shutil.which("nvidia-smi"):
        return ""
    if os.name == "nt":
        return "; an NVIDIA GPU is there, yet TensorFlow uses none on native Windows since 2.11, only under WSL2"
    return "; an NVIDIA GPU is there, yet TensorFlow does not see it: python -m pip install tensorflow[and-cuda]"
