"""Import TensorFlow in graph mode, with Keras 2, and keep what it logs about itself out of the output."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import platform
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

# Warnings that are right for every user: what is below a warning is not shown at all, what is above always.
_HARMLESS = re.compile(
    r"Instructions for updating|\bdeprecated\b|From .*:\d+: "  # functions of TensorFlow that the API calls
    r"|GPU support is not available on native Windows"  # entry_points.py says so where there is one
    r"|num_readers has been reduced"  # to the record's number of files
    r"|does not have groundtruth difficult flag"  # the evaluator then counts all objects, as it should
    r"|classes have no ground truth"  # the table of AP says so
    r"|Variable \[.*\] is (not )?available in checkpoint"  # hooks.restored_variables counts them
)

# Lines that C++ code prints whatever its log level: TensorFlow's at import, and TensorFlow Lite's.
_CHATTER = re.compile(
    rb"absl::InitializeLog|oneDNN custom operations|Could not find cuda|cuInit|cpu_feature_guard"
    rb"|To enable the following|Unable to register cu|computation placer already registered|rebuild TensorFlow"
    rb"|^fully_quantize: |^INFO: Created TensorFlow Lite "
)


_verbose = False


def set_verbose(verbose: bool) -> None:
    """Show all that TensorFlow, the API and the converters log about themselves; call it before they are imported."""
    global _verbose
    _verbose = verbose


def is_verbose() -> bool:
    return _verbose


def import_tensorflow() -> ModuleType:
    """Return `tensorflow.compat.v1`, in graph mode and quiet unless `set_verbose` was called."""
    keep_out_noise()
    use_legacy_keras()
    use_onednn()
    with without_chatter():
        import tensorflow.compat.v1 as tf

        if os.name == "nt":
            find_folders_by_python()
        tf.config.list_physical_devices()  # prints its complaints about missing GPUs now
    use_graph_mode()
    if _verbose:
        tf.logging.set_verbosity(tf.logging.INFO)
    return tf


@functools.cache
def find_folders_by_python() -> None:
    """Let Python make and find the folders on the disk that TensorFlow's Python code asks for.

    On Windows TensorFlow 2.21 finds no folder below one like C:\\Users\\Müller: it cuts the path's characters to bytes
    (tsl/platform/windows/windows_file_system.cc, IsDirectory).
    """
    from tensorflow.python.lib.io import _pywrap_file_io as file_io

    def create(path: str) -> None:
        temporary = "variables_temp" if Path(path).name == "variables" else ""  # a SavedModel's go there first
        (Path(path) / temporary).mkdir(parents=True, exist_ok=True)

    def on_disk(by_python: Callable, original: Callable) -> Callable:
        return lambda path: original(path) if b"://" in path else by_python(path.decode())

    file_io.IsDirectory = on_disk(os.path.isdir, file_io.IsDirectory)
    file_io.RecursivelyCreateDir = on_disk(create, file_io.RecursivelyCreateDir)


def use_legacy_keras() -> None:
    """Make `tf.keras` and `tf.compat.v1.layers` Keras 2 (tf_keras), for which the API and tf-slim are written.

    They are Keras 3 since TensorFlow 2.16; the variable is read when TensorFlow is imported.
    """
    if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
        raise RuntimeError("TensorFlow was imported before the Object Detection API's patches; import it after them")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"


def use_onednn() -> None:
    """Let oneDNN compute on all CPUs of Intel and AMD, unless the environment says otherwise.

    TensorFlow 2.21 on Linux uses it by itself only where there is AVX512_VNNI; with AVX2 a step is quicker, too.
    """
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def use_graph_mode() -> None:
    """Leave eager mode: the legacy trainer, evaluator and exporter build TensorFlow 1 graphs.

    The API's `tf_version.is_tf1()` is then true, so that `model_builder` registers the tf-slim feature extractors.
    """
    import tensorflow.compat.v1 as tf

    if tf.executing_eagerly():
        tf.disable_v2_behavior()


def keep_out_noise() -> None:
    """Reduce the logs of TensorFlow and absl to warnings that matter, and the C++ log to errors."""
    if _verbose:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for category in (DeprecationWarning, FutureWarning):
        warnings.filterwarnings("ignore", category=category)
    warnings.filterwarnings("ignore", module=r"(tensorflow|tf_keras|tf_slim|object_detection|keras)(\.|$)")
    from absl import logging as absl_logging

    # TensorFlow and absl, to which it passes its records, each have a handler: every line would come twice.
    logging.getLogger("tensorflow").propagate = False
    for place in (logging.getLogger("tensorflow"), absl_logging.get_absl_handler()):
        place.addFilter(_matters)  # again: no change


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Keep what C++ code says of itself from stderr; other lines pass when the block has ended."""
    if _verbose:
        yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            for line in captured:
                if not _CHATTER.search(line):
                    os.write(2, line)


def _matters(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    if _verbose:
        return True
    if record.levelno >= logging.ERROR:
        return "Object was never used" not in message  # because of another error, which is reported
    return record.levelno >= logging.WARNING and not _HARMLESS.search(message)
